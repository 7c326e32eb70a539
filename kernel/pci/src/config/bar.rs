//! The registers that hold the addresses of BARs.

use addr::PciAddress;

use crate::config::access::ConfigAccess;
use crate::config::register;
use crate::function::bar::{Bar, BarKind, BarRegister};

/// Address bits of each kind of register.
pub(crate) const IO_ADDRESS: u32 = !3;
pub(crate) const MEMORY_ADDRESS: u32 = !0xf;
pub(crate) const ROM_ADDRESS: u32 = !0x7ff;

impl Bar {
    /// The offset of the register in a function with this header type.
    pub(crate) fn offset(&self, header_type: u8) -> u16 {
        match self.register {
            BarRegister::Bar(number) => register::BAR_0 + 4 * u16::from(number),
            BarRegister::Virtual { offset, .. } => offset,
            BarRegister::Rom if header_type == 1 => register::BRIDGE_ROM,
            BarRegister::Rom => register::ROM,
        }
    }

    /// Writes the address, or zero if there is none. A ROM stays disabled.
    pub(crate) fn write(&self, config: &mut dyn ConfigAccess, at: PciAddress, header_type: u8) {
        let (offset, address) = (self.offset(header_type), self.bus_address.unwrap_or(0));
        config.write32(at, offset, address as u32);
        if let BarKind::Memory { wide: true, .. } = self.kind {
            config.write32(at, offset + 4, (address >> 32) as u32);
        }
    }

    /// The address in the register.
    pub(crate) fn held(&self, config: &dyn ConfigAccess, at: PciAddress, header_type: u8) -> u64 {
        let offset = self.offset(header_type);
        let mask = match (self.register, self.kind) {
            (BarRegister::Rom, _) => ROM_ADDRESS,
            (_, BarKind::Io) => IO_ADDRESS,
            (_, BarKind::Memory { .. }) => MEMORY_ADDRESS,
        };
        let low = u64::from(config.read32(at, offset) & mask);
        match self.kind {
            BarKind::Memory { wide: true, .. } => u64::from(config.read32(at, offset + 4)) << 32 | low,
            _ => low,
        }
    }
}
