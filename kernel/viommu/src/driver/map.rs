//! MAP and UNMAP: checked and recorded here, sent while the domain exists in the device.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use addr::{EndpointId, Iova, Range};
use probe::{Prot, Refusal, RefusalCause, ReservedRegion};
use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

use crate::clock::Clock;
use crate::domain::{Mapping, Translation};
use crate::driver::Viommu;
use crate::features::Features;
use crate::request::{Failure, Request};
use crate::wire::map_flag;

impl<H: Hal, T: Transport, C: Clock> Viommu<H, T, C> {
    /// Makes mappings, with as few notifications as possible; the result of each.
    pub(crate) fn map_ranges(&mut self, id: u32, wanted: &[probe::Mapping]) -> Vec<Result<(), Refusal>> {
        let mut results = Vec::with_capacity(wanted.len());
        let mut pending = Vec::with_capacity(wanted.len());
        for (index, mapping) in wanted.iter().enumerate() {
            let mut admitted = self.admit(id, mapping);
            if admitted.is_err() && !pending.is_empty() {
                // It may only overlap a mapping that the device is going to refuse.
                self.send_pending_maps(id, &mut pending, &mut results);
                admitted = self.admit(id, mapping);
            }
            results.push(admitted.map(|mapping| pending.push((index, mapping))));
        }
        self.send_pending_maps(id, &mut pending, &mut results);
        results
    }

    /// Removes the mappings in ranges, with as few notifications as possible; the result of each range.
    ///
    /// One UNMAP per mapping, so that the state of the others is certain after a refusal.
    pub(crate) fn unmap_ranges(&mut self, id: u32, ranges: &[Range<Iova>]) -> Vec<Result<(), Refusal>> {
        let mut results = Vec::with_capacity(ranges.len());
        let mut pending = Vec::with_capacity(ranges.len());
        for (index, range) in ranges.iter().enumerate() {
            results.push(self.take_mappings(id, *range, |mapping| pending.push((index, mapping))));
        }
        let mappings: Vec<_> = pending.iter().map(|(_, mapping)| *mapping).collect();
        for ((first, mapping), outcome) in pending.iter().zip(self.send_unmaps(id, &mappings)) {
            let Err(failure) = outcome else { continue };
            // The mapping stays, so it also stays for the later ranges that contain a part of it.
            let refusal = Request::Unmap { domain: id, iova: mapping.iova }.refused(failure);
            for (result, range) in results.iter_mut().zip(ranges).skip(*first) {
                if result.is_ok() && range.overlaps(&mapping.iova) {
                    *result = Err(refusal.clone());
                }
            }
        }
        results
    }

    /// Checks a mapping and puts it into the record.
    fn admit(&mut self, id: u32, wanted: &probe::Mapping) -> Result<Mapping, Refusal> {
        let probe::Mapping { iova, phys, prot } = *wanted;
        let flags = flags_of(prot);
        let mapping = Mapping { iova, phys, flags };
        let request = Request::Map { domain: id, iova, phys, flags };
        self.check_request(&request)?;
        self.check_paging(&request, id)?;
        if let Some((cause, why)) = self.objection(id, &mapping, prot) {
            return Err(refusal(&request, cause, &why));
        }
        self.record(id, mapping);
        Ok(mapping)
    }

    /// Sends the mappings of `pending`, and puts the refusals into `results` at their indices.
    fn send_pending_maps(
        &mut self,
        id: u32,
        pending: &mut Vec<(usize, Mapping)>,
        results: &mut [Result<(), Refusal>],
    ) {
        let mappings: Vec<_> = pending.iter().map(|(_, mapping)| *mapping).collect();
        for ((index, mapping), outcome) in pending.drain(..).zip(self.send_maps(id, &mappings)) {
            results[index] = outcome.map_err(|failure| mapping.request(id).refused(failure));
        }
    }

    /// Takes the mappings in a range out of the record.
    fn take_mappings(
        &mut self,
        id: u32,
        iova: Range<Iova>,
        taken: impl FnMut(Mapping),
    ) -> Result<(), Refusal> {
        let request = Request::Unmap { domain: id, iova };
        self.check_request(&request)?;
        self.check_paging(&request, id)?;
        let Some(domain) = self.domains.get_mut(id) else { return Ok(()) };
        domain.take_inside(iova, taken).map_err(|split| {
            refusal(&request, RefusalCause::Range, &format!("would split the mapping of {}", split.iova))
        })
    }

    /// Removes mappings and makes others in their place; stops at the first failure of each step.
    pub(crate) fn replace_mappings(
        &mut self,
        id: u32,
        old: &[Mapping],
        new: &[Mapping],
    ) -> Result<(), Failure> {
        for mapping in old {
            if let Some(domain) = self.domains.get_mut(id) {
                domain.remove(mapping);
            }
        }
        self.send_unmaps(id, old).into_iter().collect::<Result<(), _>>()?;
        for mapping in new {
            self.record(id, *mapping);
        }
        self.send_maps(id, new).into_iter().collect()
    }

    fn record(&mut self, id: u32, mapping: Mapping) {
        if let Some(domain) = self.domains.get_mut(id) {
            domain.insert(mapping);
        }
    }

