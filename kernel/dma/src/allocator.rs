//! Allocation of I/O virtual addresses.
//!
//! Each zone is a [`FrameAllocator`](buddy_system_allocator::FrameAllocator): every operation takes logarithmic time,
//! a block is aligned to its size, which is what Linux's drivers expect (`size_aligned` of
//! `alloc_iova`), and the crate is the heap's allocator already. Other crates do not fit:
//! `range-alloc` 0.1.5 and `offset-allocator` 0.2.0 need std, the second one has 32-bit addresses,
//! and `vm-allocator` 0.1.4 cannot limit an allocation to a device's mask.

use alloc::collections::BTreeMap;

use addr::{Iova, Range};

use crate::limits::IovaLimits;
use crate::mask::DmaMask;
use crate::zone::Zone;

/// Maximum number of allocations at the same time: far more than the clients of one group need.
pub const MAX_ALLOCATIONS: usize = 1 << 16;

/// Devices get addresses with at most this many bits, unless none is free (Linux: `iommu_dma_alloc_iova`
/// tries 32 bits first, as some PCI devices and bridges fail with more).
const PREFERRED_BITS: u32 = 32;

/// Why no address can be allocated or freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IovaError {
    /// Nothing was asked for.
    #[error("an allocation of 0 bytes")]
    Empty,
    /// No free block is large enough.
    #[error("no {bytes:#x} bytes are free in the aperture below {}", Iova(mask.last_address()))]
    Exhausted {
        /// The size.
        bytes: u64,
        /// What the device can reach.
        mask: DmaMask,
    },
    /// There are [`MAX_ALLOCATIONS`].
    #[error("the limit of {MAX_ALLOCATIONS} allocations is reached")]
    TooMany,
    /// No allocation begins and ends there.
    #[error("{0} is not allocated")]
    NotAllocated(Range<Iova>),
}

/// The I/O virtual addresses of one group.
///
/// Allocations are high addresses first, so that an address in use rarely equals the physical
/// address, and never contain address 0, which `virtio-drivers` and many devices take for none.
pub struct IovaAllocator {
    limits: IovaLimits,
    /// By the exponent of their first address. A zone is only made when it is needed.
    zones: BTreeMap<u32, Zone>,
    /// Allocations: first address and number of units.
    taken: BTreeMap<Iova, u64>,
}

impl IovaAllocator {
    /// All of `limits` is free.
    #[must_use]
    pub fn new(limits: IovaLimits) -> Self {
        Self { limits, zones: BTreeMap::new(), taken: BTreeMap::new() }
    }

    /// An allocator with the same limits and no allocation.
    #[must_use]
    pub fn unused(&self) -> Self {
        Self::new(self.limits.clone())
    }

    /// The size in bytes of which every allocation is a multiple.
    #[must_use]
    pub fn unit(&self) -> u64 {
        self.limits.unit()
    }

    /// Number of allocations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// Whether nothing is allocated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// Allocates `bytes` bytes, rounded up to whole units, that a device with `mask` can reach.
    ///
    /// The range is aligned to the next power of two of its size.
    ///
    /// # Errors
    ///
    /// See [`IovaError`].
    pub fn alloc(&mut self, bytes: u64, mask: DmaMask) -> Result<Range<Iova>, IovaError> {
        if bytes == 0 {
            return Err(IovaError::Empty);
        }
        if self.taken.len() >= MAX_ALLOCATIONS {
            return Err(IovaError::TooMany);
        }
        let unit = self.limits.unit();
        let units = bytes.div_ceil(unit);
        for exponent in zones_of(mask, unit) {
            let zone = self.zones.entry(exponent).or_insert_with(|| Zone::new(exponent, &self.limits));
            if let Some(first) = zone.take(units) {
                let start = Iova(first * unit);
                self.taken.insert(start, units);
                return Ok(Range::from_size(start, units * unit).expect("a block lies in its zone"));
            }
        }
        Err(IovaError::Exhausted { bytes, mask })
    }

    /// Frees an allocation as a whole.
    ///
    /// # Errors
    ///
    /// There is no such allocation; nothing is freed.
    pub fn free(&mut self, range: Range<Iova>) -> Result<(), IovaError> {
        let unit = self.limits.unit();
        let exponent = range.start().0.checked_ilog2();
        let zone = exponent.and_then(|exponent| self.zones.get_mut(&exponent));
        let units = self.taken.get(&range.start()).copied().filter(|units| units * unit == range.size());
        let (Some(zone), Some(units)) = (zone, units) else { return Err(IovaError::NotAllocated(range)) };
        zone.put_back(range.start().0 / unit, units);
        self.taken.remove(&range.start());
        Ok(())
    }
}

/// The zones that a device with `mask` can reach, in the order of preference.
fn zones_of(mask: DmaMask, unit: u64) -> impl Iterator<Item = u32> {
    let lowest = unit.trailing_zeros();
    let preferred = mask.bits().min(PREFERRED_BITS);
    let high = preferred.max(lowest)..mask.bits();
    (lowest..preferred).rev().chain(high.rev())
}
