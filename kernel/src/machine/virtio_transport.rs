//! The registers of a virtio device, without the waits and panics that a misbehaving device can
//! cause.
//!
//! - A transport of `virtio-drivers` may wait for the device when it is dropped. A removed device
//!   reads as all ones and never confirms a reset. This transport requests a reset and does not wait;
//!   a driver that shares memory with the device waits with its own deadline.
//! - On MMIO, releasing a queue waits for the device. No driver here does that; a reset releases
//!   all queues.

use core::mem::ManuallyDrop;

use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{PhysAddr as VirtioPhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::virtio_pci::VirtioPci;

/// A virtio device's registers.
pub enum VirtioTransport {
    /// On PCI.
    Pci(VirtioPci),
    /// On MMIO. Never dropped, because the destructor may wait for ever.
    Mmio(ManuallyDrop<MmioTransport<'static>>),
}

impl Drop for VirtioTransport {
    fn drop(&mut self) {
        self.set_status(DeviceStatus::empty());
    }
}

impl Transport for VirtioTransport {
    fn device_type(&self) -> DeviceType {
        match self {
            Self::Pci(pci) => pci.device_type(),
            Self::Mmio(mmio) => mmio.device_type(),
        }
    }

    fn read_device_features(&mut self) -> u64 {
        match self {
            Self::Pci(pci) => pci.read_device_features(),
            Self::Mmio(mmio) => mmio.read_device_features(),
        }
    }

    fn write_driver_features(&mut self, driver_features: u64) {
        match self {
            Self::Pci(pci) => pci.write_driver_features(driver_features),
            Self::Mmio(mmio) => mmio.write_driver_features(driver_features),
        }
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        match self {
            Self::Pci(pci) => pci.max_queue_size(queue),
            Self::Mmio(mmio) => mmio.max_queue_size(queue),
        }
    }

    fn notify(&mut self, queue: u16) {
        match self {
            Self::Pci(pci) => pci.notify(queue),
            Self::Mmio(mmio) => mmio.notify(queue),
        }
    }

    fn get_status(&self) -> DeviceStatus {
        match self {
            Self::Pci(pci) => pci.status(),
            Self::Mmio(mmio) => mmio.get_status(),
        }
    }

    fn set_status(&mut self, status: DeviceStatus) {
        match self {
            Self::Pci(pci) => pci.set_status(status),
            Self::Mmio(mmio) => mmio.set_status(status),
        }
    }

    fn set_guest_page_size(&mut self, guest_page_size: u32) {
        match self {
            Self::Pci(_) => {}
            Self::Mmio(mmio) => mmio.set_guest_page_size(guest_page_size),
        }
    }

    fn requires_legacy_layout(&self) -> bool {
        match self {
            Self::Pci(_) => false,
            Self::Mmio(mmio) => mmio.requires_legacy_layout(),
        }
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        descriptors: VirtioPhysAddr,
        driver_area: VirtioPhysAddr,
        device_area: VirtioPhysAddr,
    ) {
        match self {
            Self::Pci(pci) => pci.queue_set(queue, size, descriptors, driver_area, device_area),
            Self::Mmio(mmio) => mmio.queue_set(queue, size, descriptors, driver_area, device_area),
        }
    }

    /// Does nothing; a reset releases all queues.
    fn queue_unset(&mut self, _queue: u16) {}

    fn queue_used(&mut self, queue: u16) -> bool {
        match self {
            Self::Pci(pci) => pci.queue_used(queue),
            Self::Mmio(mmio) => mmio.queue_used(queue),
        }
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        match self {
            Self::Pci(pci) => pci.ack_interrupt(),
            Self::Mmio(mmio) => mmio.ack_interrupt(),
        }
    }

    fn read_config_generation(&self) -> u32 {
        match self {
            Self::Pci(pci) => pci.config_generation(),
            Self::Mmio(mmio) => mmio.read_config_generation(),
        }
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        match self {
            Self::Pci(pci) => pci.read_config(offset),
            Self::Mmio(mmio) => mmio.read_config_space(offset),
        }
    }

    fn write_config_space<T: IntoBytes + Immutable>(&mut self, offset: usize, value: T) -> Result<()> {
        match self {
            Self::Pci(pci) => pci.write_config(offset, value),
            Self::Mmio(mmio) => mmio.write_config_space(offset, value),
        }
    }
}
