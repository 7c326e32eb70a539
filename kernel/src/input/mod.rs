//! What the kernel is told: the command line and the description of the machine.

pub(crate) mod acpi_handler;
pub(crate) mod acpi_tables;
pub(crate) mod description;
pub(crate) mod driver_choice;
pub(crate) mod efi;
pub(crate) mod fw_cfg_tables;
pub(crate) mod options;
pub(crate) mod order;
