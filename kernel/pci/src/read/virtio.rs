//! Where a virtio function has its registers: vendor-specific capabilities (virtio 1.2, section 4.1.4).

use alloc::vec::Vec;

use crate::config::access::ConfigAccess;
use crate::function::Function;
use crate::function::bar::BarRegister;

/// Capability ID of vendor-specific capabilities (PCI Code and ID Assignment 1.11, section 2).
pub const VENDOR_SPECIFIC: u8 = 0x09;

/// Bytes of config space that capabilities can be in.
const CAPABILITY_SPACE: u16 = 0x100;
/// Bytes of a capability, and of one with a multiplier or data behind it (sections 4.1.4.4 and 4.1.4.9).
const SIZE: u8 = 16;
const LONG_SIZE: u8 = 20;
/// BARs of a function; higher numbers are reserved (section 4.1.4).
const BAR_COUNT: u8 = 6;

/// What a capability leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VirtioStructure {
    /// Status, features, queues.
    Common,
    /// Where queues are notified.
    Notify {
        /// Bytes between the places of two queues whose offsets differ by one.
        multiplier: u32,
    },
    /// The interrupt status.
    Interrupt,
    /// What is particular to the kind of device.
    Device,
    /// Access to any BAR by way of configuration space; it is in no BAR itself.
    Access,
}

/// A capability that can be used: it lies in config space, and what it leads to in a BAR's address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtioCapability {
    /// Where in config space it begins.
    pub offset: u8,
    /// What it leads to.
    pub structure: VirtioStructure,
    /// The BAR, 0 to 5.
    pub bar: u8,
    /// Where in the BAR, in bytes.
    pub start: u32,
    /// How many bytes; `start + length` does not overflow.
    pub length: u32,
}

/// The capabilities that can be used, in their order: the specification has a driver take the first one of each kind
/// that it can.
#[must_use]
pub fn virtio_capabilities(config: &dyn ConfigAccess, function: &Function) -> Vec<VirtioCapability> {
    let vendor = function.capabilities.iter().filter(|capability| capability.id == VENDOR_SPECIFIC);
    vendor.filter_map(|capability| read(config, function, capability.offset)).collect()
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
        // What a driver used it for last.
        return Some(VirtioCapability { offset, structure, bar: 0, start: 0, length: 0 });
    }
    start.checked_add(length)?;
    (bar < BAR_COUNT).then_some(VirtioCapability { offset, structure, bar, start, length })
}

impl VirtioCapability {
    /// Whether what it leads to is in the BAR `register`.
    #[must_use]
    pub fn is_in(&self, register: BarRegister) -> bool {
        self.structure != VirtioStructure::Access && register == BarRegister::Bar(self.bar)
    }

    /// The words of the capability, for a BAR that begins `shift` bytes earlier, and with `next` as the offset of the
    /// capability that follows; 0 if none does.
    #[must_use]
    pub fn words(&self, shift: u32, next: u8) -> [u32; 5] {
        let (kind, size, multiplier) = match self.structure {
            VirtioStructure::Common => (1, SIZE, 0),
            VirtioStructure::Notify { multiplier } => (2, LONG_SIZE, multiplier),
            VirtioStructure::Interrupt => (3, SIZE, 0),
            VirtioStructure::Device => (4, SIZE, 0),
            VirtioStructure::Access => (5, LONG_SIZE, 0),
        };
        let head = u32::from_le_bytes([VENDOR_SPECIFIC, next, size, kind]);
        // No BAR has so many bytes that a start at the very end would be in it.
        [head, self.bar.into(), self.start.saturating_add(shift), self.length, multiplier]
    }
}
