//! The ACPI route from outside: bytes in, description, map and findings out.

#[path = "../../../src/input/acpi_handler.rs"]
mod acpi_handler;
#[path = "../answers/mod.rs"]
mod answers;
mod exercise;
mod fixtures;
mod fw_cfg;
mod gate;
mod iort;
mod loader;
mod machine;
mod model;
mod mutants;
mod namespace;
mod oracle;
mod viot;
