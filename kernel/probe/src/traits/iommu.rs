//! What the core asks of an IOMMU instance.

use alloc::rc::Rc;
use core::cell::RefCell;

use addr::{EndpointId, Iova, PhysAddr, Range};

use crate::data::domain::{DomainKind, Prot};
use crate::data::id::DomainHandle;
use crate::data::refusal::{Accepted, Refusal};

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

    /// Smallest size of a mapping in bytes, a power of two: mappings begin and end at multiples of it.
    fn granule(&self) -> u64;

    /// Whether a paging domain may flush its invalidations late (Linux: `IOMMU_CAP_DEFERRED_FLUSH`).
    fn deferred_flush(&self) -> bool;
}

/// An instance that its driver also keeps hold of, for what the core does not ask: faults, registers.
impl<T: IommuOps> IommuOps for Rc<RefCell<T>> {
    fn probe_device(&mut self, endpoints: &[EndpointId]) -> Result<Accepted, Refusal> {
        self.borrow_mut().probe_device(endpoints)
    }

    fn alloc_domain(&mut self, kind: DomainKind) -> Result<DomainHandle, Refusal> {
        self.borrow_mut().alloc_domain(kind)
    }

    fn free_domain(&mut self, domain: DomainHandle) {
        self.borrow_mut().free_domain(domain);
    }

    fn attach(&mut self, domain: DomainHandle, endpoint: EndpointId) -> Result<(), Refusal> {
        self.borrow_mut().attach(domain, endpoint)
    }

    fn detach(&mut self, domain: DomainHandle, endpoint: EndpointId) -> Result<(), Refusal> {
        self.borrow_mut().detach(domain, endpoint)
    }

    fn map(
        &mut self,
        domain: DomainHandle,
        iova: Range<Iova>,
        phys: PhysAddr,
        prot: Prot,
    ) -> Result<(), Refusal> {
        self.borrow_mut().map(domain, iova, phys, prot)
    }

    fn unmap(&mut self, domain: DomainHandle, iova: Range<Iova>) -> Result<(), Refusal> {
        self.borrow_mut().unmap(domain, iova)
    }

    fn granule(&self) -> u64 {
        self.borrow().granule()
    }

    fn deferred_flush(&self) -> bool {
        self.borrow().deferred_flush()
    }
}
