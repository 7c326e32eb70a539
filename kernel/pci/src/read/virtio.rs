//! The registers of a virtio function: vendor-specific capabilities (virtio 1.2, section 4.1.4).

use alloc::vec::Vec;

use crate::config::access::ConfigAccess;
use crate::function::Function;
use crate::function::bar::BarRegister;

/// Capability ID of vendor-specific capabilities (PCI Code and ID Assignment 1.11, section 2).
pub const VENDOR_SPECIFIC: u8 = 0x09;

/// Bytes of config space that can contain capabilities.
const CAPABILITY_SPACE: u16 = 0x100;
/// Bytes of a capability without and with additional data (sections 4.1.4.4 and 4.1.4.9).
const SIZE: u8 = 16;
const LONG_SIZE: u8 = 20;
/// The number of BARs of a function; higher numbers are reserved (section 4.1.4).
const BAR_COUNT: u8 = 6;

/// The structure that a capability refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VirtioStructure {
    /// Common configuration: status, features, queues.
    Common,
    /// Queue notifications.
    Notify {
        /// Bytes between the registers of two queues whose notify offsets differ by one.
        multiplier: u32,
    },
    /// The interrupt status.
    Interrupt,
    /// Configuration of the device type.
    Device,
    /// Access to any BAR through configuration space; it is not in a BAR itself.
    Access,
}

/// A valid capability: it is in config space, and its structure does not exceed the address range of a BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtioCapability {
    /// Its offset in config space.
    pub offset: u8,
    /// The structure that it refers to.
    pub structure: VirtioStructure,
    /// The BAR, 0 to 5.
    pub bar: u8,
    /// The offset of the structure in the BAR.
    pub start: u32,
    /// The size of the structure in bytes; `start + length` does not overflow.
    pub length: u32,
}

/// The valid capabilities, in the order of the list: by the specification a driver uses the first valid one of each
/// type.
#[must_use]
pub fn virtio_capabilities(config: &dyn ConfigAccess, function: &Function) -> Vec<VirtioCapability> {
    let mut usable = Vec::new();
    for capability in &function.capabilities {
        if capability.id == VENDOR_SPECIFIC {
            usable.extend(read(config, function, capability.offset));
        }
    }
    usable
}

fn read(config: &dyn ConfigAccess, function: &Function, offset: u8) -> Option<VirtioCapability> {
    let word = |at: u8| config.read32(function.address, u16::from(offset) + u16::from(at));
    let fits = |size: u8| u16::from(offset) + u16::from(size) <= CAPABILITY_SPACE;
    if !fits(SIZE) {
        return None;
    }
    let [_, _, size, kind] = word(0).to_le_bytes();
    if size < SIZE {
        return None;
    }
    let structure = match kind {
        1 => VirtioStructure::Common,
        2 if size >= LONG_SIZE && fits(LONG_SIZE) => VirtioStructure::Notify { multiplier: word(16) },
        3 => VirtioStructure::Interrupt,
        4 => VirtioStructure::Device,
        5 if size >= LONG_SIZE && fits(LONG_SIZE) => VirtioStructure::Access,
        _ => return None,
    };
    let (bar, start, length) = (word(4) as u8, word(8), word(12));
    if structure == VirtioStructure::Access {
        // BAR, offset and length are those of the driver's last access.
        return Some(VirtioCapability { offset, structure, bar: 0, start: 0, length: 0 });
    }
    start.checked_add(length)?;
    (bar < BAR_COUNT).then_some(VirtioCapability { offset, structure, bar, start, length })
}

impl VirtioCapability {
    /// Whether its structure is in the BAR `register`.
    #[must_use]
    pub fn is_in(&self, register: BarRegister) -> bool {
        self.structure != VirtioStructure::Access && register == BarRegister::Bar(self.bar)
    }
}
