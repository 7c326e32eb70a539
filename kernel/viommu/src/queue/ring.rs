//! A split virtqueue (virtio 1.2, section 2.7): descriptors, available ring and used ring, and the
//! buffers that the descriptors lead to, all in one piece of shared memory.
//!
//! The driver writes descriptors and never reads them back, so a device that overwrites them cannot
//! lead the driver anywhere. What the driver reads is the used ring, each field once, and the caller
//! compares it with what is in flight.
//!
//! `VirtQueue` of `virtio-drivers` keeps a list of free descriptors and publishes each chain on its
//! own. Here all chains of a batch are in flight together and are published together, which needs
//! neither; see `kernel/DECISIONS.md`.

use core::sync::atomic::{Ordering, fence};

use virtio_drivers::transport::Transport;
use virtio_drivers::{BufferDirection, Error, Hal};

use crate::limits::QUEUE_SIZE;
use crate::start_error::StartError;

use super::buffers::{Buffers, POISON};

/// The direction of a buffer that the device reads.
pub(super) const TO_DEVICE: BufferDirection = BufferDirection::DriverToDevice;
/// The direction of a buffer that the device writes.
pub(super) const FROM_DEVICE: BufferDirection = BufferDirection::DeviceToDriver;

/// A descriptor continues in the one after it.
const NEXT: u16 = 1;
/// The device writes the buffer; otherwise the device reads it.
const WRITE: u16 = 2;
/// In the used ring's flags: the device does not want to be notified.
const NO_NOTIFY: u16 = 1;
/// In the available ring's flags: the driver does not want interrupts.
const NO_INTERRUPT: u16 = 1;

/// Bytes of a descriptor: address, length, flags, next.
const DESCRIPTOR_SIZE: usize = 16;
/// Offset of the available ring: flags, index, elements of 2 bytes.
const AVAILABLE: usize = QUEUE_SIZE * DESCRIPTOR_SIZE;
/// Offset of the used ring, which is aligned to 4: flags, index, elements of 8 bytes.
const USED: usize = (AVAILABLE + 4 + 2 * QUEUE_SIZE + 2).next_multiple_of(4);
/// Offset of the buffers.
const BUFFERS: usize = (USED + 4 + 8 * QUEUE_SIZE + 2).next_multiple_of(16);

/// Where a buffer is, in bytes from the start of all buffers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) len: usize,
}

/// One queue and its buffers.
pub(super) struct Ring<H: Hal> {
    memory: Buffers<H>,
    /// Index of the next element of the available ring; published with [`publish`](Self::publish).
    offered: u16,
    /// Index of the next element of the used ring.
    taken: u16,
    /// The used ring's index when it was last read.
    seen: u16,
}

/// An element of the used ring; neither number is checked.
#[derive(Clone, Copy)]
pub(super) struct Used {
    /// The head of a chain.
    pub(super) head: u32,
    /// The number of bytes that the device claims to have written.
    pub(super) len: u32,
}

impl<H: Hal> Ring<H> {
    /// Sets a queue up, with `bytes` for its buffers.
    ///
    /// # Errors
    ///
    /// The queue does not exist, is in use or too short, or memory is short.
    pub(super) fn open<T: Transport>(
        transport: &mut T,
        index: u16,
        bytes: usize,
    ) -> Result<Self, StartError> {
        let (size, available) = (QUEUE_SIZE as u32, transport.max_queue_size(index));
        let refused = |error| StartError::Queue { queue: index, available, needed: size, error };
        if transport.queue_used(index) {
            return Err(refused(Error::AlreadyUsed));
        }
        if available < size {
            return Err(refused(Error::InvalidParam));
        }
        let mut memory = Buffers::new(BUFFERS + bytes)?;
        memory.store(AVAILABLE, NO_INTERRUPT.to_le());
        let start = memory.paddr();
        transport.queue_set(index, size, start, start + AVAILABLE as u64, start + USED as u64);
        Ok(Self { memory, offered: 0, taken: 0, seen: 0 })
    }

    /// The size of all buffers in bytes.
    pub(super) fn capacity(&self) -> usize {
        self.memory.len() - BUFFERS
    }

