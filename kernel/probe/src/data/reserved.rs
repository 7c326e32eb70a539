//! Reserved regions: addresses that a group must not use for ordinary mappings.

use alloc::vec::Vec;

use addr::{Iova, Range};

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
    /// The purpose.
    pub kind: ReservedKind,
}

/// Sorts reserved regions by start and joins those of one kind that touch or overlap, as Linux does for
/// `reserved_regions` (`iommu_insert_resv_region`).
pub(crate) fn merge_reserved(mut regions: Vec<ReservedRegion>) -> Vec<ReservedRegion> {
    regions.sort_by_key(|region| (region.range.start(), region.kind, region.range.end()));
    let mut merged: Vec<ReservedRegion> = Vec::with_capacity(regions.len());
    for region in regions {
        let touching = merged.iter_mut().rev().find(|earlier| {
            earlier.kind == region.kind && region.range.start().0 <= earlier.range.end().0.saturating_add(1)
        });
        match touching {
            Some(earlier) => earlier.range = span(earlier.range, region.range),
            None => merged.push(region),
        }
    }
    merged
}

fn span(a: Range<Iova>, b: Range<Iova>) -> Range<Iova> {
    Range::new(a.start().min(b.start()), a.end().max(b.end())).expect("both ranges are ordered")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(start: u64, end: u64, kind: ReservedKind) -> ReservedRegion {
        ReservedRegion { range: Range::new(Iova(start), Iova(end)).unwrap(), kind }
    }

    #[test]
    fn touching_regions_of_one_kind_merge_and_others_do_not() {
        use ReservedKind::{Msi, Reserved};
        let merged = merge_reserved(alloc::vec![
            region(0x3000, 0x3fff, Msi),
            region(0x1000, 0x1fff, Msi),
            region(0x2000, 0x2fff, Msi),
            region(0x4000, 0x4fff, Reserved),
            region(0x6000, 0x6fff, Reserved),
        ]);
        assert_eq!(
            merged,
            [region(0x1000, 0x3fff, Msi), region(0x4000, 0x4fff, Reserved), region(0x6000, 0x6fff, Reserved)]
        );
    }

    #[test]
    fn a_region_at_the_end_of_the_address_space_does_not_wrap() {
        let last = region(u64::MAX - 0xfff, u64::MAX, ReservedKind::Msi);
        assert_eq!(merge_reserved(alloc::vec![last, last]), [last]);
    }
}
