//! The heap, which grows on demand from a reserve of free memory.
//!
//! Untouched memory costs the emulator nothing; touched memory has to be cleared, 2 MiB at a time
//! if the host uses huge pages. The heap therefore begins empty and grows by 2 MiB at a time, first
//! inside the last 2 MiB of the image itself. This saves most of the time of a slow start.
//!
//! Any CPU may use it: the allocator and the reserve each have a lock. The reserve's lock is taken
//! while the allocator's is held, never in the other order.

use core::alloc::{GlobalAlloc, Layout};

use addr::{PhysAddr, Range};
use boot::guarded::holds_u32;
use boot::memory::{self, Kind, MapError};
use buddy_system_allocator::{Heap, LockedHeapWithRescue};
use spin::Mutex;

/// Number of block sizes, which are powers of two: the largest block has 4 GiB, more than is ever
/// added.
const ORDERS: usize = 33;

/// Size and alignment of the steps in which the heap grows: a huge page.
const PIECE: u64 = 2 << 20;

/// Maximum size of the reserve in bytes, far more than the largest device tree file needs. Memory outside
/// of the reserve is not mapped.
pub(crate) const RESERVE_LIMIT: u64 = 256 << 20;

/// Maximum number of ranges in the reserve; further ranges are left out.
const RANGE_LIMIT: usize = 256;

static HEAP: LockedHeapWithRescue<ORDERS> = LockedHeapWithRescue::new(grow);

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// [`HEAP`] behind calls that are not inlined: there are hundreds of call sites, and each would
/// load the heap's address.
struct Allocator;

// SAFETY: Every call is forwarded to the heap, which is a `GlobalAlloc`.
unsafe impl GlobalAlloc for Allocator {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: The caller's duties are the same.
        unsafe { HEAP.alloc(layout) }
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: The caller's duties are the same.
        unsafe { HEAP.dealloc(block, layout) }
    }
}

/// Mapped memory that the kernel owns and does not use.
static RESERVE: Mutex<Reserve> = Mutex::new(Reserve { ranges: [None; RANGE_LIMIT] });

struct Reserve {
    ranges: [Option<Range<PhysAddr>>; RANGE_LIMIT],
}

impl Reserve {
    /// Adds `start..end`; false if there is no room in the table.
    #[must_use]
    fn put(&mut self, start: u64, end: u64) -> bool {
        let Some(range) = Range::from_size(PhysAddr(start), end.saturating_sub(start)) else { return true };
        let free = self.ranges.iter_mut().find(|range| range.is_none());
        free.map(|free| *free = Some(range)).is_some()
    }

    /// Takes memory for a block of `size` bytes, a power of two: the block with as little around it
    /// as its alignment allows, or the rest of a huge page that begins in one of the ranges.
    fn take(&mut self, size: u64) -> Option<Range<PhysAddr>> {
        for slot in 0..RANGE_LIMIT {
            let Some(range) = self.ranges[slot] else { continue };
            let (start, end) = (range.start().0, range.end().0.saturating_add(1));
            let rest = (start + 1).next_multiple_of(PIECE).min(end);
            let grain = size.max(PIECE);
            let (from, to) = if holds(start, rest, size) {
                (start, rest)
            } else {
                let from = start.next_multiple_of(grain);
                if !holds(from, end, size) {
                    continue;
                }
                (from, (from + grain).min(end))
            };
            self.ranges[slot] = None;
            // The table has space for at least one of the two remainders; a remainder without space
            // is added to the piece.
            let from = if self.put(start, from) { from } else { start };
            let to = if self.put(to, end) { to } else { end };
            return Range::from_size(PhysAddr(from), to - from);
        }
        None
    }
}

/// Whether an aligned block of `size` bytes lies in `start..end`.
fn holds(start: u64, end: u64, size: u64) -> bool {
    start.next_multiple_of(size).checked_add(size).is_some_and(|block_end| block_end <= end)
}

