//! Configuration space of one virtio function, as `virtio-drivers` reads it: BARs hold CPU addresses.
//!
//! The crate takes what a BAR holds for the address at which the CPU finds the registers. A BAR holds the
//! address on the bus, and the window of a host bridge may put that elsewhere. So BARs are shown as
//! they were measured and translated when the buses were enumerated, and are never asked again.
//!
//! The crate knows registers in memory alone. To this CPU I/O space is memory too, behind the window of the host
//! bridge, so a BAR in I/O space is shown as one in memory. And a structure in a BAR that is not shown is hidden:
//! a driver uses the first instance of each that it can (virtio 1.2, section 4.1.4.2).
//!
//! The crate also walks the list of capabilities for as long as it goes on, and adds their offsets unchecked. So of
//! that list only what `pci` has read and checked is shown.

use alloc::vec::Vec;

use addr::{PciAddress, PhysAddr, Range};
use pci::{Bar, BarKind, BarRegister, ConfigAccess, Function, VirtioCapability, VirtioStructure};
use virtio_drivers::transport::pci::bus::{ConfigurationAccess, DeviceFunction};

use super::ecam::Ecam;

/// Offset of command and status, and the bit that says that there are capabilities (PCI Local Bus 3.0, section 6.2.3).
const COMMAND_STATUS: u8 = 0x04;
const HAS_CAPABILITIES: u32 = 1 << 20;
/// Offset of the offset of the first capability.
const CAPABILITIES: u8 = 0x34;

/// Words of a capability, with what may stand behind it.
const CAPABILITY_WORDS: usize = 5;

/// Offset of BAR 0.
const BAR_0: u8 = 0x10;

/// BARs of a function that is no bridge.
const BAR_COUNT: u8 = 6;

/// Bits of a BAR that are no address (PCI Local Bus 3.0, section 6.2.5.1).
const WIDTH_64: u64 = 1 << 2;
const PREFETCHABLE: u64 = 1 << 3;

/// Lowest alignment of a memory BAR; the address bits below are flags.
const BAR_ALIGNMENT: u64 = 16;

/// One function's configuration space; what is written goes nowhere but into the measuring of BARs.
#[derive(Clone, Debug)]
pub(crate) struct VirtioConfig {
    ecam: Ecam,
    at: PciAddress,
    /// Vendor and device ID; a virtual function does not show its own (PCIe 5.0, section 9.3.4.1.1).
    id: u32,
    bars: [Shown; BAR_COUNT as usize],
    capabilities: Vec<VirtioCapability>,
    /// Register that holds ones, which is how a BAR is measured.
    measured: Option<u8>,
    /// As `measured`, for the upper half of a BAR of 64 bits.
    upper_measured: bool,
}

/// A BAR as it is shown, and what it would read as after ones were written; all 0 if there is none.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    value: u64,
    mask: u64,
    /// How far into what is shown the registers begin.
    shift: u32,
}

impl VirtioConfig {
    /// The configuration space of `function`, which is in `ecam`, with these capabilities and without any BAR.
    pub(crate) fn new(ecam: Ecam, function: &Function, capabilities: Vec<VirtioCapability>) -> Self {
        let bars = [Shown::default(); BAR_COUNT as usize];
        let id = u32::from(function.device) << 16 | u32::from(function.vendor);
        Self { ecam, at: function.address, id, bars, capabilities, measured: None, upper_measured: false }
    }

    /// Shows `bar`, whose registers the CPU finds at `registers`; they are mapped for good.
    pub(crate) fn show(&mut self, bar: &Bar, registers: Range<PhysAddr>) {
        let BarRegister::Bar(number) = bar.register else { return };
        let Some(shown) = self.bars.get_mut(usize::from(number)) else { return };
        // Registers in I/O space may begin between two addresses that a BAR in memory can have.
        let address = registers.start().0;
        let shift = address % BAR_ALIGNMENT;
        let size = (registers.size() + shift).next_power_of_two().max(BAR_ALIGNMENT);
        let address = address - shift;
        let (wide, prefetchable) = match bar.kind {
            BarKind::Memory { wide, prefetchable } => (wide, prefetchable),
            BarKind::Io => (false, false),
        };
        let wide = wide || address > u64::from(u32::MAX);
        let flags = u64::from(wide) * WIDTH_64 + u64::from(prefetchable) * PREFETCHABLE;
        *shown = Shown { value: address | flags, mask: !(size - 1) | flags, shift: shift as u32 };
    }

    /// How far into what is shown the registers of a capability's BAR begin; none if that BAR is not shown.
    fn shift(&self, capability: &VirtioCapability) -> Option<u32> {
        let shown = self.bars.get(usize::from(capability.bar))?;
        let is_shown = capability.structure != VirtioStructure::Access && shown.mask != 0;
        is_shown.then_some(shown.shift)
    }

    /// Where the first capability from number `from` on is that is shown; 0 if none is.
    fn next_shown(&self, from: usize) -> u8 {
        let rest = self.capabilities.iter().skip(from);
        rest.into_iter().find(|next| self.shift(next).is_some()).map_or(0, |next| next.offset)
    }

    /// The word at `register_offset`, if it is one of a capability that is shown.
    fn capability_word(&self, register_offset: u8) -> Option<u32> {
        let place =
            |capability: &VirtioCapability| usize::from(register_offset.wrapping_sub(capability.offset) / 4);
        self.capabilities.iter().enumerate().find_map(|(index, capability)| {
            let place = Some(place(capability)).filter(|place| *place < CAPABILITY_WORDS)?;
            let words = capability.words(self.shift(capability)?, self.next_shown(index + 1));
            words.get(place).copied()
        })
    }

    /// What register `number` of the BARs reads as.
    ///
    /// A BAR of 32 bits may be at an address that takes 64, so the next register is its upper half, but only
    /// while it is being measured: that is when the crate asks for the half, and for no other register.
    fn bar(&self, number: u8) -> u32 {
        let half = |shown: Shown, is_measured| if is_measured { shown.mask } else { shown.value };
        match self.measured {
            Some(lower) if lower + 1 == number => {
                (half(self.bars[usize::from(lower)], self.upper_measured) >> 32) as u32
            }
            measured => half(self.bars[usize::from(number)], measured == Some(number)) as u32,
        }
    }
}

/// Which BAR is at an offset.
fn bar_number(register_offset: u8) -> Option<u8> {
    let number = register_offset.checked_sub(BAR_0)? / 4;
    (number < BAR_COUNT).then_some(number)
}

impl ConfigurationAccess for VirtioConfig {
    fn read_word(&self, _: DeviceFunction, register_offset: u8) -> u32 {
        if register_offset == 0 {
            return self.id;
        }
        if let Some(number) = bar_number(register_offset) {
            return self.bar(number);
        }
        if let Some(word) = self.capability_word(register_offset) {
            return word;
        }
        let word = self.ecam.read32(self.at, u16::from(register_offset));
        match register_offset {
            COMMAND_STATUS if self.next_shown(0) == 0 => word & !HAS_CAPABILITIES,
            COMMAND_STATUS => word | HAS_CAPABILITIES,
            CAPABILITIES => self.next_shown(0).into(),
            _ => word,
        }
    }

    fn write_word(&mut self, _: DeviceFunction, register_offset: u8, data: u32) {
        let Some(number) = bar_number(register_offset) else { return };
        let is_ones = data == u32::MAX;
        match self.measured {
            Some(lower) if lower + 1 == number => self.upper_measured = is_ones,
            _ => self.measured = is_ones.then_some(number),
        }
    }

    unsafe fn unsafe_clone(&self) -> Self {
        self.clone()
    }
}
