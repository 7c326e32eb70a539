//! Memory that tables are read from.

use alloc::vec::Vec;

use addr::PhysAddr;

/// Physical memory, as far as it may be read.
pub trait PhysicalMemory {
    /// A copy of the `bytes` bytes at `at`; `None` if any of them cannot be read.
    fn read(&self, at: PhysAddr, bytes: usize) -> Option<Vec<u8>>;
}
