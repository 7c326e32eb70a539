//! The transports of `virtio-drivers`, without the waits and panics that a misbehaving device can
//! cause.
//!
//! - Dropping one of the crate's PCI transports resets the device and waits until it confirms. A
//!   removed device reads as all ones and never confirms. This transport requests a reset and does
//!   not wait; a driver that shares memory with the device waits with its own deadline.
//! - The crate's PCI transport assumes that a queue's notification address lies in the notification
//!   structure. The offset comes from the device, so it is checked here each time.
//! - On MMIO, releasing a queue waits for the device. No driver here does that; a reset releases
//!   all queues.

use core::mem::ManuallyDrop;

use addr::{PhysAddr, Range};
use pci::{BarRegister, VirtioCapability, VirtioStructure};
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, SomeTransport, Transport};
use virtio_drivers::{PhysAddr as VirtioPhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Offsets in the common configuration structure (virtio 1.2, section 4.1.4.3).
const QUEUE_SELECT: u64 = 22;
const QUEUE_NOTIFY_OFF: u64 = 30;

/// A virtio device's registers.
pub struct VirtioTransport {
    /// Never dropped, because the destructor may wait for ever.
    inner: ManuallyDrop<SomeTransport<'static>>,
    /// The notification registers on PCI.
    doorbells: Option<Doorbells>,
}

/// The notification registers of a device on PCI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doorbells {
    /// The common configuration structure.
    common: PhysAddr,
    /// The notification structure: at least two bytes, at an even address.
    notify: Range<PhysAddr>,
    multiplier: u32,
}

impl Doorbells {
    /// The notification registers of a device with these capabilities, whose BARs are mapped for
    /// good as in `bars`; `None` if its notification structure is missing or too small.
    pub(crate) fn new(
        capabilities: &[VirtioCapability],
        bars: &[(BarRegister, Range<PhysAddr>)],
    ) -> Option<Self> {
        let registers = |capability: &VirtioCapability| {
            let bar = bars.iter().find(|(register, _)| *register == BarRegister::Bar(capability.bar));
            let start = bar?.1.start().checked_add(capability.start.into())?;
            Range::from_size(start, capability.length.into())
                .filter(|range| bar.is_some_and(|bar| bar.1.encloses(range)))
        };
        let is_mapped = |each: &&VirtioCapability| bars.iter().any(|(register, _)| each.is_in(*register));
        let mut shown = capabilities.iter().filter(is_mapped);
        let common = shown.clone().find(|each| each.structure == VirtioStructure::Common)?;
        let common = registers(common).filter(|range| range.size() >= QUEUE_NOTIFY_OFF + 2)?.start();
        shown.find_map(|each| {
            let VirtioStructure::Notify { multiplier } = each.structure else { return None };
            let notify = registers(each).filter(|range| range.size() >= 2)?;
            let is_even = |number: u64| number.is_multiple_of(2);
            (is_even(common.0) && is_even(notify.start().0) && is_even(multiplier.into())).then_some(Self {
                common,
                notify,
                multiplier,
            })
        })
    }

    /// Notifies `queue`, unless its notification register is outside of the structure.
    fn ring(&self, queue: u16) {
        // SAFETY: The register is inside of the common structure, which is mapped for good, and aligned.
        unsafe { ((self.common.0 + QUEUE_SELECT) as *mut u16).write_volatile(queue) };
        // SAFETY: As above.
        let offset = unsafe { ((self.common.0 + QUEUE_NOTIFY_OFF) as *const u16).read_volatile() };
        let offset = u64::from(offset) * u64::from(self.multiplier);
        if offset <= self.notify.size() - 2 {
            // SAFETY: The place is inside of the notification structure, which is mapped for good, and even.
            unsafe { ((self.notify.start().0 + offset) as *mut u16).write_volatile(queue) };
        }
    }
}

impl VirtioTransport {
    /// A device on PCI.
    pub(crate) fn pci(transport: PciTransport, doorbells: Doorbells) -> Self {
        Self { inner: ManuallyDrop::new(transport.into()), doorbells: Some(doorbells) }
    }

    /// A device on MMIO.
    pub(crate) fn mmio(transport: MmioTransport<'static>) -> Self {
        Self { inner: ManuallyDrop::new(transport.into()), doorbells: None }
    }
}

impl Drop for VirtioTransport {
    fn drop(&mut self) {
        self.set_status(DeviceStatus::empty());
    }
}

impl Transport for VirtioTransport {
    fn device_type(&self) -> DeviceType {
        self.inner.device_type()
    }

    fn read_device_features(&mut self) -> u64 {
        self.inner.read_device_features()
    }

    fn write_driver_features(&mut self, driver_features: u64) {
        self.inner.write_driver_features(driver_features);
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        self.inner.max_queue_size(queue)
    }

    fn notify(&mut self, queue: u16) {
        match &self.doorbells {
            Some(doorbells) => doorbells.ring(queue),
            None => self.inner.notify(queue),
        }
    }

    fn get_status(&self) -> DeviceStatus {
        self.inner.get_status()
    }

    fn set_status(&mut self, status: DeviceStatus) {
        self.inner.set_status(status);
    }

    fn set_guest_page_size(&mut self, guest_page_size: u32) {
        self.inner.set_guest_page_size(guest_page_size);
    }

    fn requires_legacy_layout(&self) -> bool {
        self.inner.requires_legacy_layout()
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        descriptors: VirtioPhysAddr,
        driver_area: VirtioPhysAddr,
        device_area: VirtioPhysAddr,
    ) {
        self.inner.queue_set(queue, size, descriptors, driver_area, device_area);
    }

    /// Does nothing; a reset releases all queues.
    fn queue_unset(&mut self, _queue: u16) {}

    fn queue_used(&mut self, queue: u16) -> bool {
        self.inner.queue_used(queue)
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        self.inner.ack_interrupt()
    }

    fn read_config_generation(&self) -> u32 {
        self.inner.read_config_generation()
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        self.inner.read_config_space(offset)
    }

    fn write_config_space<T: IntoBytes + Immutable>(&mut self, offset: usize, value: T) -> Result<()> {
        self.inner.write_config_space(offset, value)
    }
}
