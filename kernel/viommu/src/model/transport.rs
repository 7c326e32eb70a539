//! The driver's side of the model device: its registers, and a clock.

use core::cell::{Cell, RefCell};
use std::vec;

use virtio_drivers::Error;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::device::Device;
use super::memory::FakeHal;
use super::ring::Ring;
use crate::clock::Clock;
use crate::{RawDevice, Viommu};

/// Step of the clock when the driver waits, in microseconds.
pub(crate) const STEP_US: u64 = 10_000;

/// The driver on a model device.
pub type TestViommu<'a> = Viommu<FakeHal, FakeTransport<'a>, FakeClock<'a>>;

/// A raw device on a model device.
pub type TestRaw<'a> = RawDevice<FakeHal, FakeTransport<'a>, FakeClock<'a>>;

/// Starts the driver on `device`.
///
/// # Errors
///
/// See [`StartError`](crate::StartError).
pub fn start(device: &RefCell<Device>) -> Result<TestViommu<'_>, crate::StartError> {
    Viommu::start(FakeTransport::new(device), FakeClock::new(device))
}

/// A clock that stands still except while the driver waits; then the device's time passes too.
pub struct FakeClock<'a> {
    device: &'a RefCell<Device>,
    now: Cell<u64>,
}

impl<'a> FakeClock<'a> {
    /// A clock that starts at 0.
    pub fn new(device: &'a RefCell<Device>) -> Self {
        Self { device, now: Cell::new(0) }
    }
}

impl Clock for FakeClock<'_> {
    fn now_us(&self) -> u64 {
        self.now.get()
    }

    fn relax(&self) {
        self.now.set(self.now.get() + STEP_US);
        self.device.borrow_mut().tick();
    }
}

/// The registers of a model device.
pub struct FakeTransport<'a> {
    device: &'a RefCell<Device>,
}

impl Drop for FakeTransport<'_> {
    fn drop(&mut self) {
        panic!("the transport's destructor may wait for ever and must not run");
    }
}

impl<'a> FakeTransport<'a> {
    /// The registers of `device`. Must not be dropped: `RawDevice::start` and `Viommu::start` see to that.
    pub fn new(device: &'a RefCell<Device>) -> Self {
        Self { device }
    }

    /// Counts an access to a register; returns the value of each byte if the device is gone.
    fn gone(&self) -> Option<u8> {
        self.device.borrow_mut().touch()
    }
}

impl Transport for FakeTransport<'_> {
    fn device_type(&self) -> DeviceType {
        self.device.borrow().device_type
    }
    fn read_device_features(&mut self) -> u64 {
        match self.gone() {
            Some(byte) => u64::from_ne_bytes([byte; 8]),
            None => self.device.borrow().offered,
        }
    }
    fn write_driver_features(&mut self, features: u64) {
        if self.gone().is_none() {
            self.device.borrow_mut().accepted = features;
        }
    }
    fn max_queue_size(&mut self, queue: u16) -> u32 {
        match self.gone() {
            Some(byte) => u16::from_ne_bytes([byte; 2]).into(),
            None => self.device.borrow().queue_sizes[usize::from(queue)],
        }
    }
    fn notify(&mut self, queue: u16) {
        if self.gone().is_none() {
            self.device.borrow_mut().notified(queue);
        }
    }
    fn get_status(&self) -> DeviceStatus {
        match self.gone() {
            Some(byte) => {
                let mut device = self.device.borrow_mut();
                if byte == 0 && device.status_writes.last() == Some(&0) {
                    // This is what a confirmed reset looks like, so the device keeps no memory.
                    device.queues = [None, None];
                }
                // As in both transports of the crate.
                DeviceStatus::from_bits_truncate(byte.into())
            }
            None => DeviceStatus::from_bits_retain(self.device.borrow().status),
        }
    }
    fn set_status(&mut self, status: DeviceStatus) {
        match self.gone() {
            Some(_) => self.device.borrow_mut().status_writes.push(status.bits()),
            None => self.device.borrow_mut().set_status(status.bits()),
        }
    }
    fn set_guest_page_size(&mut self, _: u32) {}
    fn requires_legacy_layout(&self) -> bool {
        self.device.borrow().legacy_layout
    }
    fn queue_set(&mut self, queue: u16, size: u32, descriptors: u64, driver_area: u64, device_area: u64) {
        if self.gone().is_some() {
            return;
        }
        let ring = Ring::new(size as u16, descriptors, driver_area, device_area);
        self.device.borrow_mut().queues[usize::from(queue)] = Some(ring);
    }
    fn queue_unset(&mut self, _: u16) {
        unreachable!("PCI ignores it and MMIO waits for ever; the driver resets instead");
    }
    fn queue_used(&mut self, queue: u16) -> bool {
        match self.gone() {
            Some(byte) => byte != 0,
            None => self.device.borrow().queues[usize::from(queue)].is_some(),
        }
    }
    fn ack_interrupt(&mut self) -> InterruptStatus {
        InterruptStatus::empty()
    }
    fn read_config_generation(&self) -> u32 {
        match self.gone() {
            Some(byte) => byte.into(),
            None => self.device.borrow_mut().config_generation(),
        }
    }
    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T, Error> {
        assert!(align_of::<T>() <= 4 && offset.is_multiple_of(align_of::<T>()), "aligned");
        let gone = self.gone().map(|byte| vec![byte; size_of::<T>()]);
        if let Some(bytes) = gone {
            return Ok(T::read_from_bytes(&bytes).unwrap());
        }
        let device = self.device.borrow();
        let bytes = device.config.get(offset..offset + size_of::<T>()).ok_or(Error::ConfigSpaceTooSmall)?;
        Ok(T::read_from_bytes(bytes).unwrap())
    }
    fn write_config_space<T: IntoBytes + Immutable>(&mut self, offset: usize, value: T) -> Result<(), Error> {
        assert_eq!((offset, size_of::<T>()), (36, 1), "only the bypass byte is writable");
        if self.gone().is_some() {
            return Ok(());
        }
        let mut device = self.device.borrow_mut();
        if device.bypass_writable {
            device.config[offset] = value.as_bytes()[0];
        }
        Ok(())
    }
}
