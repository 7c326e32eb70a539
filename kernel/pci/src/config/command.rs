//! The command register: what a function answers to, and whether it may do DMA.

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
    for bar in function.bars() {
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
