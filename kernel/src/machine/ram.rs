//! Memory at addresses that firmware's tables give, read into copies.

use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use boot::guarded::load_u32;
use boot::memory::{self, Kind};
use firmware::acpi::PhysicalMemory;

/// RAM as firmware left it. What is read must not be given to the heap before.
pub(crate) struct Ram;

impl PhysicalMemory for Ram {
    fn read(&self, at: PhysAddr, bytes: usize) -> Option<Vec<u8>> {
        let range = Range::from_size(at, bytes as u64)?;
        memory::map(range, Kind::Normal).ok()?;
        for word in [range.start(), range.end()] {
            // SAFETY: The address is aligned and mapped as memory: reading it has no effect.
            unsafe { load_u32(PhysAddr(word.0 & !3)) }?;
        }
        // SAFETY: The range is mapped as memory, and both ends answer. Nobody writes there: firmware has
        // handed over, no device has been started, and the heap has no memory but the image's own.
        let content = unsafe { core::slice::from_raw_parts(at.0 as usize as *const u8, bytes) };
        Some(content.to_vec())
    }
}
