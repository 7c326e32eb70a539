//! The domain of a group, as it is or with a defect that a mutation puts in.

use alloc::vec;
use alloc::vec::Vec;

use addr::{Iova, Range};
use dma::Translate;
use probe::{GroupDomain, Mapping, Refusal};

use super::mutation::Mutation;

/// The domain of a group.
#[derive(Clone)]
pub(crate) struct Domain {
    group: GroupDomain,
    /// Addresses that lead to registers before they lead to the IOMMU.
    windows: Vec<Range<Iova>>,
    mutation: Option<Mutation>,
}

impl Domain {
    /// The domain with a defect, or as it is.
    pub(crate) fn new(group: GroupDomain, windows: Vec<Range<Iova>>, mutation: Option<Mutation>) -> Self {
        Self { group, windows, mutation }
    }

    /// The addresses that must not be handed out.
    pub(crate) fn reserved(&self) -> Vec<Range<Iova>> {
        if self.mutation == Some(Mutation::HandOutReserved) {
            return Vec::new();
        }
        let regions = self.group.reserved().iter().map(|region| region.range);
        regions.chain(self.windows.iter().copied()).collect()
    }
}

impl Translate for Domain {
    fn granule(&self) -> Option<u64> {
        self.group.granule()
    }

    fn aperture(&self) -> Option<Range<Iova>> {
        self.group.aperture()
    }

    fn map_all(&mut self, mappings: &[Mapping]) -> Vec<Result<(), Refusal>> {
        match self.mutation {
            Some(Mutation::MapTooMuch) => {
                let longer: Vec<Mapping> = mappings.iter().map(|one| self.longer(*one)).collect();
                self.group.map(&longer)
            }
            _ => self.group.map(mappings),
        }
    }

    fn unmap_all(&mut self, ranges: &[Range<Iova>]) -> Vec<Result<(), Refusal>> {
        match self.mutation {
            Some(Mutation::SkipUnmap) => vec![Ok(()); ranges.len()],
            _ => self.group.unmap(ranges),
        }
    }
}

impl Domain {
    /// The mapping with one unit more, if the address space has one.
    fn longer(&self, mapping: Mapping) -> Mapping {
        let unit = self.group.granule().unwrap_or(1);
        let end = Iova(mapping.iova.end().0.saturating_add(unit));
        Mapping { iova: Range::new(mapping.iova.start(), end).unwrap_or(mapping.iova), ..mapping }
    }
}
