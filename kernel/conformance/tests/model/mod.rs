//! A virtio-iommu that follows the specification to the letter, and can be made to break it in one place.

mod domains;
mod mutation;
mod requests;

use std::collections::{BTreeMap, VecDeque};

use addr::EndpointId;
use conformance::{
    CONFIG_SIZE, Device, DeviceAnswer, Machine, NoAnswer, POISON, Request, RestartError, feature,
};

pub(crate) use mutation::Mutation;

use domains::Domains;

/// Descriptors of the model's queue.
const QUEUE_SIZE: usize = 16;
const PROBE_SIZE: usize = 512;
const GRANULE: u64 = 0x1000;
const MSI: u8 = 1;

/// The machine around the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Two regions for each endpoint; addresses of 64 bits.
    Regions,
    /// No region; addresses of 64 bits.
    NoRegions,
    /// Addresses of 40 bits.
    Narrow,
}

impl Variant {
    pub(crate) const ALL: [Self; 3] = [Self::Regions, Self::NoRegions, Self::Narrow];
}

pub(crate) struct Model {
    mutation: Option<Mutation>,
    variant: Variant,
    features: u64,
    bypass: u8,
    regions: Vec<Region>,
    domains: Domains,
    events: VecDeque<Vec<u8>>,
    needs_reset: bool,
    /// Whether the next reset does not help.
    late_reset: bool,
    starts: u32,
    /// Starts since the last request.
    idle_starts: u32,
    probes: u32,
}

/// A reserved region: subtype, first and last address.
#[derive(Clone, Copy)]
pub(crate) struct Region {
    subtype: u8,
    first: u64,
    last: u64,
}

impl Model {
    pub(crate) fn new(variant: Variant, mutation: Option<Mutation>) -> Self {
        let regions = match variant {
            Variant::Regions | Variant::Narrow => vec![
                Region { subtype: MSI, first: 0x802_0000, last: 0x802_ffff },
                Region { subtype: 0, first: 0x90_0000_0000, last: 0x90_0000_0fff },
            ],
            Variant::NoRegions => Vec::new(),
        };
        Self {
            mutation,
            variant,
            features: 0,
            bypass: 1,
            regions,
            domains: Domains::default(),
            events: VecDeque::new(),
            needs_reset: false,
            late_reset: false,
            starts: 0,
            idle_starts: 0,
            probes: 0,
        }
    }

    pub(crate) fn machine() -> Machine {
        Machine { endpoints: ENDPOINTS.map(EndpointId).to_vec(), unknown_endpoint: EndpointId(0xffff) }
    }

    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    fn input_end(&self) -> u64 {
        if self.variant == Variant::Narrow { (1 << 40) - 1 } else { u64::MAX }
    }

    fn accepted(&self, feature: u64) -> bool {
        self.features & feature != 0
    }
}

/// Endpoints that the model translates.
const ENDPOINTS: [u32; 3] = [0, 8, 0x100];

impl Device for Model {
    fn offered(&self) -> u64 {
        let offered = feature::INPUT_RANGE
            | feature::DOMAIN_RANGE
            | feature::MAP_UNMAP
            | feature::PROBE
            | feature::MMIO
            | feature::BYPASS_CONFIG
            | feature::VERSION_1;
        match self.mutation {
            Some(Mutation::OffersNoMapUnmap) => offered & !feature::MAP_UNMAP,
            Some(Mutation::OffersOldBypass) => offered | feature::BYPASS,
            _ => offered,
        }
    }

    fn queue_size(&self) -> usize {
        QUEUE_SIZE
    }

