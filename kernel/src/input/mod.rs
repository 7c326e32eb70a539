//! The kernel's input: the command line and the description of the machine.

pub(crate) mod acpi_handler;
mod acpi_tables;
mod console;
pub(crate) mod described;
pub(crate) mod description;
pub(crate) mod driver_choice;
pub(crate) mod efi;
mod fw_cfg_tables;
pub(crate) mod handover;
pub(crate) mod memory;
pub(crate) mod options;
pub(crate) mod order;
