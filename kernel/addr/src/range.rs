//! Ranges that name their last address, so that the last byte of an address space can be in one.

use core::fmt;

/// A range of addresses, both ends included; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range<A> {
    start: A,
    end: A,
}

impl<A: Copy + Ord> Range<A> {
    /// The range from `start` to `end`, both included, or `None` if `end` lies before `start`.
    pub fn new(start: A, end: A) -> Option<Self> {
        (start <= end).then_some(Self { start, end })
    }

    /// First address.
    pub fn start(&self) -> A {
        self.start
    }

    /// Last address.
    pub fn end(&self) -> A {
        self.end
    }

    /// Whether `address` lies in the range.
    pub fn contains(&self, address: A) -> bool {
        self.start <= address && address <= self.end
    }

    /// Whether all of `other` lies in this range.
    pub fn encloses(&self, other: &Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether the two ranges share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }
}

impl<A: Copy + Ord + From<u64> + Into<u64>> Range<A> {
    /// The range of `bytes` bytes from `start`, or `None` if that is empty or leaves the address space.
    pub fn from_size(start: A, bytes: u64) -> Option<Self> {
        let last = start.into().checked_add(bytes.checked_sub(1)?)?;
        Some(Self { start, end: A::from(last) })
    }

    /// Length in bytes; saturates for the whole 64-bit space, whose length does not fit.
    pub fn size(&self) -> u64 {
        (self.end.into() - self.start.into()).saturating_add(1)
    }
}

impl<A: fmt::Display> fmt::Display for Range<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::Range;
    use crate::PhysAddr;

    #[test]
    fn a_range_may_end_at_the_last_address_but_not_beyond() {
        let last_page = Range::from_size(PhysAddr(u64::MAX - 0xfff), 0x1000).unwrap();
        assert_eq!(last_page.end(), PhysAddr(u64::MAX));
        assert_eq!(last_page.size(), 0x1000);
        assert_eq!(Range::from_size(PhysAddr(u64::MAX - 0xfff), 0x1001), None);
    }

    #[test]
    fn an_empty_range_cannot_be_made() {
        assert_eq!(Range::from_size(PhysAddr(0x1000), 0), None);
        assert_eq!(Range::new(PhysAddr(2), PhysAddr(1)), None);
    }

    #[test]
    fn neighbours_do_not_overlap_and_a_shared_address_does() {
        let low = Range::new(PhysAddr(0), PhysAddr(0xfff)).unwrap();
        let next = Range::new(PhysAddr(0x1000), PhysAddr(0x1fff)).unwrap();
        let across = Range::new(PhysAddr(0xfff), PhysAddr(0x1000)).unwrap();
        assert!(!low.overlaps(&next));
        assert!(low.overlaps(&across) && across.overlaps(&next));
        assert!(!low.encloses(&across));
    }

    #[test]
    fn the_whole_address_space_has_a_saturated_size() {
        let all = Range::new(PhysAddr(0), PhysAddr(u64::MAX)).unwrap();
        assert_eq!(all.size(), u64::MAX);
    }
}
