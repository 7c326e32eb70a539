//! virtio-mmio slots: platform devices that may have a virtio device in them.

use addr::{PhysAddr, Range};
use firmware::PlatformDevice;

use crate::machine::registers::{self, RegistersError};

/// "virt", the first register of a virtio-mmio device (virtio 1.2, section 4.2.2).
const VIRTIO_MMIO_MAGIC: u32 = 0x7472_6976;

/// The identifiers of a virtio-mmio slot in a device tree and in ACPI.
const VIRTIO_MMIO_IDS: [&str; 2] = ["virtio,mmio", "LNRO0005"];
/// Offset of the register with the device's type; 0 in an empty slot.
const VIRTIO_MMIO_DEVICE_ID: u64 = 8;

/// Whether the device is a virtio-mmio slot.
pub(super) fn is_slot(device: &PlatformDevice) -> bool {
    device.compatible.iter().any(|id| VIRTIO_MMIO_IDS.contains(&id.as_str()))
}

/// The first range of registers of a device.
pub(super) fn first_registers(device: &PlatformDevice) -> Option<Range<PhysAddr>> {
    device.registers.first().copied()
}

/// The type of the device in a virtio-mmio slot; `None` if this is not such a slot, or an empty
/// one.
pub(super) fn device_type(device: &PlatformDevice) -> Result<Option<u32>, RegistersError> {
    if !is_slot(device) {
        return Ok(None);
    }
    let Some(range) = first_registers(device).filter(|range| range.size() >= 0x100) else {
        return Ok(None);
    };
    // SAFETY: The first register of a virtio-mmio device is a constant.
    if unsafe { registers::map(range) }? != VIRTIO_MMIO_MAGIC {
        return Ok(None);
    }
    // SAFETY: The registers are at least 256 bytes, aligned, and mapped; reading this one has no effect
    // (virtio 1.2, section 4.2.2).
    let kind = unsafe { core::ptr::read_volatile((range.start().0 + VIRTIO_MMIO_DEVICE_ID) as *const u32) };
    Ok((kind != 0).then_some(kind))
}
