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
        let mut content = Vec::new();
        content.try_reserve_exact(bytes).ok()?;
        let mut word_at = PhysAddr(at.0 & !3);
        while content.len() < bytes {
            // Word by word, as firmware may have led here to registers, which need not bear a larger access.
            // SAFETY: The address is aligned and mapped as memory: reading it has no effect.
            let word = unsafe { load_u32(word_at) }?.to_le_bytes();
            let before = at.0.saturating_sub(word_at.0) as usize;
            content.extend(word[before..].iter().take(bytes - content.len()));
            word_at = PhysAddr(word_at.0 + 4);
        }
        Some(content)
    }
}
