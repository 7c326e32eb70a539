//! Properties of an endpoint, as PROBE returns them (virtio 1.2, section 5.13.6.7).

use alloc::vec::Vec;

use crate::message::Interval;

/// Type of a property that describes a reserved region.
pub(crate) const RESV_MEM: u16 = 1;
/// Bytes of the value of [`RESV_MEM`].
pub(crate) const RESV_MEM_SIZE: usize = 20;
/// Subtype of a region for message signalled interrupts.
pub(crate) const SUBTYPE_MSI: u8 = 1;

/// Bytes of the header of a property.
const HEADER_SIZE: usize = 4;
/// Bits of the header's first field that contain the type.
const TYPE_MASK: u16 = 0xfff;

/// One property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) kind: u16,
    /// The reserved bits of the header.
    pub(crate) reserved: u16,
    pub(crate) value: Vec<u8>,
}

/// A reserved region.
pub(crate) struct Region {
    pub(crate) subtype: u8,
    pub(crate) reserved: [u8; 3],
    pub(crate) interval: Interval,
}

/// The properties before the first empty one, and the bytes after them; `None` if a property does not fit.
pub(crate) fn list(bytes: &[u8]) -> Option<(Vec<Property>, &[u8])> {
    let mut rest = bytes;
    let mut properties = Vec::new();
    while let [kind_low, kind_high, length_low, length_high, after @ ..] = rest {
        let kind = u16::from_le_bytes([*kind_low, *kind_high]);
        if kind & TYPE_MASK == 0 {
            break;
        }
        let length = usize::from(u16::from_le_bytes([*length_low, *length_high]));
        let value = after.get(..length)?.to_vec();
        properties.push(Property { kind: kind & TYPE_MASK, reserved: kind & !TYPE_MASK, value });
        rest = &rest[HEADER_SIZE + length..];
    }
    Some((properties, rest))
}

impl Property {
    /// The reserved region that it describes, if it is one of the right size.
    pub(crate) fn region(&self) -> Option<Region> {
        let value: &[u8; RESV_MEM_SIZE] = self.value.as_slice().try_into().ok()?;
        if self.kind != RESV_MEM {
            return None;
        }
        let double = |at: usize| (0..8).fold(0, |sum, byte| sum | u64::from(value[at + byte]) << (8 * byte));
        Some(Region {
            subtype: value[0],
            reserved: [value[1], value[2], value[3]],
            interval: (double(4), double(12)),
        })
    }
}
