//! The registers of a virtio function on PCI (virtio 1.2, section 4.1.4).
//!
//! The PCI transport of `virtio-drivers` looks for the registers itself, through configuration space. It walks the list
//! of capabilities without a bound, adds offsets unchecked, measures BARs, and takes a BAR's value as a CPU address,
//! which it is not behind a host bridge that translates. Here, the capabilities are those that `pci` has read and
//! checked, and the BARs are mapped. The errors are the crate's.

use addr::{PhysAddr, Range};
use pci::{BarRegister, Function, VirtioCapability, VirtioStructure};
use virtio_drivers::transport::pci::bus::{DeviceFunctionInfo, HeaderType};
use virtio_drivers::transport::pci::{VirtioPciError, virtio_device_type};
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus};
use virtio_drivers::{Error, PhysAddr as VirtioPhysAddr};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Vendor ID of virtio devices (virtio 1.2, section 4.1.2).
const VENDOR: u16 = 0x1af4;

/// Offsets in the common configuration structure, and its size in bytes (section 4.1.4.3).
mod common {
    pub(super) const DEVICE_FEATURE_SELECT: u64 = 0;
    pub(super) const DEVICE_FEATURE: u64 = 4;
    pub(super) const DRIVER_FEATURE_SELECT: u64 = 8;
    pub(super) const DRIVER_FEATURE: u64 = 12;
    pub(super) const DEVICE_STATUS: u64 = 20;
    pub(super) const CONFIG_GENERATION: u64 = 21;
    pub(super) const QUEUE_SELECT: u64 = 22;
    pub(super) const QUEUE_SIZE: u64 = 24;
    pub(super) const QUEUE_ENABLE: u64 = 28;
    pub(super) const QUEUE_NOTIFY_OFF: u64 = 30;
    pub(super) const QUEUE_DESC: u64 = 32;
    pub(super) const QUEUE_DRIVER: u64 = 40;
    pub(super) const QUEUE_DEVICE: u64 = 48;
    pub(super) const SIZE: u64 = 56;
}

/// Structures in BARs that are mapped for good.
#[derive(Debug)]
pub struct VirtioPci {
    device_type: DeviceType,
    /// The common configuration: [`common::SIZE`] bytes at a multiple of 8.
    common: PhysAddr,
    /// The notification registers: at least two bytes, at an even address.
    notify: Range<PhysAddr>,
    /// Even.
    multiplier: u32,
    /// The interrupt status, one byte.
    interrupt: PhysAddr,
    /// The device configuration, at a multiple of 4.
    device: Option<Range<PhysAddr>>,
}

impl VirtioPci {
    /// The registers of `function` with these capabilities. `bars` are its BARs with their registers, mapped for good;
    /// of each structure, the first one in such a BAR is used.
    ///
    /// # Errors
    ///
    /// It is not a virtio function, or a structure is missing, too small, misaligned or not in its BAR.
    pub(crate) fn new(
        function: &Function,
        capabilities: &[VirtioCapability],
        bars: &[(BarRegister, Range<PhysAddr>)],
    ) -> Result<Self, VirtioPciError> {
        if function.vendor != VENDOR {
            return Err(VirtioPciError::InvalidVendorId(function.vendor));
        }
        let device_type = device_type(function).ok_or(VirtioPciError::InvalidDeviceId(function.device))?;
        let (mut common, mut notify, mut interrupt, mut device) = (None, None, None, None);
        for capability in capabilities {
            let Some((_, bar)) = bars.iter().find(|(register, _)| capability.is_in(*register)) else {
                continue;
            };
            let found = Some(Structure { capability: *capability, bar: *bar });
            let slot = match capability.structure {
                VirtioStructure::Common => &mut common,
                VirtioStructure::Notify { .. } => &mut notify,
                VirtioStructure::Interrupt => &mut interrupt,
                VirtioStructure::Device => &mut device,
                VirtioStructure::Access => continue,
            };
            *slot = slot.or(found);
        }
        let common = common.ok_or(VirtioPciError::MissingCommonConfig)?.registers(common::SIZE, 8)?;
        let notify = notify.ok_or(VirtioPciError::MissingNotifyConfig)?;
        let multiplier = match notify.capability.structure {
            VirtioStructure::Notify { multiplier } => multiplier,
            _ => 0,
        };
        if !multiplier.is_multiple_of(2) {
            return Err(VirtioPciError::InvalidNotifyOffMultiplier(multiplier));
        }
        let notify = notify.registers(2, 2)?;
        let interrupt = interrupt.ok_or(VirtioPciError::MissingIsrConfig)?.registers(1, 1)?;
        let device = device.map(|device| device.registers(4, 4)).transpose()?;
        let (common, interrupt) = (common.start(), interrupt.start());
        Ok(Self { device_type, common, notify, multiplier, interrupt, device })
    }

