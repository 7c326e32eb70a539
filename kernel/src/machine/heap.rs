//! The heap: a reserve of free memory, of which it takes no more than it needs.
//!
//! Memory that was never touched costs the emulator nothing; what is touched it has to clear, 2 MiB at a
//! time where the host has huge pages. So the heap begins empty and grows by such pieces, first inside
//! of the image's own last piece. That is most of the difference between a slow start and a fast one.
//!
//! Any CPU may use it: the allocator is behind a lock, and so is the reserve, which is taken inside of it and
//! never the other way round.

use core::alloc::{GlobalAlloc, Layout};

use addr::{PhysAddr, Range};
use boot::guarded::holds_u32;
use boot::memory::{self, Kind, MapError};
use buddy_system_allocator::{Heap, LockedHeapWithRescue};
use spin::Mutex;

/// Classes of blocks, by powers of two: the largest block has 4 GiB, more than is ever added.
const ORDERS: usize = 33;

/// How much the heap grows at a time, and to what it is aligned: a huge page.
const PIECE: u64 = 2 << 20;

/// Bytes of free memory that are reserved at most: four times what the largest device tree file needs,
/// which is there twice while it is normalised. What is not reserved is not mapped.
pub(crate) const RESERVE_LIMIT: u64 = 256 << 20;

/// Ranges that the reserve can consist of; more are left out.
const RANGE_LIMIT: usize = 256;

static HEAP: LockedHeapWithRescue<ORDERS> = LockedHeapWithRescue::new(grow);

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// [`HEAP`], by calls that are not inlined: there are hundreds of them, and each would name the heap.
struct Allocator;

// SAFETY: All of it is the heap's, which is a `GlobalAlloc`.
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

/// Mapped memory that is ours and that nobody uses.
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

    /// Takes the next piece for a block of `size` bytes, a power of two: the block with as little around
    /// it as its alignment allows, or the rest of a huge page that begins in one of the ranges.
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
            // There is room for one of the two rests at least; one without room goes along with the piece.
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

/// Called by the allocator when it has no block for `layout`: adds a piece of the reserve that has one.
fn grow(heap: &mut Heap<ORDERS>, layout: &Layout) {
    // As the allocator rounds.
    let size = layout.size().next_power_of_two().max(layout.align()).max(size_of::<usize>());
    if let Some(piece) = RESERVE.lock().take(size as u64) {
        // SAFETY: The reserve holds mapped memory that is ours, and has just given this piece away.
        unsafe { heap.add_to_heap(piece.start().0 as usize, piece.end().0 as usize + 1) };
    }
}

/// Starts the heap with the memory that the image brings.
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

/// Reserves what is free in `memory`, apart from all of `reserved`, up to [`RESERVE_LIMIT`] bytes in all.
///
/// What cannot be reserved is left out, and told to `refused`.
///
/// # Safety
///
/// `memory` is RAM, where anything is, and `reserved` has every part of it that is in use: the image, the
/// device tree, what firmware keeps. It is called once.
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

/// What is written to see whether memory keeps it: not what an address without memory reads as.
const PATTERN: u32 = 0x5aa5_c33c;

/// Maps and reserves `piece`, whole pages, if both of its ends hold what is written there.
///
/// A read alone does not tell: where a PCI window is, QEMU answers with all ones.
fn reserve(piece: Range<PhysAddr>) -> Result<(), MemoryError> {
    memory::map(piece, Kind::Normal).map_err(MemoryError::Unmappable)?;
    for at in [piece.start(), PhysAddr(piece.end().0 & !3)] {
        // SAFETY: The address is aligned and mapped as memory, and nobody uses it, as the caller of
        // `add_free_memory` says.
        if !unsafe { holds_u32(at, at.0 as u32 ^ PATTERN) } {
            return Err(MemoryError::Absent(at));
        }
    }
    let added = RESERVE.lock().put(piece.start().0, piece.end().0.saturating_add(1));
    if added { Ok(()) } else { Err(MemoryError::TooManyRanges) }
}
