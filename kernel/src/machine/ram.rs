//! Memory at addresses that firmware's tables give, read into copies.

use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use boot::guarded::load_u32;
use boot::memory::{self, Kind};
use boot::page_table::PAGE_SIZE;
use firmware::acpi::PhysicalMemory;

/// The first address in `range`, which is mapped as memory, where no memory answers.
///
/// Each page is asked once, as nothing smaller can be absent: bytes beside registers are not mapped as memory.
pub(crate) fn first_hole(range: Range<PhysAddr>) -> Option<PhysAddr> {
    let pages =
        (range.start().0 / PAGE_SIZE..=range.end().0 / PAGE_SIZE).map(|page| PhysAddr(page * PAGE_SIZE));
    let addresses = pages.map(|page| page.max(PhysAddr(range.start().0 & !3)));
    // SAFETY: The address is aligned and mapped as memory: reading it has no effect.
    addresses.into_iter().find(|at| unsafe { load_u32(*at) }.is_none())
}

/// RAM as firmware left it. What is read must not be given to the heap before.
pub(crate) struct Ram;

impl PhysicalMemory for Ram {
    fn read(&self, at: PhysAddr, bytes: usize) -> Option<Vec<u8>> {
        let range = Range::from_size(at, bytes as u64)?;
        memory::map(range, Kind::Normal).ok()?;
        if first_hole(range).is_some() {
            return None;
        }
        // SAFETY: The range is mapped as memory, and every page of it answers. Nobody writes there: firmware has
        // handed over, no device has been started, and the heap has no memory but the image's own.
        let content = unsafe { core::slice::from_raw_parts(at.0 as usize as *const u8, bytes) };
        Some(content.to_vec())
    }
}
