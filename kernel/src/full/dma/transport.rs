//! A virtio transport that asks for the device's DMA to be translated, and finds out whether it is.
//!
//! The drivers of `virtio-drivers` 0.13 do not accept `VIRTIO_F_ACCESS_PLATFORM`, and do not read
//! FEATURES_OK back. A device that offers the feature then refuses to work and its driver waits for ever; one that does
//! not offer it bypasses the IOMMU without an error.

use alloc::rc::Rc;
use core::cell::Cell;

use kernel::Transport as Registers;
use kernel::machine::clock::micros;
use viommu::RESET_DEADLINE_US;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `VIRTIO_F_ACCESS_PLATFORM` (virtio 1.2, section 6).
const ACCESS_PLATFORM: u64 = 1 << 33;

/// Reads of the configuration generation after which it counts as constant: the crate repeats a read of several fields
/// until the generation stays the same.
const GENERATION_READS: u32 = 64;

/// What driver and device agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Negotiation {
    /// Nothing yet.
    Open,
    /// The device accepted the features.
    Accepted,
    /// The device did not accept the features.
    Refused,
}

/// The registers of a device whose driver accepts `VIRTIO_F_ACCESS_PLATFORM`.
pub(super) struct PlatformTransport {
    inner: Registers,
    negotiation: Rc<Cell<Negotiation>>,
    /// Whether the feature is accepted; false for the mutation that leaves it out.
    accepts_platform: bool,
    generation: Cell<(u32, u32)>,
}

/// Whether a device offers to have its DMA translated.
pub(super) fn offers_access_platform(registers: &mut Registers) -> bool {
    registers.read_device_features() & ACCESS_PLATFORM != 0
}

impl PlatformTransport {
    /// The transport, and where to look for what was negotiated.
    pub(super) fn new(inner: Registers, accepts_platform: bool) -> (Self, Rc<Cell<Negotiation>>) {
        let negotiation = Rc::new(Cell::new(Negotiation::Open));
        let generation = Cell::new((0, 0));
        (Self { inner, negotiation: negotiation.clone(), accepts_platform, generation }, negotiation)
    }

    /// Resets the device; false if it does not confirm within a deadline.
    #[must_use]
    pub(super) fn reset(&mut self) -> bool {
        self.inner.set_status(DeviceStatus::empty());
        let start = micros();
        while !self.inner.get_status().is_empty() {
            if micros().saturating_sub(start) > RESET_DEADLINE_US {
                return false;
            }
        }
        true
    }
}

impl Transport for PlatformTransport {
    fn device_type(&self) -> DeviceType {
        self.inner.device_type()
    }

    fn read_device_features(&mut self) -> u64 {
        self.inner.read_device_features()
    }

    fn write_driver_features(&mut self, features: u64) {
        let platform = if self.accepts_platform { ACCESS_PLATFORM } else { 0 };
        let offered = self.inner.read_device_features();
        self.inner.write_driver_features(features | offered & platform);
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        self.inner.max_queue_size(queue)
    }

    fn notify(&mut self, queue: u16) {
        self.inner.notify(queue);
    }

    fn get_status(&self) -> DeviceStatus {
        self.inner.get_status()
    }

    /// Sets the status, and reads FEATURES_OK back. A device that refuses is not started.
    fn set_status(&mut self, status: DeviceStatus) {
        if status.contains(DeviceStatus::DRIVER_OK) && self.negotiation.get() == Negotiation::Refused {
            return self.inner.set_status(DeviceStatus::FAILED);
        }
        self.inner.set_status(status);
        if status.contains(DeviceStatus::FEATURES_OK) && self.negotiation.get() == Negotiation::Open {
            let accepted = self.inner.get_status().contains(DeviceStatus::FEATURES_OK)
                || self.inner.requires_legacy_layout();
            self.negotiation.set(if accepted { Negotiation::Accepted } else { Negotiation::Refused });
        }
    }

    fn set_guest_page_size(&mut self, size: u32) {
        self.inner.set_guest_page_size(size);
    }

    fn requires_legacy_layout(&self) -> bool {
        self.inner.requires_legacy_layout()
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        descriptors: PhysAddr,
        driver_area: PhysAddr,
        device_area: PhysAddr,
    ) {
        self.inner.queue_set(queue, size, descriptors, driver_area, device_area);
    }

    fn queue_unset(&mut self, queue: u16) {
        self.inner.queue_unset(queue);
    }

    fn queue_used(&mut self, queue: u16) -> bool {
        self.inner.queue_used(queue)
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        self.inner.ack_interrupt()
    }

    fn read_config_generation(&self) -> u32 {
        let (reads, last) = self.generation.get();
        let now = if reads < GENERATION_READS { self.inner.read_config_generation() } else { last };
        self.generation.set((reads.saturating_add(1), now));
        now
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        self.inner.read_config_space(offset)
    }

    fn write_config_space<T: IntoBytes + Immutable>(&mut self, offset: usize, value: T) -> Result<()> {
        self.inner.write_config_space(offset, value)
    }
}

impl Drop for PlatformTransport {
    /// Resets the device. Its queues are freed next, so it must not use them any more.
    fn drop(&mut self) {
        if !self.reset() {
            super::hal::keep_everything();
        }
    }
}