    fn restart(&mut self, features: u64) -> Result<(), RestartError> {
        self.events.clear();
        self.starts += 1;
        self.idle_starts += 1;
        self.needs_reset = match self.mutation {
            Some(Mutation::RecoversLate) => std::mem::replace(&mut self.late_reset, false),
            Some(Mutation::ThirdResetBreaks) => self.idle_starts == 2,
            _ => false,
        };
        if !self.is(Mutation::ResetKeepsMappings) {
            let kept = std::mem::take(&mut self.domains);
            if self.is(Mutation::ResetKeepsBypassDomains) {
                self.domains.keep_bypass_domains(kept);
            }
        }
        if !self.accepted(feature::BYPASS_CONFIG)
            && self.is(Mutation::FeatureChangesBypass)
            && self.starts > 1
        {
            self.bypass = 0;
        }
        match self.mutation {
            Some(Mutation::ResetSetsBypass) => self.bypass = 1,
            Some(Mutation::ResetClearsBypass) => self.bypass = 0,
            Some(Mutation::EventAtStart) => self.events.push_back(vec![0; 24]),
            _ => {}
        }
        if self.is(Mutation::RefusesFewFeatures) && features & feature::PROBE == 0 {
            return Err(RestartError("features are not accepted".into()));
        }
        self.features = features;
        Ok(())
    }

    fn exchange(&mut self, batch: &[Request]) -> Result<Vec<DeviceAnswer>, NoAnswer> {
        self.idle_starts = 0;
        let mut answers: Vec<Option<DeviceAnswer>> = if self.is(Mutation::BatchReversed) {
            batch.iter().rev().map(|request| self.serve(request)).collect()
        } else {
            batch.iter().map(|request| self.serve(request)).collect()
        };
        if self.is(Mutation::BatchReversed) {
            answers.reverse();
        }
        let answers: Option<Vec<DeviceAnswer>> = answers.into_iter().collect();
        let mut answers = answers.ok_or(NoAnswer { needs_reset: self.needs_reset })?;
        if self.is(Mutation::BatchLosesLast) && batch.len() == QUEUE_SIZE / 2 {
            answers.pop();
        }
        if self.is(Mutation::BatchSwapsAnswers) && batch.len() > 2 {
            answers.swap(0, 1);
        }
        Ok(answers)
    }

    fn config(&mut self) -> [u8; CONFIG_SIZE] {
        let mut bytes = [0; CONFIG_SIZE];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        let mask = if self.is(Mutation::NoPageSize) { 0 } else { !(GRANULE - 1) };
        put(0, &mask.to_le_bytes());
        let inverted = self.is(Mutation::InputRangeInverted);
        put(8, &if inverted { u64::MAX } else { 0 }.to_le_bytes());
        put(16, &if inverted { 0xffff } else { self.input_end() }.to_le_bytes());
        put(24, &u32::from(self.is(Mutation::DomainRangeInverted)).to_le_bytes());
        put(28, &if self.is(Mutation::DomainRangeInverted) { 0 } else { u32::MAX }.to_le_bytes());
        let grows = self.is(Mutation::ConfigurationChanges) && self.starts.is_multiple_of(2);
        put(32, &(PROBE_SIZE as u32 + u32::from(grows) * 4).to_le_bytes());
        put(36, &[if self.is(Mutation::PresentsOtherBypass) { 3 } else { self.bypass }]);
        bytes
    }

    fn write_bypass(&mut self, value: u8) {
        if self.is(Mutation::BypassDetaches) {
            self.domains = Domains::default();
        }
        let may_write = self.accepted(feature::BYPASS_CONFIG) || self.is(Mutation::BypassWithoutFeature);
        match self.mutation {
            Some(Mutation::BypassStuckAt0) => self.bypass = 0,
            Some(Mutation::BypassStuckAt1) => self.bypass = 1,
            Some(Mutation::BypassTakesAll) => self.bypass = value,
            Some(Mutation::BypassWithoutFeature) if !self.accepted(feature::BYPASS_CONFIG) => self.bypass = 7,
            Some(Mutation::BypassWrittenOnce) if self.bypass == 0 => {}
            _ if may_write && value <= 1 => self.bypass = value,
            _ => {}
        }
    }

    fn next_event(&mut self) -> Option<Vec<u8>> {
        self.events.pop_front()
    }
}

