//! The device as the driver first finds it: mostly QEMU's, sometimes one that a driver should refuse.

use super::bytes::Bytes;
use crate::model::{Device, QEMU_FEATURES};

/// Endpoints that the device has; the driver is asked about one more.
pub(super) const ENDPOINTS: u32 = 4;

/// A device drawn from `bytes`.
pub(super) fn device(bytes: &mut Bytes) -> Device {
    let mut device = Device::new(&[0, 1, 2, 3]);
    let unusual = bytes.byte();
    if unusual & 1 != 0 {
        device.does_not_move = true;
    }
    if unusual & 2 != 0 {
        device.offered = features(bytes);
    }
    if unusual & 4 != 0 {
        configuration(bytes, &mut device.config);
    }
    if unusual & 8 != 0 {
        device.status = bytes.byte().into();
        device.reset_polls = bytes.byte().into();
    }
    if unusual & 0xf0 == 0xf0 {
        refused(bytes, &mut device);
    }
    device
}

pub(super) fn features(bytes: &mut Bytes) -> u64 {
    match bytes.byte() {
        255 => bytes.u64(),
        // Without one of the features that the driver can do without.
        byte => QEMU_FEATURES & !(u64::from(byte) & 0x7b) | u64::from(byte >> 7) << 33,
    }
}

/// Changes one field, or two, to a value that tests a limit.
pub(super) fn configuration(bytes: &mut Bytes, config: &mut [u8]) {
    for _ in 0..=bytes.below(2) {
        let (offset, value) = match bytes.below(8) {
            0 => (
                0,
                [0xffff_ffff_ffff_f000, 0x1000, 0x4000, 0x1_0000, 1 << 63, 0x1001][bytes.below(6) as usize],
            ),
            1 => (8, [0x1000, 0x5000, 0x5800, 0xffff_f000][bytes.below(4) as usize]),
            2 => (16, [0xffff_ffff, 0xffff, 0xffff_ffff_f000, 0x7000][bytes.below(4) as usize]),
            // First and last domain: the field is two of four bytes.
            3 => (24, [3 << 32 | 1, 0, 6 << 32 | 5, u64::MAX][bytes.below(4) as usize]),
            4 => (32, [0, 4, 24, 100, 0x1_0000, 0x1_0001][bytes.below(6) as usize]),
            _ => (8 * bytes.below(5) as usize, bytes.u64()),
        };
        let end = config.len().min(offset + 8);
        if let Some(field) = config.get_mut(offset..end) {
            field.copy_from_slice(&value.to_le_bytes()[..field.len()]);
        }
    }
}

fn refused(bytes: &mut Bytes, device: &mut Device) {
    match bytes.below(6) {
        0 => device.refuses_features = true,
        1 => device.gives_up_at_start = true,
        2 => device.legacy_layout = true,
        3 => device.device_type = virtio_drivers::transport::DeviceType::Block,
        4 => device.queue_sizes[bytes.below(2) as usize] = bytes.u16().into(),
        _ => device.config.truncate(bytes.below(40) as usize),
    }
}