    /// Puts mappings from the record into the device, if the domain is live. What fails is in neither
    /// afterwards; if an answer leaves that open, one UNMAP settles it.
    pub(crate) fn send_maps(&mut self, id: u32, mappings: &[Mapping]) -> Vec<Result<(), Failure>> {
        if !self.is_live(id) {
            return vec![Ok(()); mappings.len()];
        }
        let mut outcomes = self.send_all(mappings.iter().map(|mapping| mapping.request(id)));
        for (mapping, outcome) in mappings.iter().zip(&mut outcomes) {
            let Err(failure) = outcome else { continue };
            let undo = Request::Unmap { domain: id, iova: mapping.iova };
            if failure.leaves_doubt() && self.send(undo).is_err() {
                *failure = self.lose_step();
            }
            if let Some(domain) = self.domains.get_mut(id) {
                domain.remove(mapping);
            }
        }
        outcomes
    }

    /// Takes mappings that are not in the record any more out of the device, if the domain is live. What
    /// fails is in both afterwards; if an answer leaves that open, a second UNMAP settles it.
    pub(crate) fn send_unmaps(&mut self, id: u32, mappings: &[Mapping]) -> Vec<Result<(), Failure>> {
        if !self.is_live(id) {
            return vec![Ok(()); mappings.len()];
        }
        let request = |mapping: &Mapping| Request::Unmap { domain: id, iova: mapping.iova };
        let mut outcomes = self.send_all(mappings.iter().map(request));
        for (mapping, outcome) in mappings.iter().zip(&mut outcomes) {
            // Removing a mapping that does not exist succeeds, so a second request is harmless.
            if outcome.is_err_and(Failure::leaves_doubt) {
                *outcome = self.send(request(mapping)).map_err(|_| self.lose_step());
            }
            if outcome.is_err() {
                self.record(id, *mapping);
            }
        }
        outcomes
    }

    pub(crate) fn is_live(&self, id: u32) -> bool {
        self.domains.get(id).is_some_and(|domain| domain.is_live())
    }

    /// Fails if the device is dead, so that the record does not change either.
    pub(crate) fn check_request(&self, request: &Request) -> Result<(), Refusal> {
        match self.link.death() {
            Some(death) => Err(request.refused(Failure::Dead(death))),
            None => Ok(()),
        }
    }

    fn check_paging(&self, request: &Request, id: u32) -> Result<(), Refusal> {
        match self.domains.get(id).map(|domain| domain.translation) {
            Some(Translation::Paging) => Ok(()),
            Some(_) => Err(refusal(request, RefusalCause::Invalid, "the domain is an identity domain")),
            None => Err(refusal(request, RefusalCause::NoEntry, "the domain does not exist")),
        }
    }

    /// Why a mapping is refused before a request is sent.
    fn objection(&self, id: u32, mapping: &Mapping, prot: Prot) -> Option<(RefusalCause, String)> {
        let Mapping { iova, phys, .. } = *mapping;
        let granule = self.config.granule();
        let aligned = |value: u64| value & (granule - 1) == 0;
        if !aligned(iova.start().0) || !aligned(iova.end().0.wrapping_add(1)) || !aligned(phys.0) {
            return Some((RefusalCause::Range, format!("not a multiple of the granule {granule:#x}")));
        }
        if !is_mappable(&iova) {
            return Some((RefusalCause::Range, "a mapping of one byte cannot be requested".into()));
        }
        let aperture = self.config.input_range;
        if !aperture.encloses(&iova) {
            return Some((RefusalCause::Range, format!("outside the aperture {aperture}")));
        }
        if phys.checked_add(iova.end().0 - iova.start().0).is_none() {
            return Some((RefusalCause::Range, "the physical range exceeds the address space".into()));
        }
        if !prot.read && !prot.write {
            return Some((RefusalCause::Invalid, "neither readable nor writable".into()));
        }
        if prot.mmio && !self.features().contains(Features::MMIO) {
            return Some((RefusalCause::Unsupported, "the device does not have MMIO mappings".into()));
        }
        let domain = self.domains.get(id)?;
        if let Some(other) = domain.overlapping(iova) {
            return Some((RefusalCause::Invalid, format!("overlaps the mapping of {}", other.iova)));
        }
        let (endpoint, region) = domain.members().find_map(|endpoint| {
            let region = self.device_regions(endpoint).find(|region| region.range.overlaps(&iova))?;
            Some((endpoint, region))
        })?;
        let why = format!("overlaps region {}, which is reserved for endpoint {endpoint}", region.range);
        Some((RefusalCause::Invalid, why))
    }

    /// The regions that the device has reserved for an endpoint; empty if the endpoint was not
    /// probed.
    pub(crate) fn device_regions(&self, endpoint: EndpointId) -> impl Iterator<Item = &ReservedRegion> {
        self.reserved.get(endpoint).into_iter().flatten()
    }
}

/// Whether MAP can express the range: its last address must be greater than its first (virtio 1.2,
/// section 5.13.6.5.1), also on a device whose granule is one byte.
pub(crate) fn is_mappable(iova: &Range<Iova>) -> bool {
    iova.start() < iova.end()
}

/// The refusal of a request that was not sent.
pub(crate) fn refusal(request: &Request, cause: RefusalCause, why: &str) -> Refusal {
    Refusal { cause, endpoint: request.endpoint(), detail: format!("{request}: {why}") }
}

fn flags_of(prot: Prot) -> u32 {
    let flag = |set, flag| if set { flag } else { 0 };
    flag(prot.read, map_flag::READ) | flag(prot.write, map_flag::WRITE) | flag(prot.mmio, map_flag::MMIO)
}
