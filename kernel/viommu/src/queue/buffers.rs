//! Memory that driver and device share: written and read byte by byte, through raw pointers.

use core::marker::PhantomData;
use core::ptr::NonNull;

use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE};

use crate::start_error::StartError;

/// Content of a buffer before the device writes: not a status, a valid property or a valid record.
pub(super) const POISON: u8 = 0xff;

/// Zeroed memory that the device can access. Leaked unless freed explicitly.
pub(super) struct Buffers<H: Hal> {
    paddr: u64,
    start: NonNull<u8>,
    pages: usize,
    hal: PhantomData<H>,
}

// SAFETY: The memory is owned by this value alone and not tied to a thread.
unsafe impl<H: Hal> Send for Buffers<H> {}

impl<H: Hal> Buffers<H> {
    pub(super) fn new(bytes: usize) -> Result<Self, StartError> {
        let pages = bytes.div_ceil(PAGE_SIZE);
        let (paddr, start) = H::dma_alloc(pages, BufferDirection::Both);
        // Address 0 means that no memory is available, as in the crate's own DMA memory.
        if paddr == 0 {
            return Err(StartError::OutOfMemory { bytes });
        }
        Ok(Self { paddr, start, pages, hal: PhantomData })
    }

    /// The `len` bytes at `offset`; panics if they are not all inside.
    pub(super) fn part(&self, offset: usize, len: usize) -> NonNull<[u8]> {
        let end = offset.checked_add(len).expect("a part does not wrap");
        assert!(end <= self.len(), "a part lies inside its buffers");
        // SAFETY: `offset` lies inside the allocation, as just checked.
        let start = unsafe { self.start.add(offset) };
        NonNull::slice_from_raw_parts(start, len)
    }

    /// Their size in bytes.
    pub(super) fn len(&self) -> usize {
        self.pages * PAGE_SIZE
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let part = self.part(offset, bytes.len());
        // SAFETY: The part is inside the allocation, which is ours to write, and `bytes` is not a part of
        // it: nothing holds a reference to the buffers at this time.
        unsafe { part.cast::<u8>().copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
    }

    pub(super) fn fill(&mut self, offset: usize, len: usize, byte: u8) {
        let part = self.part(offset, len);
        // SAFETY: The part is inside the allocation, which is ours to write.
        unsafe { part.cast::<u8>().write_bytes(byte, len) };
    }

    pub(super) fn read(&self, offset: usize, bytes: &mut [u8]) {
        let start = self.part(offset, bytes.len()).cast::<u8>();
        for (index, byte) in bytes.iter_mut().enumerate() {
            // SAFETY: `index` is less than the length of the part.
            let place = unsafe { start.add(index) };
            // SAFETY: The place is inside the allocation and initialised since it was allocated.
            *byte = unsafe { place.read_volatile() };
        }
    }

    /// Gives the memory back.
    ///
    /// # Safety
    ///
    /// The device does not access it any more.
    pub(super) unsafe fn free(self) {
        // SAFETY: These are the values of `dma_alloc`, and `self` is gone after this.
        // A number other than 0 means that the memory was not freed; then it is leaked.
        let _not_freed = unsafe { H::dma_dealloc(self.paddr, self.start, self.pages) };
    }
}
