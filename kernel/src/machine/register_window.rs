//! Registers of a device that no crate drives.

use addr::{PhysAddr, Range};

/// Mapped registers of a device: a load that no device answers reads as all ones (`boot::device_access`).
#[derive(Clone, Copy, Debug)]
pub struct RegisterWindow {
    range: Range<PhysAddr>,
}

impl RegisterWindow {
    /// # Safety
    ///
    /// `range` is mapped as device memory for good, and begins at a multiple of 8.
    pub(crate) unsafe fn new(range: Range<PhysAddr>) -> Self {
        Self { range }
    }

    /// The addresses for the CPU.
    #[must_use]
    pub fn range(&self) -> Range<PhysAddr> {
        self.range
    }

    /// Reads 4 bytes.
    ///
    /// # Panics
    ///
    /// If `offset` is not a multiple of 4, or the register is not inside.
    #[must_use]
    pub fn read32(&self, offset: u64) -> u32 {
        // SAFETY: The address is mapped and aligned; the caller vouches for the effect of reading the register.
        unsafe { (self.at(offset, 4) as *const u32).read_volatile() }
    }

    /// Writes 4 bytes.
    ///
    /// # Panics
    ///
    /// As [`read32`](Self::read32).
    pub fn write32(&self, offset: u64, value: u32) {
        // SAFETY: As in `read32`.
        unsafe { (self.at(offset, 4) as *mut u32).write_volatile(value) };
    }

    /// Reads 8 bytes.
    ///
    /// # Panics
    ///
    /// If `offset` is not a multiple of 8, or the register is not inside.
    #[must_use]
    pub fn read64(&self, offset: u64) -> u64 {
        // SAFETY: As in `read32`.
        unsafe { (self.at(offset, 8) as *const u64).read_volatile() }
    }

    /// Writes 8 bytes.
    ///
    /// # Panics
    ///
    /// As [`read64`](Self::read64).
    pub fn write64(&self, offset: u64, value: u64) {
        // SAFETY: As in `read32`.
        unsafe { (self.at(offset, 8) as *mut u64).write_volatile(value) };
    }

    fn at(&self, offset: u64, size: u64) -> u64 {
        let end = offset.checked_add(size);
        assert!(end.is_some_and(|end| end <= self.range.size()), "the register is inside of the window");
        assert!(offset.is_multiple_of(size), "the register is aligned");
        self.range.start().0 + offset
    }
}
