//! Identity by mappings, for a device that cannot bypass a domain.

use alloc::vec::Vec;

use addr::{Iova, Range};

/// The parts of `aperture` that lie outside of every reserved region, in whole granules.
///
/// Linux does the same in `viommu_domain_map_identity`. A reserved region takes every granule that
/// it touches; the ends of the aperture lose what is not a whole granule.
pub(crate) fn extents(
    aperture: Range<Iova>,
    reserved: impl IntoIterator<Item = Range<Iova>>,
    granule: u64,
) -> Vec<Range<Iova>> {
    let low_bits = granule - 1;
    let mut holes: Vec<(u64, u64)> = reserved
        .into_iter()
        .map(|region| (region.start().0 & !low_bits, region.end().0 | low_bits))
        .collect();
    holes.sort_unstable();

    let mut extents = Vec::new();
    let mut push = |start: u64, end: u64| {
        extents.extend(Range::new(Iova(start), Iova(end)));
    };
    // First address not yet decided; `None` when the walk has passed the end of the address space.
    let mut next = aperture.start().0.checked_add(low_bits).map(|start| start & !low_bits);
    // Last address of the last whole granule; `None` if the first granule is not whole.
    let last = match aperture.end().0 {
        u64::MAX => Some(u64::MAX),
        end => ((end + 1) & !low_bits).checked_sub(1),
    };
    let Some(last) = last else { return extents };
    for (start, end) in holes {
        let Some(from) = next else { break };
        if start > from {
            push(from, last.min(start - 1));
        }
        if end >= from {
            next = end.checked_add(1);
        }
    }
    if let Some(from) = next {
        push(from, last);
    }
    extents
}
