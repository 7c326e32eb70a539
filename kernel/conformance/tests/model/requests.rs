//! What the model does for each request: the specification's status, or that of a mutation.

use conformance::feature;

use super::domains::{Domain, Interval, covers, overlap};
use super::{ENDPOINTS, GRANULE, Model, Mutation, PROBE_SIZE};

const OK: u8 = 0;
const UNSUPP: u8 = 2;
const INVAL: u8 = 4;
const RANGE: u8 = 5;
const NOENT: u8 = 6;

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn double(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

impl Model {
    /// A mutation's objection to the head of a request.
    pub(super) fn head_rejected(&self, readable: &[u8]) -> Option<u8> {
        let is_filled = readable[1..4] != [0; 3];
        (is_filled && self.is(Mutation::head_checked(readable[0]))).then_some(INVAL)
    }

    /// Performs a request that has a head and a tail.
    pub(super) fn perform(&mut self, readable: &[u8], properties: &mut [u8]) -> u8 {
        let kind = readable[0];
        let size = match kind {
            1 | 2 => 20,
            3 => 36,
            4 => 28,
            _ => 72,
        };
        if readable.len() < size {
            if self.is(Mutation::short_accepted(kind, readable.len())) {
                return OK;
            }
            return INVAL;
        }
        if readable.len() > size && self.is(Mutation::LongerIsLost) {
            return 0x44;
        }
        match kind {
            1 => self.attach(readable),
            2 => self.detach(readable),
            3 => self.map(readable),
            4 => self.unmap(readable),
            _ => self.probe(readable, properties),
        }
    }

    /// Whether an endpoint exists.
    fn exists(&self, endpoint: u32, kind: u8) -> bool {
        let endpoint = if self.is(Mutation::id_cut_to_16_bits(kind)) { endpoint & 0xffff } else { endpoint };
        let is_all_ones = endpoint == u32::MAX && self.is(Mutation::all_ones_exists(kind));
        let is_unknown = endpoint == 0xffff && self.is(Mutation::unknown_exists(kind));
        ENDPOINTS.contains(&endpoint) || is_all_ones || is_unknown
    }

    fn attach(&mut self, readable: &[u8]) -> u8 {
        let (domain, endpoint, flags) = (word(readable, 4), word(readable, 8), word(readable, 12));
        if self.is(Mutation::CreatesDomainFirst) {
            self.domains.by_id.entry(domain).or_default();
        }
        if self.is(Mutation::NoDomain0) && domain == 0
            || self.is(Mutation::NoLastDomain) && domain == u32::MAX
        {
            return RANGE;
        }
        let reserved = &readable[16..20];
        let is_seen = match self.mutation {
            Some(Mutation::AttachReservedIgnored) => false,
            Some(Mutation::AttachReservedLastIgnored) => reserved[..3] != [0; 3],
            Some(Mutation::AttachReservedFirstIgnored) => reserved[1..] != [0; 3],
            _ => reserved != [0; 4],
        };
        if is_seen {
            return INVAL;
        }
        let known = 1 | self.mutation.map_or(0, Mutation::attach_flags_ignored);
        if flags & !known != 0 {
            return INVAL;
        }
        if !self.exists(endpoint, 1) {
            return NOENT;
        }
        let bypass = flags & 1 != 0;
        if bypass && self.is(Mutation::NoBypassDomains) {
            return INVAL;
        }
        self.attach_known(domain, endpoint, bypass)
    }

    fn attach_known(&mut self, domain: u32, endpoint: u32, bypass: bool) -> u8 {
        let before = self.domains.of_endpoint.get(&endpoint).copied();
        if before == Some(domain) && self.is(Mutation::AttachAgainRejected) {
            return INVAL;
        }
        if before == Some(domain) && self.is(Mutation::AttachAgainDetaches) {
            self.domains.take_out(endpoint);
        }
        let checks_kind = match self.mutation {
            Some(Mutation::KindOfBypassIgnored) => bypass,
            Some(Mutation::KindOfTranslatedIgnored) => !bypass || before == Some(domain),
            Some(Mutation::KindOfOwnIgnored) => before != Some(domain),
            _ => true,
        };
        if checks_kind && self.domains.by_id.get(&domain).is_some_and(|found| found.bypass != bypass) {
            return INVAL;
        }
        let is_shared = self.domains.members(domain) > 0 && before != Some(domain);
        if is_shared && self.is(Mutation::SharedFails) {
            return INVAL;
        }
        if is_shared && bypass && self.is(Mutation::SharedBypassFails) {
            return INVAL;
        }
        if is_shared && self.is(Mutation::SharedForgetsMappings) {
            self.domains.by_id.remove(&domain);
        }
        if let Some(from) = before.filter(|from| *from != domain) {
            match self.mutation {
                Some(Mutation::MoveFails) => return INVAL,
                Some(Mutation::MoveToBypassFails) if bypass => return INVAL,
                Some(Mutation::MoveKeepsDomain) => {
                    self.domains.of_endpoint.remove(&endpoint);
                }
                Some(Mutation::MoveEndsShared) => {
                    self.domains.of_endpoint.remove(&endpoint);
                    self.domains.by_id.remove(&from);
                }
                Some(Mutation::MoveTakesMappings) => {
                    let mappings = self.domains.by_id[&from].mappings.clone();
                    self.domains.take_out(endpoint);
                    self.domains.by_id.insert(domain, Domain { bypass, mappings });
                }
                _ => self.domains.take_out(endpoint),
            }
        }
        if self.is(Mutation::AttachOfThirdFails) && endpoint == ENDPOINTS[2] {
            return UNSUPP;
        }
        if self.is(Mutation::AttachDoesNothing) {
            return OK;
        }
        self.domains.by_id.entry(domain).or_insert(Domain { bypass, mappings: Vec::new() });
        self.domains.of_endpoint.insert(endpoint, domain);
        OK
    }

    fn detach(&mut self, readable: &[u8]) -> u8 {
        let (domain, endpoint) = (word(readable, 4), word(readable, 8));
        if readable[12..20] != [0; 8] && self.is(Mutation::DetachReservedChecked) {
            return INVAL;
        }
        if !self.exists(endpoint, 2) {
            return NOENT;
        }
        let endpoint = if self.is(Mutation::id_cut_to_16_bits(2)) { endpoint & 0xffff } else { endpoint };
        let before = self.domains.of_endpoint.get(&endpoint).copied();
        if before != Some(domain) {
            return match self.mutation {
                Some(Mutation::DetachNeverAttachedOdd) if before.is_none() => 0x55,
                Some(Mutation::DetachFromAnyDomain) => {
                    self.domains.take_out(endpoint);
                    OK
                }
                Some(Mutation::DetachOthers) => {
                    self.domains.of_endpoint.retain(|_, of| *of != domain);
                    INVAL
                }
                _ => INVAL,
            };
        }
        match self.mutation {
            Some(Mutation::DetachKeepsDomain) => {
                self.domains.of_endpoint.remove(&endpoint);
            }
            Some(Mutation::DetachKeepsMappings) => {
                self.domains.of_endpoint.remove(&endpoint);
                if self.domains.members(domain) == 0 {
                    self.domains.by_id.get_mut(&domain).unwrap().bypass = false;
                }
            }
            Some(Mutation::DetachEndsShared) => {
                self.domains.by_id.remove(&domain);
                self.domains.of_endpoint.remove(&endpoint);
            }
            _ => self.domains.take_out(endpoint),
        }
        OK
    }

    fn map(&mut self, readable: &[u8]) -> u8 {
        let (domain, flags) = (word(readable, 4), word(readable, 32));
        let interval = (double(readable, 8), double(readable, 16));
        let physical = double(readable, 24);
        if let Some(status) = self.flags_rejected(flags) {
            return status;
        }
        let end = self.input_end();
        let is_global = self.is(Mutation::OneAddressSpace);
        let has_regions = self.regions_rejected(interval);
        let mutation = self.mutation;
        let odd = self.odd_map(interval, physical);
        let Some(found) = self.domains.by_id.get(&domain) else {
            return if mutation == Some(Mutation::MapUnknownDomainInvalid) { INVAL } else { NOENT };
        };
        if found.bypass && mutation != Some(Mutation::MapBypassAccepted) {
            return INVAL;
        }
        if let Some(status) = odd.or_else(|| alignment(mutation, interval, physical)) {
            return status;
        }
        let beyond = match mutation {
            Some(Mutation::RangeEndIgnored) => false,
            Some(Mutation::RangeStartDecides) => interval.0 > end,
            Some(Mutation::RangeLastAddressIgnored) => interval.1 > end && interval.1 != u64::MAX,
            _ => interval.1 > end,
        };
        if beyond {
            return RANGE;
        }
        let is_taken = |mapped: &Interval| mapped_over(mutation, *mapped, interval);
        let is_taken_elsewhere = self.domains.by_id.values().any(|other| other.mappings.iter().any(is_taken));
        if mutation == Some(Mutation::OverlapWithOneOnly)
            && found.mappings.iter().filter(|one| is_taken(one)).count() > 1
        {
            return OK;
        }
        if found.mappings.iter().any(is_taken) || is_global && is_taken_elsewhere || has_regions {
            if mutation == Some(Mutation::OverlapUnmaps) {
                let found = self.domains.by_id.get_mut(&domain).unwrap();
                found.mappings.retain(|mapped| !overlap(*mapped, interval));
            }
            return INVAL;
        }
        if mutation == Some(Mutation::MapLimit) && found.mappings.len() >= 200 {
            return 8;
        }
        self.domains.by_id.get_mut(&domain).unwrap().mappings.push(interval);
        OK
    }

    /// A mutation's status for a MAP that is well-formed, or about which the specification is silent.
    fn odd_map(&self, interval: Interval, physical: u64) -> Option<u8> {
        let is_last = interval.1 == self.input_end();
        let size = interval.1.wrapping_sub(interval.0);
        let applies = match self.mutation? {
            Mutation::MapLastFails => is_last && size < GRANULE,
            Mutation::MapFirstFails => interval.0 == 0 && size < GRANULE,
            Mutation::MapWholeFails => interval.0 == 0 && is_last,
            Mutation::MapLargeFails => size == (1 << 30) - 1,
            Mutation::MapInvertedOdd => interval.1 < interval.0,
            Mutation::MapPhysicalWrapOdd => physical.checked_add(size).is_none(),
            Mutation::MapSamePhysicalFails => {
                self.domains.by_id.values().any(|domain| domain.mappings.len() == 1)
                    && physical == 0x5_0000 * GRANULE
                    && interval.0 == 0x1004 * GRANULE
            }
            _ => false,
        };
        applies.then_some(0x66)
    }

    fn flags_rejected(&self, flags: u32) -> Option<u8> {
        let known = 7 | self.mutation.map_or(0, Mutation::map_flags_ignored);
        let rejected = match self.mutation {
            Some(Mutation::MapReadFails) => flags == 1,
            Some(Mutation::MapWriteFails) => flags == 3,
            Some(Mutation::MapMmioFails) => flags == 7,
            _ => false,
        };
        let odd = match self.mutation {
            Some(Mutation::MapWriteOnlyOdd) => flags == 2,
            Some(Mutation::MapNoFlagsOdd) => flags == 0,
            Some(Mutation::MapMmioWithoutFeatureOdd) => flags & 4 != 0 && !self.accepted(feature::MMIO),
            _ => false,
        };
        if odd {
            return Some(0x77);
        }
        (rejected || flags & !known != 0).then_some(INVAL)
    }

    fn regions_rejected(&self, interval: Interval) -> bool {
        self.regions.iter().any(|region| {
            let region = (region.first, region.last);
            match self.mutation {
                Some(Mutation::RegionExactAllowed) => overlap(region, interval) && region != interval,
                Some(Mutation::RegionStartAllowed) => region.0 <= interval.0 && interval.0 <= region.1,
                Some(Mutation::RegionEndAllowed) => overlap(region, interval) && interval.0 <= region.0,
                Some(Mutation::RegionAroundAllowed) => {
                    overlap(region, interval) && !(interval.0 < region.0 && region.1 < interval.1)
                }
                Some(Mutation::RegionsOnePageLarger) => overlap((region.0 - GRANULE, region.1), interval),
                Some(Mutation::RegionsOnePageLonger) => overlap((region.0, region.1 + GRANULE), interval),
                _ => overlap(region, interval),
            }
        })
    }

    fn unmap(&mut self, readable: &[u8]) -> u8 {
        let domain = word(readable, 4);
        let interval = (double(readable, 8), double(readable, 16));
        let mutation = self.mutation;
        if readable[24..28] != [0; 4] && mutation == Some(Mutation::UnmapReservedOdd) {
            return RANGE;
        }
        let touches_region = self.regions.iter().any(|region| overlap((region.first, region.last), interval));
        let is_last = interval.1 == self.input_end();
        let Some(found) = self.domains.by_id.get_mut(&domain) else {
            return match mutation {
                Some(Mutation::UnmapUnknownDomainOk) => OK,
                _ => NOENT,
            };
        };
        if found.bypass && mutation != Some(Mutation::UnmapBypassAccepted) {
            return INVAL;
        }
        if let Some(status) =
            mutation.and_then(|mutation| mutation.odd_unmap(interval, is_last, touches_region))
        {
            return status;
        }
        let touched = |mapped: &Interval| overlap(*mapped, interval);
        let cut = |mapped: &Interval| touched(mapped) && !cover(mutation, interval, *mapped);
        if found.mappings.iter().any(cut) {
            match mutation {
                Some(Mutation::SplitRemovesAll) => found.mappings.retain(|mapped| !touched(mapped)),
                Some(Mutation::SplitRemovesWhole) => {
                    found.mappings.retain(|mapped| !covers(interval, *mapped))
                }
                Some(Mutation::SplitRemovesUpToCut) => {
                    let at = found.mappings.iter().position(cut).unwrap();
                    let mut index = 0;
                    found.mappings.retain(|mapped| {
                        index += 1;
                        index > at || !touched(mapped)
                    });
                }
                Some(Mutation::SplitOk) => return OK,
                _ => {}
            }
            return RANGE;
        }
        if !found.mappings.iter().any(touched) && mutation == Some(Mutation::UnmapNothingFails) {
            return NOENT;
        }
        match mutation {
            Some(Mutation::UnmapDoesNothing) => {}
            Some(Mutation::UnmapRemovesOne) => {
                if let Some(at) = found.mappings.iter().position(touched) {
                    found.mappings.remove(at);
                }
            }
            Some(Mutation::UnmapRemovesNeighbour) => {
                let wider = (interval.0.saturating_sub(1), interval.1.saturating_add(1));
                found.mappings.retain(|mapped| !overlap(*mapped, wider));
            }
            Some(Mutation::UnmapRemovesAll) if interval.0 != 0 => found.mappings.clear(),
            _ => found.mappings.retain(|mapped| !touched(mapped)),
        }
        if mutation == Some(Mutation::OneAddressSpace) {
            for other in self.domains.by_id.values_mut() {
                other.mappings.retain(|mapped| !overlap(*mapped, interval));
            }
        }
        OK
    }

    fn probe(&mut self, readable: &[u8], properties: &mut [u8]) -> u8 {
        let endpoint = word(readable, 4);
        if readable[8..72] != [0; 64] && self.is(Mutation::ProbeReservedChecked) {
            return INVAL;
        }
        if !self.exists(endpoint, 5) {
            return NOENT;
        }
        if self.is(Mutation::ProbeOfOneFails) && endpoint == ENDPOINTS[2] {
            return UNSUPP;
        }
        let mut at = 0;
        for region in self.mutated_regions(endpoint) {
            let head: u16 = if self.is(Mutation::PropertyReserved) { 0x1001 } else { 1 };
            let length: u16 = if self.is(Mutation::PropertyLength) { 24 } else { 20 };
            let reserved = u8::from(self.is(Mutation::RegionReserved));
            properties[at..at + 2].copy_from_slice(&head.to_le_bytes());
            properties[at + 2..at + 4].copy_from_slice(&length.to_le_bytes());
            properties[at + 4..at + 8].copy_from_slice(&[region.subtype, reserved, 0, 0]);
            properties[at + 8..at + 16].copy_from_slice(&region.first.to_le_bytes());
            properties[at + 16..at + 24].copy_from_slice(&region.last.to_le_bytes());
            at += 24;
        }
        if self.is(Mutation::ProbeRestFilled) {
            properties[PROBE_SIZE - 1] = 1;
        }
        OK
    }

    /// The regions that PROBE returns.
    fn mutated_regions(&mut self, endpoint: u32) -> Vec<super::Region> {
        self.probes += 1;
        let mut regions = self.regions.clone();
        let is_attached = self.domains.of_endpoint.contains_key(&endpoint);
        match self.mutation {
            Some(Mutation::RegionInverted) => {
                regions.iter_mut().for_each(|one| std::mem::swap(&mut one.first, &mut one.last));
            }
            Some(Mutation::RegionSubtype) => regions.iter_mut().for_each(|one| one.subtype = 2),
            Some(Mutation::TwoMsiRegions) => regions.iter_mut().for_each(|one| one.subtype = 1),
            Some(Mutation::RegionsOverlap) => {
                if let [first, second] = &mut regions[..] {
                    second.first = first.last;
                }
            }
            Some(Mutation::ProbeForgetsAttached) if is_attached => regions.clear(),
            Some(Mutation::ProbeChanges) if self.probes.is_multiple_of(2) => regions.truncate(1),
            _ => {}
        }
        regions
    }
}

/// The status of a MAP that is not aligned.
fn alignment(mutation: Option<Mutation>, (first, last): Interval, physical: u64) -> Option<u8> {
    let is_off = |address: u64| address & (GRANULE - 1) != 0;
    let (start, end, phys) = (is_off(first), is_off(last.wrapping_add(1)), is_off(physical));
    let rejected = match mutation {
        Some(Mutation::StartUnaligned) => end || phys,
        Some(Mutation::EndUnaligned) => start || phys,
        Some(Mutation::PhysicalUnaligned) => start || end,
        Some(Mutation::HalfGranule) => {
            let is_off = |address: u64| address & (GRANULE / 2 - 1) != 0;
            is_off(first) || is_off(last.wrapping_add(1)) || is_off(physical)
        }
        _ => start || end || phys,
    };
    rejected.then_some(RANGE)
}

/// Whether a mapping stands in the way of MAP.
fn mapped_over(mutation: Option<Mutation>, mapped: Interval, interval: Interval) -> bool {
    let is_over = overlap(mapped, interval);
    match mutation {
        Some(Mutation::OverlapSameOnly) => mapped == interval,
        Some(Mutation::OverlapStartOnly) => mapped.0 <= interval.0 && interval.0 <= mapped.1,
        Some(Mutation::OverlapEndOnly) => mapped.0 <= interval.1 && interval.1 <= mapped.1,
        Some(Mutation::OverlapSameIgnored) => is_over && mapped != interval,
        Some(Mutation::OverlapInsideIgnored) => is_over && !(mapped.0 < interval.0 && interval.1 < mapped.1),
        Some(Mutation::OverlapAroundIgnored) => is_over && !(interval.0 < mapped.0 && mapped.1 < interval.1),
        Some(Mutation::OverlapTouching) => {
            overlap(mapped, (interval.0.saturating_sub(1), interval.1.saturating_add(1)))
        }
        Some(Mutation::OverlapEverywhere) => interval.0 != 0 || is_over,
        Some(Mutation::OverlapLastIgnored) => is_over && interval.1 != u64::MAX && mapped.1 != u64::MAX,
        _ => is_over,
    }
}

/// Whether UNMAP of `interval` covers a mapping.
fn cover(mutation: Option<Mutation>, interval: Interval, mapped: Interval) -> bool {
    match mutation {
        Some(Mutation::SplitStartIgnored) => mapped.1 <= interval.1,
        Some(Mutation::SplitEndIgnored) => interval.0 <= mapped.0,
        Some(Mutation::UnmapExactOnly) => interval == mapped,
        Some(Mutation::UnmapSameStartOnly) => interval.0 == mapped.0 && covers(interval, mapped),
        Some(Mutation::UnmapSameEndOnly) => interval.1 == mapped.1 && covers(interval, mapped),
        Some(Mutation::SplitInPages) => {
            covers((interval.0 & !(GRANULE - 1), interval.1 | (GRANULE - 1)), mapped)
        }
        _ => covers(interval, mapped),
    }
}
