//! VIOT, the Virtual I/O Translation table: bytes to ranges and IOMMU nodes (ACPI 6.5, section 5.2.34).
//!
//! The rules are those of Linux's `drivers/acpi/viot.c`, except that a node's body is checked as well as
//! its header: Linux reads past the end of a table that is cut there.

mod check;
mod error;
mod node;
mod parser;
mod table;

pub(super) use table::{IommuPlace, Viot, node_place};
