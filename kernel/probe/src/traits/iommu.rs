//! What the core asks of an IOMMU instance.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;

use addr::{EndpointId, Iova, PhysAddr, Range};

/// A domain of one instance: one set of translations that endpoints are attached to.
///
/// Given out by [`IommuOps::alloc_domain`]; the number is the instance's own domain ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainHandle(pub u32);

/// What an endpoint that is attached to a domain can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DomainKind {
    /// What has been mapped, and nothing else. An empty one blocks every access.
    Paging,
    /// Everything, untranslated.
    Identity,
}

/// What a mapping allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prot {
    /// The device may read.
    pub read: bool,
    /// The device may write.
    pub write: bool,
    /// The target is a device's window, not RAM.
    pub mmio: bool,
}

/// Kind of a reserved region, in the words of Linux's `reserved_regions` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReservedKind {
    /// Must be mapped one to one (firmware uses it).
    Direct,
    /// Must not be used for mappings.
    Reserved,
    /// A doorbell for message signalled interrupts, of hardware or chosen by software.
    Msi,
}

/// I/O virtual addresses that a group must not hand out for ordinary mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReservedRegion {
    /// The addresses, both ends included.
    pub range: Range<Iova>,
    /// What for.
    pub kind: ReservedKind,
}

/// Which rule of the instance a request broke. The names follow virtio 1.2, section 5.13.6.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalCause {
    /// The instance does not know the endpoint (or the domain).
    NoEntry,
    /// The request is invalid.
    Invalid,
    /// A value is out of the instance's range.
    Range,
    /// The instance does not support this.
    Unsupported,
    /// The instance is out of resources.
    NoMemory,
    /// The instance could not read or write the request, or failed in another way.
    Io,
    /// The instance did not answer in time; nothing more will be asked of it.
    Dead,
}

impl fmt::Display for RefusalCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEntry => "NOENT",
            Self::Invalid => "INVAL",
            Self::Range => "RANGE",
            Self::Unsupported => "UNSUPP",
            Self::NoMemory => "NOMEM",
            Self::Io => "IOERR",
            Self::Dead => "no answer",
        })
    }
}

/// An IOMMU said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which rule, in a form that can be compared.
    pub cause: RefusalCause,
    /// Which endpoint, where one was concerned.
    pub endpoint: Option<EndpointId>,
    /// What was asked and what was answered, for people: `PROBE of endpoint 0x208: NOENT`.
    pub detail: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// What an instance says of a device that it accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The endpoints that it knows; never empty.
    pub endpoints: Vec<EndpointId>,
    /// The endpoints that firmware names and the instance does not know, with its words.
    pub refused: Vec<Refusal>,
    /// The device's reserved regions, of all its endpoints, in the order reported.
    pub reserved: Vec<ReservedRegion>,
    /// What is odd in the instance's answers but costs nothing (a malformed property, say).
    pub remarks: Vec<String>,
}

/// One IOMMU instance, driven.
///
/// Every method returns within a bounded time. After [`RefusalCause::Dead`] all fail the same way.
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

    /// A copy, for a machine that can be taken apart into several ([`Core::fork`](crate::Core::fork)).
    fn fork(&self) -> Option<Box<dyn IommuOps>> {
        None
    }
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
