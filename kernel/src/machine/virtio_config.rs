//! Configuration space of one virtio function as presented to `virtio-drivers`: BARs contain CPU
//! addresses.
//!
//! The crate uses the value of a BAR as the CPU address of the registers. A BAR contains a bus
//! address, and the window of a host bridge may translate it. BARs are therefore presented as they
//! were measured and translated when the buses were enumerated, and never read again.
//!
//! The crate only supports registers in memory space. On this CPU, I/O space is also accessed as
//! memory, through the window of the host bridge, so a BAR in I/O space is presented as one in
//! memory space. A structure in a BAR that is not presented is hidden: a driver uses the first
//! instance of each that it can (virtio 1.2, section 4.1.4.2).
//!
//! The crate also walks the list of capabilities without a bound, and adds their offsets unchecked.
//! Only the capabilities that `pci` has read and checked are presented.

use alloc::vec::Vec;

use addr::{PciAddress, PhysAddr, Range};
use pci::{Bar, BarKind, BarRegister, ConfigAccess, Function, VirtioCapability, VirtioStructure};
use virtio_drivers::transport::pci::bus::{ConfigurationAccess, DeviceFunction};

use super::ecam::Ecam;

/// Offset of command and status, and the status bit for the presence of capabilities (PCI Local Bus
/// 3.0, section 6.2.3).
const COMMAND_STATUS: u8 = 0x04;
const HAS_CAPABILITIES: u32 = 1 << 20;
/// Offset of the offset of the first capability.
const CAPABILITIES: u8 = 0x34;

/// Words of a capability, including its optional part.
const CAPABILITY_WORDS: usize = 5;

/// Offset of BAR 0.
const BAR_0: u8 = 0x10;

/// Number of BARs of a function that is not a bridge.
const BAR_COUNT: u8 = 6;

/// Bits of a BAR that are not part of the address (PCI Local Bus 3.0, section 6.2.5.1).
const WIDTH_64: u64 = 1 << 2;
const PREFETCHABLE: u64 = 1 << 3;

/// Lowest alignment of a memory BAR; the address bits below are flags.
const BAR_ALIGNMENT: u64 = 16;

/// One function's configuration space; writes are dropped, except those that measure BARs.
#[derive(Clone, Debug)]
pub(crate) struct VirtioConfig {
    ecam: Ecam,
    at: PciAddress,
    /// Vendor and device ID; those of a virtual function cannot be read from it (PCIe 5.0, section
    /// 9.3.4.1.1).
    id: u32,
    bars: [Shown; BAR_COUNT as usize],
    capabilities: Vec<VirtioCapability>,
    /// The BAR register to which ones were written, to measure it.
    measured: Option<u8>,
    /// As `measured`, for the upper half of a BAR of 64 bits.
    upper_measured: bool,
}

/// A BAR as presented, and its value after ones were written; all 0 if there is none.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    value: u64,
    mask: u64,
    /// Offset of the registers in the presented BAR.
    shift: u32,
}

impl VirtioConfig {
    /// The configuration space of `function`, which is in `ecam`, with these capabilities and without any BAR.
    pub(crate) fn new(ecam: Ecam, function: &Function, capabilities: Vec<VirtioCapability>) -> Self {
        let bars = [Shown::default(); BAR_COUNT as usize];
        let id = u32::from(function.device) << 16 | u32::from(function.vendor);
        Self { ecam, at: function.address, id, bars, capabilities, measured: None, upper_measured: false }
    }

    /// Presents `bar`, whose registers are mapped for good at CPU address `registers`.
    pub(crate) fn show(&mut self, bar: &Bar, registers: Range<PhysAddr>) {
        let BarRegister::Bar(number) = bar.register else { return };
        let Some(shown) = self.bars.get_mut(usize::from(number)) else { return };
        // Registers in I/O space may begin at an address that is not a valid value of a memory BAR.
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

    /// Offset of the registers in a capability's presented BAR; `None` if that BAR is not
    /// presented.
    fn shift(&self, capability: &VirtioCapability) -> Option<u32> {
        let shown = self.bars.get(usize::from(capability.bar))?;
        let is_shown = capability.structure != VirtioStructure::Access && shown.mask != 0;
        is_shown.then_some(shown.shift)
    }

    /// Offset of the first presented capability from number `from` on; 0 if there is none.
    fn next_shown(&self, from: usize) -> u8 {
        let rest = self.capabilities.iter().skip(from);
        rest.into_iter().find(|next| self.shift(next).is_some()).map_or(0, |next| next.offset)
    }

    /// The word at `register_offset`, if it belongs to a presented capability.
    fn capability_word(&self, register_offset: u8) -> Option<u32> {
        let place =
            |capability: &VirtioCapability| usize::from(register_offset.wrapping_sub(capability.offset) / 4);
        self.capabilities.iter().enumerate().find_map(|(index, capability)| {
            let place = Some(place(capability)).filter(|place| *place < CAPABILITY_WORDS)?;
            let words = capability.words(self.shift(capability)?, self.next_shown(index + 1));
            words.get(place).copied()
        })
    }

    /// The value of BAR register `number`.
    ///
    /// A 32-bit BAR may have a CPU address that needs 64 bits. The next register is then its upper
    /// half, but only while it is being measured: only then does the crate read the half, and no
    /// other register.
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

/// The number of the BAR at an offset.
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