    pub(super) fn device_type(&self) -> DeviceType {
        self.device_type
    }

    pub(super) fn read_device_features(&self) -> u64 {
        let half = |select| {
            self.write::<u32>(common::DEVICE_FEATURE_SELECT, select);
            u64::from(self.read::<u32>(common::DEVICE_FEATURE))
        };
        half(0) | half(1) << 32
    }

    pub(super) fn write_driver_features(&self, features: u64) {
        for select in 0..2 {
            self.write::<u32>(common::DRIVER_FEATURE_SELECT, select);
            self.write(common::DRIVER_FEATURE, (features >> (32 * select)) as u32);
        }
    }

    pub(super) fn max_queue_size(&self, queue: u16) -> u32 {
        self.write(common::QUEUE_SELECT, queue);
        self.read::<u16>(common::QUEUE_SIZE).into()
    }

    /// Notifies `queue`, unless its register is outside of the notification structure: the offset comes from the device.
    pub(super) fn notify(&self, queue: u16) {
        self.write(common::QUEUE_SELECT, queue);
        let offset = u64::from(self.read::<u16>(common::QUEUE_NOTIFY_OFF)) * u64::from(self.multiplier);
        if offset <= self.notify.size() - 2 {
            // SAFETY: The place is inside of the notification structure, which is mapped for good, and even.
            unsafe { ((self.notify.start().0 + offset) as *mut u16).write_volatile(queue) };
        }
    }

    pub(super) fn status(&self) -> DeviceStatus {
        DeviceStatus::from_bits_truncate(self.read::<u8>(common::DEVICE_STATUS).into())
    }

    pub(super) fn set_status(&self, status: DeviceStatus) {
        self.write(common::DEVICE_STATUS, status.bits() as u8);
    }

    pub(super) fn queue_set(
        &self,
        queue: u16,
        size: u32,
        descriptors: VirtioPhysAddr,
        driver_area: VirtioPhysAddr,
        device_area: VirtioPhysAddr,
    ) {
        self.write(common::QUEUE_SELECT, queue);
        self.write(common::QUEUE_SIZE, size as u16);
        self.write::<u64>(common::QUEUE_DESC, descriptors);
        self.write::<u64>(common::QUEUE_DRIVER, driver_area);
        self.write::<u64>(common::QUEUE_DEVICE, device_area);
        self.write(common::QUEUE_ENABLE, 1_u16);
    }

    pub(super) fn queue_used(&self, queue: u16) -> bool {
        self.write(common::QUEUE_SELECT, queue);
        self.read::<u16>(common::QUEUE_ENABLE) == 1
    }

    pub(super) fn ack_interrupt(&self) -> InterruptStatus {
        // SAFETY: The register is mapped for good. Reading it acknowledges the interrupt, which is what is wanted.
        let status = unsafe { (self.interrupt.0 as *const u8).read_volatile() };
        InterruptStatus::from_bits_retain(status.into())
    }

    pub(super) fn config_generation(&self) -> u32 {
        self.read::<u8>(common::CONFIG_GENERATION).into()
    }

    pub(super) fn read_config<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T, Error> {
        let mut value = T::new_zeroed();
        let at = self.config(offset, size_of::<T>())?;
        let bytes = value.as_mut_bytes();
        let width = config_width(at, bytes.len());
        for (place, chunk) in bytes.chunks_exact_mut(width).enumerate() {
            let at = at + (place * width) as u64;
            match width {
                // SAFETY: `config` checked that all of the value is in the device configuration, which is mapped for
                // good; `config_width` that the access is aligned. Reading it has no side effects.
                4 => chunk.copy_from_slice(&unsafe { (at as *const u32).read_volatile() }.to_ne_bytes()),
                // SAFETY: As above.
                2 => chunk.copy_from_slice(&unsafe { (at as *const u16).read_volatile() }.to_ne_bytes()),
                // SAFETY: As above.
                _ => chunk[0] = unsafe { (at as *const u8).read_volatile() },
            }
        }
        Ok(value)
    }

