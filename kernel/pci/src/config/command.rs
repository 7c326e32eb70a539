//! The command register: which address spaces a function decodes, and whether it may do DMA.

use core::cell::RefCell;
use core::fmt;

use addr::PciAddress;

use crate::config::access::ConfigAccess;
use crate::config::register;
use crate::function::Function;
use crate::function::bar::{BarKind, BarRegister};

bitflags::bitflags! {
    /// Bits of the command register that this crate changes (PCI Local Bus 3.0, section 6.2.2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Command: u16 {
        /// The function decodes I/O space.
        const IO = 1 << 0;
        /// The function decodes memory space.
        const MEMORY = 1 << 1;
        /// The function may do DMA; a bridge forwards requests from below.
        const BUS_MASTER = 1 << 2;
    }
}

/// A function was not enabled because one of its BARs has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{register} has no address, so the function cannot be enabled")]
pub struct EnableError {
    /// The function.
    pub address: PciAddress,
    /// The register without an address.
    pub register: BarRegister,
}

/// Sets the bits in `command` in the function's command register and leaves all others unchanged.
///
/// # Errors
///
/// `command` would enable a BAR without an address. Nothing has been written.
pub fn enable(
    config: &mut dyn ConfigAccess,
    function: &Function,
    command: Command,
) -> Result<(), EnableError> {
    check_addresses(function, command)?;
    let before = config.read16(function.address, register::COMMAND);
    // An emulator maps everything behind a bridge again when its command register is written.
    if before | command.bits() != before {
        config.write16(function.address, register::COMMAND, before | command.bits());
    }
    Ok(())
}

/// As [`enable`], but first calls `read` while the function decodes neither I/O nor memory space.
///
/// # Errors
///
/// As for [`enable`]; `read` has not been called.
pub fn enable_after<T>(
    config: &RefCell<dyn ConfigAccess + '_>,
    function: &Function,
    command: Command,
    read: impl FnOnce() -> T,
) -> Result<T, EnableError> {
    check_addresses(function, command)?;
    let before = config.borrow().read16(function.address, register::COMMAND);
    let silent = before & !(Command::IO | Command::MEMORY).bits();
    if silent != before {
        config.borrow_mut().write16(function.address, register::COMMAND, silent);
    }
    let found = read();
    config.borrow_mut().write16(function.address, register::COMMAND, before | command.bits());
    Ok(found)
}

/// Checks that every BAR that `command` would enable has an address.
fn check_addresses(function: &Function, command: Command) -> Result<(), EnableError> {
    for bar in function.bars() {
        let decoded_by = if bar.kind == BarKind::Io { Command::IO } else { Command::MEMORY };
        if command.contains(decoded_by) && bar.bus_address.is_none() {
            return Err(EnableError { address: function.address, register: bar.register });
        }
    }
    Ok(())
}

/// Clears the bits of `command` in the command register; whether they read as cleared.
pub fn disable(config: &mut dyn ConfigAccess, function: &Function, command: Command) -> bool {
    let before = config.read16(function.address, register::COMMAND);
    config.write16(function.address, register::COMMAND, before & !command.bits());
    config.read16(function.address, register::COMMAND) & command.bits() == 0
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bitflags::parser::to_writer(self, f)
    }
}
