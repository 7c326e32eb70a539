//! Configuration space of one virtio function, as `virtio-drivers` reads it: BARs hold CPU addresses.
//!
//! The crate takes what a BAR holds for the address at which the CPU finds the registers. A BAR holds the
//! address on the bus, and the window of a host bridge may put that elsewhere. So BARs are shown as
//! they were measured and translated when the buses were enumerated, and are never asked again.

use addr::{PciAddress, PhysAddr, Range};
use pci::{Bar, BarKind, BarRegister, ConfigAccess};
use virtio_drivers::transport::pci::bus::{ConfigurationAccess, DeviceFunction};

use super::ecam::Ecam;

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
    bars: [Shown; BAR_COUNT as usize],
    /// Register that holds ones, which is how a BAR is measured.
    measured: Option<u8>,
    /// As `measured`, for the upper half of a BAR of 64 bits.
    upper_measured: bool,
}

/// A BAR as it is shown, and what it would read as after ones were written; both 0 if there is none.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    value: u64,
    mask: u64,
}

impl VirtioConfig {
    /// The configuration space of the function at `at`, which is in `ecam`, without any BAR.
    pub(crate) fn new(ecam: Ecam, at: PciAddress) -> Self {
        let bars = [Shown::default(); BAR_COUNT as usize];
        Self { ecam, at, bars, measured: None, upper_measured: false }
    }

    /// Shows `bar`, whose registers the CPU finds at `registers`; they are mapped for good.
    ///
    /// A BAR that is aligned for the bus and not for the CPU cannot be shown.
    pub(crate) fn show(&mut self, bar: &Bar, registers: Range<PhysAddr>) {
        let address = registers.start().0;
        let (BarRegister::Bar(number), BarKind::Memory { wide, prefetchable }) = (bar.register, bar.kind)
        else {
            return;
        };
        if let Some(shown) = self.bars.get_mut(usize::from(number))
            && address.is_multiple_of(BAR_ALIGNMENT)
        {
            let wide = wide || address > u64::from(u32::MAX);
            let flags = u64::from(wide) * WIDTH_64 + u64::from(prefetchable) * PREFETCHABLE;
            *shown = Shown { value: address | flags, mask: !(registers.size() - 1) | flags };
        }
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
        match bar_number(register_offset) {
            Some(number) => self.bar(number),
            None => self.ecam.read32(self.at, u16::from(register_offset)),
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
