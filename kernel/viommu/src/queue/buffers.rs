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

/// An integer in shared memory: of a size that is its alignment or a multiple of it.
pub(super) trait Integer: Copy {}

impl Integer for u16 {}
impl Integer for u32 {}
impl Integer for u64 {}

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

    /// The address of the first byte for the device.
    pub(super) fn paddr(&self) -> u64 {
        self.paddr
    }

    /// The `len` bytes at `offset`; panics if they are not all inside.
    #[inline(always)]
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

    /// Copies bytes, in words if they begin at one: a call of `memcpy` costs more than a request is long.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let words = if offset.is_multiple_of(4) { bytes.as_chunks::<4>().0 } else { &[] };
        for (index, word) in words.iter().enumerate() {
            self.store(offset + 4 * index, u32::from_ne_bytes(*word));
        }
        let rest = &bytes[4 * words.len()..];
        if rest.is_empty() {
            return;
        }
        let part = self.part(offset + 4 * words.len(), rest.len());
        // SAFETY: The part is inside the allocation, which is ours to write, and `bytes` is not a part of
        // it: nothing holds a reference to the buffers at this time.
        unsafe { part.cast::<u8>().copy_from_nonoverlapping(NonNull::from(rest).cast(), rest.len()) };
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

    /// Writes one integer, in one access.
    pub(super) fn store<V: Integer>(&mut self, offset: usize, value: V) {
        let place = self.place::<V>(offset);
        // SAFETY: The place is inside the allocation, which is ours to write, and aligned.
        unsafe { place.write_volatile(value) };
    }

    /// Reads one integer, in one access.
    pub(super) fn load<V: Integer>(&self, offset: usize) -> V {
        let place = self.place::<V>(offset);
        // SAFETY: The place is inside the allocation, aligned, and initialised since it was allocated;
        // any bytes are an integer.
        unsafe { place.read_volatile() }
    }

    #[inline(always)]
    fn place<V: Integer>(&self, offset: usize) -> NonNull<V> {
        assert!(offset.is_multiple_of(size_of::<V>()), "an integer is aligned");
        self.part(offset, size_of::<V>()).cast()
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
