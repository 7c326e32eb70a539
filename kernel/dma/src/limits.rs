//! The addresses that a group's allocator may hand out.

use alloc::vec::Vec;

use addr::{Iova, Range};

/// Smallest unit of allocation in bytes, the CPU's page: an IOMMU with a finer granule gains nothing from
/// smaller mappings, as drivers share pages.
pub const ALLOCATION_UNIT: u64 = 4096;

/// The addresses that a group's allocator may hand out: whole units of the aperture, without the reserved regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IovaLimits {
    /// In units, both ends included.
    aperture: Option<(u64, u64)>,
    /// In units, both ends included; each reserved region touches all of its units.
    reserved: Vec<(u64, u64)>,
    unit: u64,
}

/// Why a set of limits cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// The granule is not a power of two.
    #[error("granule {0:#x} is not a power of two")]
    Granule(u64),
}

impl IovaLimits {
    /// The addresses of `aperture` that are not in `reserved`, in units of `granule` or
    /// [`ALLOCATION_UNIT`], whichever is larger.
    ///
    /// # Errors
    ///
    /// The granule is not a power of two.
    pub fn new(
        aperture: Range<Iova>,
        granule: u64,
        reserved: impl IntoIterator<Item = Range<Iova>>,
    ) -> Result<Self, LimitsError> {
        if !granule.is_power_of_two() {
            return Err(LimitsError::Granule(granule));
        }
        let unit = granule.max(ALLOCATION_UNIT);
        let touched = |range: Range<Iova>| (range.start().0 / unit, range.end().0 / unit);
        Ok(Self {
            aperture: whole_units(aperture, unit),
            reserved: reserved.into_iter().map(touched).collect(),
            unit,
        })
    }

    /// The size in bytes of which every allocation is a multiple, a power of two.
    #[must_use]
    pub fn unit(&self) -> u64 {
        self.unit
    }

    /// The free units from `first` to `last`, in ascending order; both ends of each piece are included.
    pub(crate) fn free_between(&self, first: u64, last: u64) -> Vec<(u64, u64)> {
        let mut free = Vec::new();
        let Some((lowest, highest)) = self.aperture else { return free };
        let (mut next, last) = (first.max(lowest), last.min(highest));
        while next <= last {
            // The first reserved region that ends at `next` or behind it bounds the free piece, or covers its start.
            let ahead = self.reserved.iter().filter(|region| region.1 >= next && region.0 <= last);
            let Some(&(from, to)) = ahead.min_by_key(|region| region.0) else {
                free.push((next, last));
                break;
            };
            if from > next {
                free.push((next, from - 1));
            }
            next = to + 1;
        }
        free
    }
}

/// The units that lie inside of a range as a whole.
fn whole_units(range: Range<Iova>, unit: u64) -> Option<(u64, u64)> {
    let first = range.start().0.div_ceil(unit);
    let last = match range.end().0.checked_add(1) {
        Some(end) => (end / unit).checked_sub(1)?,
        None => u64::MAX / unit,
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64) -> Range<Iova> {
        Range::new(Iova(start), Iova(end)).unwrap()
    }

    #[test]
    fn an_aperture_counts_whole_units_and_a_reserved_region_all_that_it_touches() {
        let limits = IovaLimits::new(range(0x1001, 0x9ffe), 0x1000, [range(0x4fff, 0x5000)]).unwrap();
        assert_eq!(limits.free_between(0, u64::MAX), [(2, 3), (6, 8)]);
        assert_eq!(limits.free_between(3, 6), [(3, 3), (6, 6)]);
    }

    #[test]
    fn reserved_regions_may_overlap_and_lie_in_any_order() {
        let reserved = [range(0x6000, 0x6fff), range(0x2000, 0x5fff), range(0x3000, 0x3fff)];
        let limits = IovaLimits::new(range(0x1000, 0x8fff), 0x1000, reserved).unwrap();
        assert_eq!(limits.free_between(0, u64::MAX), [(1, 1), (7, 8)]);
    }

    #[test]
    fn the_last_unit_of_the_address_space_counts() {
        let limits = IovaLimits::new(range(0, u64::MAX), 0x1_0000, []).unwrap();
        assert_eq!(limits.free_between(1, u64::MAX), [(1, u64::MAX >> 16)]);
    }

    #[test]
    fn an_aperture_smaller_than_a_unit_is_empty_and_an_odd_granule_is_an_error() {
        let small = IovaLimits::new(range(0x1000, 0x2fff), 0x1_0000, []).unwrap();
        assert_eq!(small.free_between(0, u64::MAX), []);
        assert_eq!(IovaLimits::new(range(0, 0xffff), 0x1800, []), Err(LimitsError::Granule(0x1800)));
        assert_eq!(IovaLimits::new(range(0, 0xffff), 0, []), Err(LimitsError::Granule(0)));
    }
}
