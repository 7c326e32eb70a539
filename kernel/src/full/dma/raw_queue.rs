//! A virtqueue whose descriptors contain any address that a test chooses.
//!
//! `virtio-drivers` only takes buffers, which it shares. One chain is in flight at a time.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::sync::atomic::{Ordering, fence};

use addr::Iova;
use dma::{Direction, UnmapError};
use virtio_drivers::transport::{DeviceStatus, Transport as _};

use super::memory::{Buffer, DeviceMemory, ShareError};
use super::transport::{Negotiation, PlatformTransport};
use crate::deadline::wait_until;

/// Number of descriptors, and of entries in the rings: `virtio-rng` has room for 8 (QEMU 11.1 insists).
const SIZE: u16 = 8;

/// Where the parts of the queue are in its page, aligned as virtio 1.2, section 2.7 wants it.
const DRIVER_AREA: usize = 0x400;
const DEVICE_AREA: usize = 0x800;
const BYTES: usize = 0x1000;

/// `VIRTIO_F_VERSION_1`.
const VERSION_1: u64 = 1 << 32;

/// Flags of a descriptor (virtio 1.2, section 2.7.5).
const NEXT: u16 = 1;
const WRITE: u16 = 2;

/// One descriptor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Where the device accesses memory.
    pub(super) address: Iova,
    pub(super) bytes: u32,
    /// Whether the device writes there.
    pub(super) is_written: bool,
}

/// Why a device cannot be used with a raw queue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueError {
    /// It is not a modern device.
    #[error("the device has the legacy layout")]
    Legacy,
    /// It is not reset.
    #[error("the device does not confirm a reset")]
    NoReset,
    /// It does not accept the features.
    #[error("the device does not accept the features")]
    Refused,
    /// The ring cannot be shared.
    #[error(transparent)]
    Share(#[from] ShareError),
}

/// One queue of a virtio device that runs with no other queue.
pub(super) struct RawQueue {
    transport: PlatformTransport,
    number: u16,
    ring: Option<Buffer>,
    memory: DeviceMemory,
    /// Chains so far.
    added: u16,
}

impl RawQueue {
    /// Starts the device with queue `number` alone.
    ///
    /// # Errors
    ///
    /// See [`QueueError`].
    pub(super) fn start(
        (mut transport, negotiation): (PlatformTransport, Rc<Cell<Negotiation>>),
        number: u16,
        memory: &DeviceMemory,
    ) -> Result<Self, QueueError> {
        if transport.requires_legacy_layout() {
            return Err(QueueError::Legacy);
        }
        if !transport.reset() {
            return Err(QueueError::NoReset);
        }
        let mut status = DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER;
        transport.set_status(status);
        transport.write_driver_features(VERSION_1);
        status |= DeviceStatus::FEATURES_OK;
        transport.set_status(status);
        if negotiation.get() != Negotiation::Accepted {
            return Err(QueueError::Refused);
        }
        let ring = memory.share(BYTES, Direction::Both)?;
        let at = |offset: usize| ring.address().0 + offset as u64;
        transport.queue_set(number, SIZE.into(), at(0), at(DRIVER_AREA), at(DEVICE_AREA));
        transport.set_status(status | DeviceStatus::DRIVER_OK);
        Ok(Self { transport, number, ring: Some(ring), memory: memory.clone(), added: 0 })
    }

    /// Gives the device a chain and notifies it.
    ///
    /// # Panics
    ///
    /// If the chain is empty or longer than the ring.
    pub(super) fn submit(&mut self, chain: &[Segment]) {
        assert!(!chain.is_empty() && chain.len() <= usize::from(SIZE), "the chain fits the ring");
        let Some(ring) = &self.ring else { return };
        for (index, segment) in chain.iter().enumerate() {
            let is_last = index + 1 == chain.len();
            let flags = if is_last { 0 } else { NEXT } | if segment.is_written { WRITE } else { 0 };
            let mut descriptor = Vec::with_capacity(16);
            descriptor.extend(segment.address.0.to_le_bytes());
            descriptor.extend(segment.bytes.to_le_bytes());
            descriptor.extend(flags.to_le_bytes());
            descriptor.extend((index as u16 + 1).to_le_bytes());
            ring.pages().write(index * 16, &descriptor);
        }
        // The chain always begins at descriptor 0.
        let slot = usize::from(self.added % SIZE);
        ring.pages().write(DRIVER_AREA + 4 + 2 * slot, &0_u16.to_le_bytes());
        fence(Ordering::SeqCst);
        self.added = self.added.wrapping_add(1);
        ring.pages().write(DRIVER_AREA + 2, &self.added.to_le_bytes());
        fence(Ordering::SeqCst);
        self.transport.notify(self.number);
    }

    /// Whether the device has returned the last chain, or given up (virtio 1.2, section 2.1.2).
    pub(super) fn is_done(&self) -> bool {
        if self.transport.get_status().contains(DeviceStatus::DEVICE_NEEDS_RESET) {
            return true;
        }
        let Some(ring) = &self.ring else { return false };
        let mut index = [0; 2];
        ring.pages().read(DEVICE_AREA + 2, &mut index);
        fence(Ordering::SeqCst);
        u16::from_le_bytes(index) == self.added
    }

    /// Gives the device a chain and waits until it returns it; false if it does not within `limit_us`.
    pub(super) fn run(&mut self, chain: &[Segment], limit_us: u64) -> bool {
        self.submit(chain);
        wait_until(limit_us, || self.is_done())
    }

    /// Resets the device, and takes the ring back.
    ///
    /// # Errors
    ///
    /// The device keeps its access to the ring.
    pub(super) fn stop(mut self) -> Result<(), UnmapError> {
        match self.ring.take() {
            Some(ring) if self.transport.reset() => self.memory.take_back(ring),
            _ => Ok(()),
        }
    }
}
