//! Where the structures of a virtio function are (virtio 1.2, section 4.1.4).

use alloc::vec::Vec;

use addr::PciAddress;
use pci::{Bar, BarRegister, ConfigAccess, Function};

/// Capability ID of vendor-specific capabilities (PCI Local Bus 3.0, appendix H).
pub(crate) const VENDOR_SPECIFIC: u8 = 0x09;

/// The common configuration.
pub(crate) const COMMON: u8 = 1;
/// Access to any BAR by way of configuration space.
pub(crate) const ACCESS: u8 = 5;

/// Offsets in the capability.
const KIND: u8 = 3;
const BAR: u8 = 4;
pub(crate) const OFFSET: u8 = 8;
const LENGTH: u8 = 12;
const DATA: u8 = 16;
/// Bytes of the capability with its data.
const SIZE: u8 = 20;

/// What one vendor-specific capability says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Structure {
    /// Where the capability is.
    pub(crate) capability: u8,
    /// Which structure.
    pub(crate) kind: u8,
    /// The BAR that it is in.
    bar: u8,
    /// Where in the BAR, in bytes.
    pub(crate) offset: u32,
}

/// The structures of a function, in the order of its capabilities.
pub(crate) fn all(config: &dyn ConfigAccess, function: &Function) -> Vec<Structure> {
    let at = function.address;
    let ours = function.capabilities.iter().filter(|entry| entry.id == VENDOR_SPECIFIC);
    let structure = |capability: u8| {
        // A capability at the very end of the 256 bytes is not one of virtio's.
        capability.checked_add(SIZE - 1)?;
        Some(Structure {
            capability,
            kind: config.read8(at, u16::from(capability + KIND)),
            bar: config.read8(at, u16::from(capability + BAR)),
            offset: config.read32(at, u16::from(capability + OFFSET)),
        })
    };
    ours.filter_map(|entry| structure(entry.offset)).collect()
}

impl Structure {
    /// Whether the structure is in `bar`.
    pub(crate) fn is_in(&self, bar: &Bar) -> bool {
        self.kind != ACCESS && bar.register == BarRegister::Bar(self.bar)
    }

    /// The number of the BAR that the structure is in; none for [`ACCESS`], which is in configuration space.
    pub(crate) fn bar_number(&self) -> Option<u8> {
        (self.kind != ACCESS).then_some(self.bar)
    }

    /// Writes the first register of `common` by way of this capability, which is an [`ACCESS`] (section 4.1.4.9).
    pub(crate) fn write_device_feature_select(
        &self,
        config: &mut dyn ConfigAccess,
        at: PciAddress,
        common: &Self,
        value: u32,
    ) {
        let register = |offset: u8| u16::from(self.capability + offset);
        config.write8(at, register(BAR), common.bar);
        config.write32(at, register(OFFSET), common.offset);
        config.write32(at, register(LENGTH), 4);
        config.write32(at, register(DATA), value);
    }
}
