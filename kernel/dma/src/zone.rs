//! The addresses that have the same highest bit, on a buddy allocator.

use buddy_system_allocator::FrameAllocator;

use crate::limits::IovaLimits;

/// Number of block sizes: the largest block has as many units as there are in half of the address space.
const ORDERS: usize = (u64::BITS - ALLOCATION_UNIT_BITS) as usize;

const ALLOCATION_UNIT_BITS: u32 = crate::limits::ALLOCATION_UNIT.trailing_zeros();

// Numbers of units are the allocator's `usize`.
const _: () = assert!(usize::BITS == u64::BITS);

/// The addresses from 2^n to 2^(n+1) - 1. A device whose mask has n + 1 bits reaches all of them.
///
/// The allocator hands out the lowest block that fits. Its numbers therefore count down from the
/// end of the zone: address and number are aligned alike, as the zone's length is a power of two.
pub(crate) struct Zone {
    blocks: FrameAllocator<ORDERS>,
    /// Number of the unit behind the zone.
    end: u64,
}

impl Zone {
    /// The free addresses from 2^`exponent` on. Address 0 is not in any zone.
    pub(crate) fn new(exponent: u32, limits: &IovaLimits) -> Self {
        let first = (1 << exponent) / limits.unit();
        let end = first * 2;
        let mut blocks = FrameAllocator::new();
        for (from, to) in limits.free_between(first, end - 1) {
            blocks.insert((end - 1 - to) as usize..(end - from) as usize);
        }
        Self { blocks, end }
    }

    /// Takes the highest free block of at least `units` units; returns its first unit.
    pub(crate) fn take(&mut self, units: u64) -> Option<u64> {
        let size = units.checked_next_power_of_two()?;
        if size >= 1 << ORDERS {
            return None;
        }
        self.blocks.alloc(size as usize).map(|number| self.end - number as u64 - size)
    }

    /// Gives back the block that [`take`](Self::take) returned for the same number of units.
    pub(crate) fn put_back(&mut self, first: u64, units: u64) {
        let size = units.next_power_of_two();
        self.blocks.dealloc((self.end - first - size) as usize, size as usize);
    }
}
