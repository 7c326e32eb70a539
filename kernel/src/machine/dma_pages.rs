//! Memory that a device may access while the kernel keeps it.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::ptr::NonNull;

use addr::{PhysAddr, Range};

/// Zeroed memory of the kernel's own, for DMA.
///
/// A device may write to it at any time, so no reference to it is ever made: bytes are copied, one volatile access
/// each. All of the heap is mapped to itself, so the address for the CPU is the physical one.
#[derive(Debug)]
pub struct DmaPages {
    start: NonNull<u8>,
    layout: Layout,
}

impl DmaPages {
    /// At least `bytes` bytes in whole units of `unit`, a power of two, and aligned to it; none if memory is short.
    #[must_use]
    pub fn new(bytes: usize, unit: u64) -> Option<Self> {
        let unit = usize::try_from(unit).ok()?;
        let size = bytes.max(1).checked_next_multiple_of(unit)?;
        let layout = Layout::from_size_align(size, unit).ok()?;
        // SAFETY: The size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { start, layout })
    }

    /// The physical addresses.
    #[must_use]
    pub fn phys(&self) -> Range<PhysAddr> {
        let start = PhysAddr(self.start.addr().get() as u64);
        Range::from_size(start, self.layout.size() as u64).expect("an allocation does not wrap")
    }

    /// The address for the CPU.
    #[must_use]
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Copies bytes out, beginning at `offset`.
    ///
    /// # Panics
    ///
    /// If they are not all inside.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) {
        self.check(offset, bytes.len());
        for (index, byte) in bytes.iter_mut().enumerate() {
            // SAFETY: The offset is inside of the allocation, as checked.
            let place = unsafe { self.start.add(offset + index) };
            // SAFETY: The memory is owned and was zeroed; a byte is always aligned.
            *byte = unsafe { place.read_volatile() };
        }
    }

    /// Copies bytes in, beginning at `offset`.
    ///
    /// # Panics
    ///
    /// If they are not all inside.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        self.check(offset, bytes.len());
        for (index, byte) in bytes.iter().enumerate() {
            // SAFETY: The offset is inside of the allocation, as checked.
            let place = unsafe { self.start.add(offset + index) };
            // SAFETY: The memory is owned and never behind a reference; a byte is always aligned.
            unsafe { place.write_volatile(*byte) };
        }
    }

    fn check(&self, offset: usize, length: usize) {
        let end = offset.checked_add(length);
        assert!(end.is_some_and(|end| end <= self.layout.size()), "the bytes are inside of the pages");
    }
}

impl Drop for DmaPages {
    /// Frees the memory: no device can reach it any more, or the owner has leaked the value.
    fn drop(&mut self) {
        // SAFETY: The memory was allocated with this layout, and nothing refers to it any more.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
