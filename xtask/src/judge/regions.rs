//! Reserved regions as numbers, so that the way of writing them does not matter.

use std::collections::BTreeSet;

use report::ReservedRegion;

use super::words::{number, set};

/// A reserved region as numbers, so that the way of writing them does not matter.
pub(crate) type Region = (u64, u64, String);

pub(crate) fn region(region: &ReservedRegion) -> Option<Region> {
    Some((number(&region.start)?, number(&region.end)?, region.kind.clone()))
}

/// A line of Linux's `reserved_regions`.
pub(crate) fn linux_region(line: &str) -> Option<Region> {
    let mut words = line.split_whitespace();
    let region = (number(words.next()?)?, number(words.next()?)?, words.next()?.to_owned());
    words.next().is_none().then_some(region)
}

/// A region inside of another of its kind is listed as a part of that one (Linux: `iommu_insert_resv_region`).
pub(super) fn without_enclosed(regions: BTreeSet<Region>) -> BTreeSet<Region> {
    let all = regions.clone();
    let encloses = |outer: &Region, inner: &Region| {
        outer != inner && outer.2 == inner.2 && outer.0 <= inner.0 && inner.1 <= outer.1
    };
    regions.into_iter().filter(|inner| !all.iter().any(|outer| encloses(outer, inner))).collect()
}

pub(crate) fn regions_in_words(regions: &BTreeSet<Region>) -> String {
    set(regions.iter().map(|(start, end, kind)| format!("{kind} {start:#x}-{end:#x}")).collect::<Vec<_>>())
}
