//! What the core asks of an IOMMU, put to the device.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use addr::{EndpointId, Iova, PhysAddr, Range};
use probe::{
    Accepted, DomainHandle, DomainKind, IommuOps, Mapping, Prot, Refusal, RefusalCause, ReservedKind,
    ReservedRegion,
};
use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

use crate::clock::Clock;
use crate::domain::Translation;
use crate::features::Features;
use crate::property;
use crate::request::Request;
use crate::wire::TAIL_SIZE;

use super::Viommu;

/// Where message signalled interrupts are mapped if the device names no region for them.
///
/// The choice of Linux's drivers: `MSI_IOVA_BASE` and `MSI_IOVA_LENGTH`.
const SOFTWARE_MSI: (Iova, Iova) = (Iova(0x0800_0000), Iova(0x080f_ffff));

impl<H: Hal, T: Transport, C: Clock> IommuOps for Viommu<H, T, C> {
    /// Sends a PROBE for every endpoint.
    ///
    /// Without the PROBE feature every endpoint is accepted and has no regions of its own: such a
    /// device reports an unknown endpoint only at ATTACH, with NOENT.
    fn probe_device(&mut self, endpoints: &[EndpointId]) -> Result<Accepted, Refusal> {
        if let Some(refusal) = self.dead_refusal("PROBE") {
            return Err(Refusal { endpoint: endpoints.first().copied(), ..refusal });
        }
        let mut accepted = Accepted::default();
        for &endpoint in endpoints {
            if self.features.contains(Features::PROBE)
                && let Err(refusal) = self.probe_endpoint(endpoint, &mut accepted.remarks)
            {
                if refusal.cause == RefusalCause::Dead {
                    return Err(refusal);
                }
                accepted.refused.push(refusal);
                continue;
            }
            accepted.endpoints.push(endpoint);
            for region in self.reserved.get(endpoint).into_iter().flatten() {
                if !accepted.reserved.contains(region) {
                    accepted.reserved.push(*region);
                }
            }
        }
        if accepted.endpoints.is_empty() {
            return Err(accepted.refused.into_iter().next().unwrap_or_else(|| Refusal {
                cause: RefusalCause::Invalid,
                endpoint: None,
                detail: "PROBE: the device has no endpoint".to_string(),
            }));
        }
        if !accepted.reserved.iter().any(|region| region.kind == ReservedKind::Msi)
            && let Some(range) = Range::new(SOFTWARE_MSI.0, SOFTWARE_MSI.1)
        {
            accepted.reserved.push(ReservedRegion { range, kind: ReservedKind::Msi });
        }
        Ok(accepted)
    }

    fn alloc_domain(&mut self, kind: DomainKind) -> Result<DomainHandle, Refusal> {
        let what = match kind {
            DomainKind::Paging => "a paging domain",
            DomainKind::Identity => "an identity domain",
        };
        if let Some(refusal) = self.dead_refusal(what) {
            return Err(refusal);
        }
        let refuse = |cause, detail| Refusal { cause, endpoint: None, detail };
        if kind == DomainKind::Identity
            && let Some(id) = self.domains.share_bypass()
        {
            return Ok(DomainHandle(id));
        }
        if let Some(why) = self.cannot_page() {
            return Err(refuse(RefusalCause::Unsupported, format!("{what}: {why}")));
        }
        let translation = match kind {
            DomainKind::Paging => Translation::Paging,
            DomainKind::Identity => Translation::MappedIdentity,
        };
        let (first, last) = self.config.domain_range;
        self.domains.create(translation).map(DomainHandle).ok_or_else(|| {
            let count = self.domains.len();
            let detail = format!("{what}: no domain ID is left in {first}..={last} ({count} domains)");
            refuse(RefusalCause::NoMemory, detail)
        })
    }

    fn free_domain(&mut self, domain: DomainHandle) {
        if let Err(why) = self.domains.release(domain.0) {
            self.remarks.push(format!("domain {} was not freed: {why}", domain.0));
        }
    }

    fn attach(&mut self, domain: DomainHandle, endpoint: EndpointId) -> Result<(), Refusal> {
        self.attach_endpoint(domain.0, endpoint)
    }

    fn detach(&mut self, domain: DomainHandle, endpoint: EndpointId) -> Result<(), Refusal> {
        self.detach_endpoint(domain.0, endpoint)
    }

    fn map(
        &mut self,
        domain: DomainHandle,
        iova: Range<Iova>,
        phys: PhysAddr,
        prot: Prot,
    ) -> Result<(), Refusal> {
        self.map_ranges(domain.0, &[Mapping { iova, phys, prot }]).pop().unwrap_or(Ok(()))
    }

    fn unmap(&mut self, domain: DomainHandle, iova: Range<Iova>) -> Result<(), Refusal> {
        self.unmap_ranges(domain.0, &[iova]).pop().unwrap_or(Ok(()))
    }

    fn map_all(&mut self, domain: DomainHandle, mappings: &[Mapping]) -> Vec<Result<(), Refusal>> {
        self.map_ranges(domain.0, mappings)
    }

    fn map_joined(&mut self, domain: DomainHandle, mappings: &[Mapping]) -> Vec<Result<(), Refusal>> {
        self.map_joined_ranges(domain.0, mappings)
    }

    fn unmap_all(&mut self, domain: DomainHandle, ranges: &[Range<Iova>]) -> Vec<Result<(), Refusal>> {
        self.unmap_ranges(domain.0, ranges)
    }

    fn aperture(&self) -> Range<Iova> {
        self.config.input_range
    }

    fn granule(&self) -> u64 {
        self.config.granule()
    }

    /// Linux's driver has it since it implements `flush_iotlb_all`.
    fn deferred_flush(&self) -> bool {
        true
    }
}

impl<H: Hal, T: Transport, C: Clock> Viommu<H, T, C> {
    /// Probes one endpoint; adds deviations to `remarks`.
    fn probe_endpoint(&mut self, endpoint: EndpointId, remarks: &mut Vec<String>) -> Result<(), Refusal> {
        let request = Request::Probe { endpoint };
        let size = self.config.probe_size as usize;
        let mut answer = vec![0; size + TAIL_SIZE];
        // An endpoint that the device refuses now loses the regions of an earlier PROBE.
        self.reserved.remove(endpoint);
        self.send_for(request, &mut answer).map_err(|failure| request.refused(failure))?;
        let properties = property::parse(answer.get(..size).unwrap_or_default());
        remarks.extend(properties.remarks.into_iter().map(|remark| format!("endpoint {endpoint}: {remark}")));
        self.reserved.insert(endpoint, properties.reserved);
        Ok(())
    }

    /// Why paging domains are refused, if they are.
    fn cannot_page(&self) -> Option<String> {
        let (granule, limit) = (self.config.granule(), self.largest_granule?);
        (granule > limit)
            .then(|| format!("the granule is {granule:#x} bytes, larger than the CPU page of {limit:#x}"))
    }

    fn dead_refusal(&self, what: &str) -> Option<Refusal> {
        let death = self.link.death()?;
        Some(Refusal { cause: RefusalCause::Dead, endpoint: None, detail: format!("{what}: {death}") })
    }
}
