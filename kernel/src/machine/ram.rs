//! Memory at addresses from firmware's tables, read into copies.

use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use boot::guarded::load_u32;
use boot::memory::{self, Kind};
use firmware::acpi::PhysicalMemory;

/// RAM as firmware left it. Memory must be read before it is given to the heap.
pub(crate) struct Ram;

impl PhysicalMemory for Ram {
    fn read(&self, at: PhysAddr, bytes: usize) -> Option<Vec<u8>> {
        let range = Range::from_size(at, bytes as u64)?;
        memory::map(range, Kind::Normal).ok()?;
        let mut content = Vec::new();
        content.try_reserve_exact(bytes).ok()?;
        let mut word_at = PhysAddr(at.0 & !3);
        while content.len() < bytes {
            // Word by word, because the address from firmware may be that of registers, which may
            // not support a larger access. SAFETY: The address is aligned and mapped as memory:
            // reading it has no effect.
            let word = unsafe { load_u32(word_at) }?.to_le_bytes();
            let before = at.0.saturating_sub(word_at.0) as usize;
            content.extend(word[before..].iter().take(bytes - content.len()));
            word_at = PhysAddr(word_at.0 + 4);
        }
        Some(content)
    }
}