impl Model {
    /// Parses a request, performs it and writes the answer; `None` if it is never returned.
    fn serve(&mut self, request: &Request) -> Option<DeviceAnswer> {
        if self.needs_reset {
            return None;
        }
        let readable = self.joined(request);
        let room = if self.is(Mutation::SeesFirstWritable) {
            request.writable.first().copied().unwrap_or(0)
        } else {
            request.writable.iter().sum()
        };
        let mut bytes = vec![POISON; request.writable.iter().sum()];
        if readable.len() < 4 || room < 4 {
            return self.unparsed(&readable, bytes);
        }
        let is_probe = readable[0] == 5 && self.accepted(feature::PROBE);
        let properties = if is_probe { PROBE_SIZE } else { 0 };
        if !(1..=5).contains(&readable[0]) {
            return Some(self.of_unknown_type(bytes));
        }
        if self.is(Mutation::EventForRequest) {
            self.events.push_back(vec![0; 24]);
        }
        // The tail follows the properties, or ends a room that is too small for them.
        let tail = properties.min(room - 4);
        let mut list = vec![0; tail];
        let status = match self.head_rejected(&readable) {
            Some(status) => status,
            None if tail < properties => {
                if self.is(Mutation::ProbeFillsSmallRoom) {
                    list.fill(1);
                }
                if self.is(Mutation::ProbeAcceptsSmallRoom) { 0 } else { 4 }
            }
            None => self.perform(&readable, &mut list),
        };
        bytes[..tail].copy_from_slice(&list);
        bytes[tail..tail + 4].copy_from_slice(&[status, 0, 0, 0]);
        if self.is(Mutation::tail_filled(readable[0], status)) {
            bytes[tail + 1..tail + 4].fill(9);
        }
        if self.is(Mutation::WritesBeyondTail) && bytes.len() > tail + 4 {
            bytes[tail + 4] = 0;
        }
        let used = if self.is(Mutation::used_short(readable[0], status)) { tail + 3 } else { tail + 4 };
        if self.is(Mutation::used_long(readable[0], status)) {
            return Some(DeviceAnswer { used: used as u32 + 8, bytes });
        }
        Some(DeviceAnswer { used: used as u32, bytes })
    }

    fn joined(&self, request: &Request) -> Vec<u8> {
        if self.is(Mutation::SeesFirstReadable) {
            return request.readable.first().cloned().unwrap_or_default();
        }
        request.readable.concat()
    }

    /// The answer to a request that has no head or no tail.
    fn unparsed(&mut self, readable: &[u8], mut bytes: Vec<u8>) -> Option<DeviceAnswer> {
        if self.is(Mutation::unparsed(readable.len(), bytes.len())) {
            if bytes.is_empty() {
                self.needs_reset = true;
                return None;
            }
            bytes[0] = 4;
            return Some(DeviceAnswer { used: 1, bytes });
        }
        if self.is(Mutation::RecoversLate) {
            (self.needs_reset, self.late_reset) = (true, true);
            return None;
        }
        Some(DeviceAnswer { used: 0, bytes })
    }

    fn of_unknown_type(&self, mut bytes: Vec<u8>) -> DeviceAnswer {
        if self.is(Mutation::UnknownTypeUnsupported) {
            bytes[..4].copy_from_slice(&[2, 0, 0, 0]);
            return DeviceAnswer { used: 4, bytes };
        }
        if self.is(Mutation::UnknownTypeWritten) {
            bytes[0] = 2;
        }
        DeviceAnswer { used: 0, bytes }
    }
}

/// Which cases deviate on each variant, with one mutation.
pub(crate) fn deviations(mutation: Option<Mutation>) -> BTreeMap<&'static str, String> {
    let mut found = BTreeMap::new();
    for variant in Variant::ALL {
        let mut model = Model::new(variant, mutation);
        let results = conformance::run(&mut model, &Model::machine(), |_| true);
        for result in &results.cases {
            if let conformance::Outcome::Deviates { expected, answer } = &result.outcome {
                found.insert(result.case.id, format!("{variant:?}: expected {expected}; {answer}"));
            }
        }
    }
    found
}
