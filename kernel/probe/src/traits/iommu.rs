//! What the core asks of an IOMMU instance.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use addr::{EndpointId, Iova, PhysAddr, Range};

use crate::data::domain::{DomainKind, Mapping, Prot};
use crate::data::id::DomainHandle;
use crate::data::refusal::{Accepted, Refusal};

/// An instance that the core shares with its driver, which keeps it for what the core does not ask: faults, registers.
///
/// It is borrowed for one call at a time, never across a call of a driver.
pub type SharedIommu = Rc<RefCell<dyn IommuOps>>;

/// One IOMMU instance, driven.
///
/// Every method returns within a bounded time. After [`RefusalCause::Dead`](crate::RefusalCause::Dead) all fail the same way.
pub trait IommuOps {
    /// Asks about each of `endpoints` (given without duplicates) and accepts the device if at least
    /// one of them is known.
    ///
    /// # Errors
    ///
    /// The refusal of the first endpoint, if every one is refused.
    fn probe_device(&mut self, endpoints: &[EndpointId]) -> Result<Accepted, Refusal>;

    /// Makes a domain. It costs nothing on the device until the first endpoint is attached.
    ///
    /// # Errors
    ///
    /// No domain ID is left, or the instance cannot do this kind.
    fn alloc_domain(&mut self, kind: DomainKind) -> Result<DomainHandle, Refusal>;

    /// Ends a domain that no endpoint is attached to any more.
    fn free_domain(&mut self, domain: DomainHandle);

    /// Attaches one endpoint; one attached elsewhere moves.
    ///
    /// # Errors
    ///
    /// The instance refuses; the endpoint stays where it was.
    fn attach(&mut self, domain: DomainHandle, endpoint: EndpointId) -> Result<(), Refusal>;

    /// Detaches one endpoint.
    ///
    /// # Errors
    ///
    /// The instance refuses, which it may not if the endpoint was attached.
    fn detach(&mut self, domain: DomainHandle, endpoint: EndpointId) -> Result<(), Refusal>;

    /// Maps `iova` to the physical range of the same size that begins at `phys`.
    ///
    /// # Errors
    ///
    /// Misaligned, outside of the aperture, overlapping, or refused by the device.
    fn map(
        &mut self,
        domain: DomainHandle,
        iova: Range<Iova>,
        phys: PhysAddr,
        prot: Prot,
    ) -> Result<(), Refusal>;

    /// Removes the mappings in `iova`; they must lie in it as a whole.
    ///
    /// # Errors
    ///
    /// A mapping would be split, or the device refuses.
    fn unmap(&mut self, domain: DomainHandle, iova: Range<Iova>) -> Result<(), Refusal>;

    /// Makes several mappings, with as few notifications of the device as it can. One result for each, in order; a refusal
    /// does not keep the others from being made.
    fn map_all(&mut self, domain: DomainHandle, mappings: &[Mapping]) -> Vec<Result<(), Refusal>> {
        mappings.iter().map(|Mapping { iova, phys, prot }| self.map(domain, *iova, *phys, *prot)).collect()
    }

    /// Makes several mappings as [`map_all`](Self::map_all) does, but those that continue each other
    /// ([`Mapping::continues`]) as one (Linux: `iommu_map_sg`). It is removed as a whole. If the device refuses it, they
    /// are made one by one.
    fn map_joined(&mut self, domain: DomainHandle, mappings: &[Mapping]) -> Vec<Result<(), Refusal>> {
        self.map_all(domain, mappings)
    }

    /// Removes the mappings in several ranges, with as few requests as it can. One result for each, in order. Ranges that
    /// continue each other may together contain a mapping that none contains as a whole.
    fn unmap_all(&mut self, domain: DomainHandle, ranges: &[Range<Iova>]) -> Vec<Result<(), Refusal>> {
        ranges.iter().map(|iova| self.unmap(domain, *iova)).collect()
    }

    /// The addresses that mappings may have (Linux: `iommu_domain_geometry`; virtio 1.2, section 5.13.4: `input_range`).
    fn aperture(&self) -> Range<Iova>;

    /// Smallest size of a mapping in bytes, a power of two: mappings begin and end at multiples of it.
    fn granule(&self) -> u64;

    /// Whether a paging domain may flush its invalidations late (Linux: `IOMMU_CAP_DEFERRED_FLUSH`).
    fn deferred_flush(&self) -> bool;
}
