//! IORT, the I/O Remapping table: nodes, and the mapping of IDs from one to the next (Arm DEN 0049).
//!
//! The rules are those of Linux's `drivers/acpi/arm64/iort.c`, its tolerance of ranges that are one too
//! long included. Only what leads to an IOMMU is followed; interrupts are of no interest here. Nodes that are not
//! used (PMCG, RMR, IWB) are findings that say so.

mod check;
mod error;
mod node;
mod parser;
mod ranges;
mod table;

pub(super) use node::{Kind, Node};
pub(super) use ranges::Budget;
pub(super) use table::{Iort, Way};
