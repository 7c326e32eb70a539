//! The way to configuration space, its registers by name, and the command register.

use core::cell::RefCell;
use core::fmt;

use addr::PciAddress;

use crate::function::Function;
use crate::read::bar::{BarKind, BarRegister};

/// Access to configuration space, 4,096 bytes a function.
///
/// `offset` is below 4,096 and a multiple of the access's size. Outside of what the implementation
/// covers, reads give all ones and writes go nowhere: as the bus itself does where nobody answers.
pub trait ConfigAccess {
    /// Reads one byte.
    fn read8(&self, at: PciAddress, offset: u16) -> u8;
    /// Reads two bytes, little-endian.
    fn read16(&self, at: PciAddress, offset: u16) -> u16;
    /// Reads four bytes, little-endian.
    fn read32(&self, at: PciAddress, offset: u16) -> u32;
    /// Writes one byte.
    fn write8(&mut self, at: PciAddress, offset: u16, value: u8);
    /// Writes two bytes, little-endian.
    fn write16(&mut self, at: PciAddress, offset: u16, value: u16);
    /// Writes four bytes, little-endian.
    fn write32(&mut self, at: PciAddress, offset: u16, value: u32);
}

/// Registers of the header (PCI Local Bus 3.0, section 6.1; PCI-to-PCI Bridge 1.2, section 3.2).
pub(crate) mod register {
    pub(crate) const ID: u16 = 0x00;
    pub(crate) const COMMAND: u16 = 0x04;
    pub(crate) const CLASS_REVISION: u16 = 0x08;
    pub(crate) const CACHE_LINE_HEADER: u16 = 0x0c;
    pub(crate) const BAR_0: u16 = 0x10;
    pub(crate) const BUS_NUMBERS: u16 = 0x18;
    pub(crate) const IO_WINDOW: u16 = 0x1c;
    pub(crate) const MEMORY_WINDOW: u16 = 0x20;
    pub(crate) const PREFETCH_WINDOW: u16 = 0x24;
    pub(crate) const PREFETCH_BASE_UPPER: u16 = 0x28;
    pub(crate) const PREFETCH_LIMIT_UPPER: u16 = 0x2c;
    pub(crate) const SUBSYSTEM: u16 = 0x2c;
    pub(crate) const ROM: u16 = 0x30;
    pub(crate) const IO_WINDOW_UPPER: u16 = 0x30;
    pub(crate) const CAPABILITIES: u16 = 0x34;
    pub(crate) const BRIDGE_ROM: u16 = 0x38;
}

bitflags::bitflags! {
    /// Bits of the command register that this crate changes (PCI Local Bus 3.0, section 6.2.2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Command: u16 {
        /// The function answers in I/O space.
        const IO = 1 << 0;
        /// The function answers in memory space.
        const MEMORY = 1 << 1;
        /// The function may do DMA; a bridge passes on what comes from below.
        const BUS_MASTER = 1 << 2;
    }
}

/// A function was not enabled because one of its BARs has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address}: {register} has no address, so it cannot be switched on")]
pub struct EnableError {
    /// The function.
    pub address: PciAddress,
    /// The register without an address.
    pub register: BarRegister,
}

/// Sets `command`'s bits in the function's command register and leaves all others as they are.
///
/// # Errors
///
/// `command` would make a BAR answer that has no address; nothing has been written.
pub fn enable(
    config: &mut dyn ConfigAccess,
    function: &Function,
    command: Command,
) -> Result<(), EnableError> {
    for bar in &function.bars {
        let decoded_by = if bar.kind == BarKind::Io { Command::IO } else { Command::MEMORY };
        if command.contains(decoded_by) && bar.bus_address.is_none() {
            return Err(EnableError { address: function.address, register: bar.register });
        }
    }
    let before = config.read16(function.address, register::COMMAND);
    config.write16(function.address, register::COMMAND, before | command.bits());
    Ok(())
}

/// What `read` finds while the function answers neither in I/O space nor in memory; then it answers as before.
pub fn while_silent<T>(
    config: &RefCell<dyn ConfigAccess + '_>,
    function: &Function,
    read: impl FnOnce() -> T,
) -> T {
    let before = config.borrow().read16(function.address, register::COMMAND);
    let silent = before & !(Command::IO | Command::MEMORY).bits();
    config.borrow_mut().write16(function.address, register::COMMAND, silent);
    let found = read();
    config.borrow_mut().write16(function.address, register::COMMAND, before);
    found
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bitflags::parser::to_writer(self, f)
    }
}
