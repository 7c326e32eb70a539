//! What an address space asks of the domain behind it.

use alloc::vec::Vec;

use addr::{Iova, PhysAddr, Range};
use probe::{Prot, Refusal};

/// One mapping to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapRequest {
    /// The addresses for the device.
    pub iova: Range<Iova>,
    /// Where they lead to.
    pub phys: PhysAddr,
    /// The accesses that are allowed.
    pub prot: Prot,
}

/// The domain of a group, on every IOMMU that its members are behind.
pub trait Translate {
    /// Smallest size of a mapping in bytes, a power of two: the coarsest of all IOMMUs.
    fn granule(&self) -> u64;

    /// The addresses that can be mapped on all IOMMUs.
    fn aperture(&self) -> Range<Iova>;

    /// Maps everything in `requests`; one answer for each, in order. A refused request has no effect.
    fn map_all(&mut self, requests: &[MapRequest]) -> Vec<Result<(), Refusal>>;

    /// Removes the mappings in each of `ranges`; one answer for each, in order. If it returns, no device reaches a
    /// range whose answer is `Ok`.
    fn unmap_all(&mut self, ranges: &[Range<Iova>]) -> Vec<Result<(), Refusal>>;
}