/// Called by the allocator when it has no block for `layout`: adds a piece of the reserve that is
/// large enough.
fn grow(heap: &mut Heap<ORDERS>, layout: &Layout) {
    // The same rounding as in the allocator.
    let size = layout.size().next_power_of_two().max(layout.align()).max(size_of::<usize>());
    if let Some(piece) = RESERVE.lock().take(size as u64) {
        // SAFETY: The reserve contains mapped memory that the kernel owns, and has just removed
        // this piece.
        unsafe { heap.add_to_heap(piece.start().0 as usize, piece.end().0 as usize + 1) };
    }
}

/// Starts the heap with the memory that is part of the image.
///
/// # Safety
///
/// `early` is mapped, unused, and handed to no one else.
pub(crate) unsafe fn init(early: Range<PhysAddr>) {
    let added = RESERVE.lock().put(early.start().0, early.end().0.saturating_add(1));
    assert!(added, "the reserve is empty before the early heap is in it");
}

/// Why a range of RAM is not in the reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MemoryError {
    /// It cannot be mapped.
    #[error("{0}")]
    Unmappable(MapError),
    /// No memory answers at this address.
    #[error("no memory answers at {0}")]
    Absent(PhysAddr),
    /// The reserve has [`RANGE_LIMIT`] ranges already.
    #[error("the limit of {RANGE_LIMIT} ranges is reached")]
    TooManyRanges,
}

/// Adds `memory` except `reserved` to the reserve, up to [`RESERVE_LIMIT`] bytes in all.
///
/// Calls `refused` for each range that cannot be reserved.
///
/// # Safety
///
/// Every part of `memory` that exists is RAM, and `reserved` covers every part that is in use: the
/// image, the device tree, the firmware's memory. It is called once.
pub(crate) unsafe fn add_free_memory(
    memory: &[Range<PhysAddr>],
    reserved: &[Range<PhysAddr>],
    refused: &mut dyn FnMut(Range<PhysAddr>, MemoryError),
) {
    let mut added = 0;
    for &range in memory {
        let mut start = range.start().0;
        for _ in 0..RANGE_LIMIT {
            // The next reserved range that ends behind `start` bounds the free piece, or covers its start.
            let next = reserved
                .iter()
                .filter(|other| other.end().0 >= start && other.start() <= range.end())
                .min_by_key(|other| other.start());
            let free_end = next.map_or(range.end().0.saturating_add(1), |other| other.start().0);
            if free_end > start
                && let Some(piece) = whole_pages(start, free_end, RESERVE_LIMIT - added)
            {
                match reserve(piece) {
                    Ok(()) => added += piece.size(),
                    Err(error) => refused(piece, error),
                }
            }
            match next.and_then(|other| other.end().checked_add(1)) {
                Some(after) if added < RESERVE_LIMIT && after <= range.end() => start = after.0,
                _ => break,
            }
        }
    }
}

/// The whole pages in `start..end`, at most `limit` bytes.
fn whole_pages(start: u64, end: u64, limit: u64) -> Option<Range<PhysAddr>> {
    let page = boot::page_table::PAGE_SIZE;
    let (start, end) = (start.checked_next_multiple_of(page)?, end & !(page - 1));
    Range::from_size(PhysAddr(start), end.saturating_sub(start).min(limit))
}

/// A test pattern that differs from the value read at an address without memory.
const PATTERN: u32 = 0x5aa5_c33c;

/// Maps `piece`, which is whole pages, and adds it to the reserve if both ends keep a value that is
/// written there.
///
/// A read alone is not enough: QEMU answers with all ones in a PCI window.
fn reserve(piece: Range<PhysAddr>) -> Result<(), MemoryError> {
    memory::map(piece, Kind::Normal).map_err(MemoryError::Unmappable)?;
    for at in [piece.start(), PhysAddr(piece.end().0 & !3)] {
        // SAFETY: The address is aligned, mapped as memory, and unused by the duty of the caller of
        // `add_free_memory`.
        if !unsafe { holds_u32(at, at.0 as u32 ^ PATTERN) } {
            return Err(MemoryError::Absent(at));
        }
    }
    let added = RESERVE.lock().put(piece.start().0, piece.end().0.saturating_add(1));
    if added { Ok(()) } else { Err(MemoryError::TooManyRanges) }
}
