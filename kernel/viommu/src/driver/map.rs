//! MAP and UNMAP: checked and recorded here, sent while the domain exists in the device.

use alloc::format;
use alloc::string::String;

use addr::{EndpointId, Iova, PhysAddr, Range};
use probe::{Prot, Refusal, RefusalCause, ReservedRegion};
use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

use crate::clock::Clock;
use crate::death::Death;
use crate::domain::{Mapping, Translation};
use crate::driver::Viommu;
use crate::features::Features;
use crate::request::{Failure, Request};
use crate::wire::map_flag;

impl<H: Hal, T: Transport, C: Clock> Viommu<H, T, C> {
    pub(crate) fn map_range(
        &mut self,
        id: u32,
        iova: Range<Iova>,
        phys: PhysAddr,
        prot: Prot,
    ) -> Result<(), Refusal> {
        let flags = flags_of(prot);
        let mapping = Mapping { iova, phys, flags };
        let request = Request::Map { domain: id, iova, phys, flags };
        self.check_request(&request)?;
        self.check_paging(&request, id)?;
        if let Some((cause, why)) = self.objection(id, &mapping, prot) {
            return Err(refusal(&request, cause, &why));
        }
        self.add_mapping(id, mapping).map_err(|failure| request.refused(failure))
    }

    pub(crate) fn unmap_range(&mut self, id: u32, iova: Range<Iova>) -> Result<(), Refusal> {
        let request = Request::Unmap { domain: id, iova };
        self.check_request(&request)?;
        self.check_paging(&request, id)?;
        let inside = self.domains.get(id).map(|domain| domain.overlapping(iova)).unwrap_or_default();
        if let Some(split) = inside.iter().find(|mapping| !iova.encloses(&mapping.iova)) {
            let why = format!("would split the mapping of {}", split.iova);
            return Err(refusal(&request, RefusalCause::Range, &why));
        }
        for mapping in inside {
            self.drop_mapping(id, mapping).map_err(|failure| request.refused(failure))?;
        }
        Ok(())
    }

    /// Puts a mapping into the record and, if the domain is live, into the device: both or neither.
    pub(crate) fn add_mapping(&mut self, id: u32, mapping: Mapping) -> Result<(), Failure> {
        if self.is_live(id) {
            self.send_map(id, mapping)?;
        }
        if let Some(domain) = self.domains.get_mut(id) {
            domain.insert(mapping);
        }
        Ok(())
    }

    /// Sends MAP; if the answer leaves the result open, removes the mapping.
    pub(crate) fn send_map(&mut self, id: u32, mapping: Mapping) -> Result<(), Failure> {
        let Mapping { iova, phys, flags } = mapping;
        self.send(Request::Map { domain: id, iova, phys, flags }).map_err(|failure| {
            if failure.leaves_doubt() && self.send(Request::Unmap { domain: id, iova }).is_err() {
                return Failure::Dead(self.link.die(Death::OutOfStep));
            }
            failure
        })
    }

    /// Takes a mapping out of the device, if the domain is live, and out of the record: both or neither.
    ///
    /// One UNMAP per mapping, so that the state of the others is certain after a refusal.
    pub(crate) fn drop_mapping(&mut self, id: u32, mapping: Mapping) -> Result<(), Failure> {
        if self.is_live(id) {
            let request = Request::Unmap { domain: id, iova: mapping.iova };
            match self.send(request) {
                // Removing a mapping that does not exist succeeds, so a second request is harmless.
                Err(failure) if failure.leaves_doubt() => {
                    self.send(request).map_err(|_| Failure::Dead(self.link.die(Death::OutOfStep)))?;
                }
                outcome => outcome?,
            }
        }
        if let Some(domain) = self.domains.get_mut(id) {
            domain.remove(&mapping);
        }
        Ok(())
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
        if let Some(other) = domain.overlapping(iova).first() {
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

/// The refusal of a request that was not sent.
pub(crate) fn refusal(request: &Request, cause: RefusalCause, why: &str) -> Refusal {
    Refusal { cause, endpoint: request.endpoint(), detail: format!("{request}: {why}") }
}

fn flags_of(prot: Prot) -> u32 {
    let flag = |set, flag| if set { flag } else { 0 };
    flag(prot.read, map_flag::READ) | flag(prot.write, map_flag::WRITE) | flag(prot.mmio, map_flag::MMIO)
}
