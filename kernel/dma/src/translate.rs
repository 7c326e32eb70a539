//! What an address space asks of the domain behind it.

use alloc::vec::Vec;

use addr::{Iova, Range};
use probe::{GroupDomain, Mapping, Refusal};

/// A domain in which memory can be mapped, on every IOMMU that the devices in it are behind.
///
/// It is [`GroupDomain`], or a part that stands in for it in a test.
pub trait Translate {
    /// Smallest size of a mapping in bytes: the coarsest of all IOMMUs. None if one of them is gone.
    fn granule(&self) -> Option<u64>;

    /// The addresses that can be mapped on all IOMMUs; none if there are none, or an IOMMU is gone.
    fn aperture(&self) -> Option<Range<Iova>>;

    /// Makes mappings. One result for each, in order; a refused mapping has no effect.
    fn map_all(&mut self, mappings: &[Mapping]) -> Vec<Result<(), Refusal>>;

    /// Removes the mappings in each of `ranges`. One result for each, in order. When it returns, no device reaches a
    /// range whose result is `Ok`.
    fn unmap_all(&mut self, ranges: &[Range<Iova>]) -> Vec<Result<(), Refusal>>;
}

impl Translate for GroupDomain {
    fn granule(&self) -> Option<u64> {
        Self::granule(self)
    }

    fn aperture(&self) -> Option<Range<Iova>> {
        Self::aperture(self)
    }

    fn map_all(&mut self, mappings: &[Mapping]) -> Vec<Result<(), Refusal>> {
        self.map(mappings)
    }

    fn unmap_all(&mut self, ranges: &[Range<Iova>]) -> Vec<Result<(), Refusal>> {
        self.unmap(ranges)
    }
}