    /// Copies `bytes` to a buffer that is not in flight.
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        self.memory.write(BUFFERS + at, bytes);
    }

    /// Copies from a buffer, byte by byte: the device may write to it at any time.
    pub(super) fn read(&self, at: usize, bytes: &mut [u8]) {
        self.memory.read(BUFFERS + at, bytes);
    }

    /// Fills a buffer that is not in flight with what is not an answer.
    pub(super) fn poison(&mut self, place: Place) {
        self.memory.fill(BUFFERS + place.at, place.len, POISON);
    }

    /// Writes the descriptor of a buffer, and shares the buffer with the device.
    ///
    /// Neither the descriptor nor the buffer is in flight. `continued`: the chain goes on with the next
    /// descriptor.
    pub(super) fn describe(
        &mut self,
        descriptor: usize,
        place: Place,
        direction: BufferDirection,
        continued: bool,
    ) {
        let buffer = self.memory.part(BUFFERS + place.at, place.len);
        // SAFETY: The buffer lies inside the memory, and no other thread uses it: `self` is borrowed mutably.
        let address = unsafe { H::share(buffer, direction) };
        assert_eq!(address, self.address(place), "DMA memory is shared where it is");
        let next = if continued { NEXT } else { 0 };
        let write = if direction == TO_DEVICE { 0 } else { WRITE };
        assert!(descriptor < QUEUE_SIZE, "a descriptor lies inside its table");
        let at = descriptor * DESCRIPTOR_SIZE;
        self.memory.store(at, address.to_le());
        let rest = place.len as u64 | u64::from(next | write) << 32 | (descriptor as u64 + 1) << 48;
        self.memory.store(at + 8, rest.to_le());
    }

    /// Takes a buffer back from the device, which has returned its chain.
    pub(super) fn withdraw(&mut self, place: Place, direction: BufferDirection) {
        let buffer = self.memory.part(BUFFERS + place.at, place.len);
        // SAFETY: `describe` has shared this buffer, and has checked that this is its address.
        unsafe { H::unshare(self.address(place), buffer, direction) };
    }

    fn address(&self, place: Place) -> u64 {
        self.memory.paddr() + (BUFFERS + place.at) as u64
    }

    /// Adds a chain to the available ring. The device sees it after [`publish`](Self::publish).
    pub(super) fn offer(&mut self, head: usize) {
        let element = usize::from(self.offered) % QUEUE_SIZE;
        self.memory.store(AVAILABLE + 4 + 2 * element, (head as u16).to_le());
        self.offered = self.offered.wrapping_add(1);
    }

    /// Publishes all chains that were offered; returns whether the device wants to be notified.
    pub(super) fn publish(&mut self) -> bool {
        // The device must see the chains before it sees that there are chains.
        fence(Ordering::Release);
        self.memory.store(AVAILABLE + 2, self.offered.to_le());
        // Whether the device wants a notification must be read after it can see the chains.
        fence(Ordering::SeqCst);
        u16::from_le(self.memory.load(USED)) & NO_NOTIFY == 0
    }

    /// Whether the used ring has an element that was not taken.
    pub(super) fn is_answered(&self) -> bool {
        self.seen != self.taken || self.used_index() != self.taken
    }

    /// Takes the next element of the used ring.
    pub(super) fn take(&mut self) -> Option<Used> {
        if self.seen == self.taken {
            self.seen = self.used_index();
            if self.seen == self.taken {
                return None;
            }
            // What the device wrote before it moved the index must be read after the index.
            fence(Ordering::Acquire);
        }
        let element = USED + 4 + 8 * (usize::from(self.taken) % QUEUE_SIZE);
        self.taken = self.taken.wrapping_add(1);
        let [head, len] = [element, element + 4].map(|at| u32::from_le(self.memory.load(at)));
        Some(Used { head, len })
    }

    fn used_index(&self) -> u16 {
        u16::from_le(self.memory.load(USED + 2))
    }

    /// The memory: for the time when the device does not access it any more.
    pub(super) fn into_memory(self) -> Buffers<H> {
        self.memory
    }
}