    pub(super) fn write_config<T: IntoBytes + Immutable>(
        &self,
        offset: usize,
        value: T,
    ) -> Result<(), Error> {
        let at = self.config(offset, size_of::<T>())?;
        let bytes = value.as_bytes();
        let width = config_width(at, bytes.len());
        for (place, chunk) in bytes.chunks_exact(width).enumerate() {
            let at = at + (place * width) as u64;
            match *chunk {
                // SAFETY: As in `read_config`; a driver may write what it may read.
                [a, b, c, d] => unsafe {
                    (at as *mut u32).write_volatile(u32::from_ne_bytes([a, b, c, d]));
                },
                // SAFETY: As above.
                [a, b] => unsafe { (at as *mut u16).write_volatile(u16::from_ne_bytes([a, b])) },
                // SAFETY: As above.
                [byte, ..] => unsafe { (at as *mut u8).write_volatile(byte) },
                [] => {}
            }
        }
        Ok(())
    }

    /// Where `size` bytes of the device configuration are.
    fn config(&self, offset: usize, size: usize) -> Result<u64, Error> {
        let device = self.device.ok_or(Error::ConfigSpaceMissing)?;
        let end = offset.checked_add(size).ok_or(Error::ConfigSpaceTooSmall)?;
        if end as u64 > device.size() {
            Err(Error::ConfigSpaceTooSmall)
        } else {
            Ok(device.start().0 + offset as u64)
        }
    }

    /// Reads a register of the common configuration.
    fn read<T: Copy>(&self, offset: u64) -> T {
        // SAFETY: The offset is a constant of `common` and `T` its width, so the register is inside of the common
        // structure, which is mapped for good, and aligned.
        unsafe { ((self.common.0 + offset) as *const T).read_volatile() }
    }

    /// Writes a register of the common configuration.
    fn write<T: Copy>(&self, offset: u64, value: T) {
        // SAFETY: As in `read`. What a queue's registers refer to is for the caller of `queue_set` to answer for.
        unsafe { ((self.common.0 + offset) as *mut T).write_volatile(value) }
    }
}

/// A structure in a mapped BAR.
#[derive(Clone, Copy)]
struct Structure {
    capability: VirtioCapability,
    bar: Range<PhysAddr>,
}

impl Structure {
    /// Its registers: at least `size` bytes at a multiple of `alignment`, all in the BAR.
    #[inline(never)]
    fn registers(&self, size: u64, alignment: u64) -> Result<Range<PhysAddr>, VirtioPciError> {
        let VirtioCapability { bar, start, length, .. } = self.capability;
        if self.bar.start() == PhysAddr(0) {
            return Err(VirtioPciError::BarNotAllocated(bar));
        }
        let start = self.bar.start().checked_add(start.into());
        let range = start.and_then(|start| Range::from_size(start, length.into()));
        let fits = |range: &Range<PhysAddr>| self.bar.encloses(range) && range.size() >= size;
        let range = range.filter(fits).ok_or(VirtioPciError::BarOffsetOutOfRange)?;
        let address = range.start().0;
        if address.is_multiple_of(alignment) {
            Ok(range)
        } else {
            let (address, alignment) = (address as usize, alignment as usize);
            Err(VirtioPciError::Misaligned { address, alignment })
        }
    }
}

/// What kind of device it is, by its device ID.
fn device_type(function: &Function) -> Option<DeviceType> {
    virtio_device_type(&DeviceFunctionInfo {
        vendor_id: function.vendor,
        device_id: function.device,
        class: 0,
        subclass: 0,
        prog_if: 0,
        revision: 0,
        header_type: HeaderType::Standard,
    })
}

/// Width in bytes of the accesses to a field at `at` (virtio 1.2, section 4.1.3.1): that of the field, at most 4.
fn config_width(at: u64, size: usize) -> usize {
    [4, 2]
        .into_iter()
        .find(|width| size.is_multiple_of(*width) && at.is_multiple_of(*width as u64))
        .unwrap_or(1)
}
