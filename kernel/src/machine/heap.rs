//! The heap: a first part inside of the image, then free memory as firmware describes it.

use addr::{PhysAddr, Range};
use boot::memory::{self, Kind, MapError};
use buddy_system_allocator::LockedHeap;

/// Classes of blocks, by powers of two: the largest block has 4 GiB, more than is ever added.
const ORDERS: usize = 33;

/// Bytes of free memory that are added at most: four times what the largest device tree file needs, which
/// is there twice while it is normalised. What is not added is neither mapped nor touched.
pub(crate) const HEAP_LIMIT: u64 = 256 << 20;

/// Pieces that reserved ranges may cut a memory range into.
const PIECE_LIMIT: usize = 256;

#[global_allocator]
static HEAP: LockedHeap<ORDERS> = LockedHeap::empty();

/// Starts the heap with the memory that the image brings.
///
/// # Safety
///
/// `early` is mapped, unused, and handed to no one else.
pub(crate) unsafe fn init(early: Range<PhysAddr>) {
    // SAFETY: The caller says that the memory is ours.
    unsafe { HEAP.lock().init(early.start().0 as usize, early.size() as usize) };
}

/// Adds what is free in `memory`, apart from all of `reserved`, up to [`HEAP_LIMIT`] bytes in all, and
/// returns how many bytes were added. Reserved ranges that cut a memory range into more than
/// [`PIECE_LIMIT`] pieces cost the rest of that range.
///
/// # Errors
///
/// A part cannot be mapped, this being the first error; all others were added nevertheless.
///
/// # Safety
///
/// `memory` is RAM, and `reserved` has every part of it that is in use: the image, the device tree, what
/// firmware keeps. It is called once.
pub(crate) unsafe fn add_free_memory(
    memory: &[Range<PhysAddr>],
    reserved: &[Range<PhysAddr>],
) -> Result<u64, MapError> {
    let mut added = 0;
    let mut refused = None;
    for &range in memory {
        let mut start = range.start().0;
        for _ in 0..PIECE_LIMIT {
            // The next reserved range that ends behind `start` bounds the free piece, or covers its start.
            let next = reserved
                .iter()
                .filter(|other| other.end().0 >= start && other.start() <= range.end())
                .min_by_key(|other| other.start());
            let free_end = next.map_or(range.end().0.saturating_add(1), |other| other.start().0);
            match add_piece(start, free_end, HEAP_LIMIT - added) {
                Ok(bytes) => added += bytes,
                Err(error) => refused = refused.or(Some(error)),
            }
            match next.and_then(|other| other.end().checked_add(1)) {
                Some(after) if added < HEAP_LIMIT && after <= range.end() => start = after.0,
                _ => break,
            }
        }
    }
    refused.map_or(Ok(added), Err)
}

/// Adds the whole pages of `start..end`, at most `limit` bytes, and returns how many bytes that is.
fn add_piece(start: u64, end: u64, limit: u64) -> Result<u64, MapError> {
    let page = boot::page_table::PAGE_SIZE;
    let (Some(start), end) = (start.checked_next_multiple_of(page), end & !(page - 1)) else { return Ok(0) };
    let size = end.saturating_sub(start).min(limit);
    let Some(range) = Range::from_size(PhysAddr(start), size) else { return Ok(0) };
    memory::map(range, Kind::Normal)?;
    // SAFETY: The piece is free memory by the promise of the only caller, and mapped now.
    unsafe { HEAP.lock().add_to_heap(start as usize, (start + size) as usize) };
    Ok(size)
}
