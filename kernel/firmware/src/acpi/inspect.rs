//! What tables say about IOMMUs, entry by entry and with offsets: for a tool that shows it to people.
//!
//! It is read by the same code as [`describe`](super::describe), and needs no RAM around the tables. A machine needs none
//! of this.

use alloc::vec::Vec;

use ::acpi::{AcpiHandler, AcpiTables};
use addr::{PhysAddr, Range};
use probe::Finding;

use super::error::AcpiError;
use super::gate::Tables;
use super::map::{AcpiMap, TableEntry};
use super::{Surroundings, describe};
use crate::{HostBridge, PlatformDevice};

/// The content of tables, as far as it is about IOMMUs.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Answers for devices.
    pub map: AcpiMap,
    /// Every entry that leads to an IOMMU, table by table.
    pub entries: Vec<TableEntry>,
    /// Whether there are more entries than were looked at.
    pub is_cut: bool,
    /// PCI host bridges.
    pub host_bridges: Vec<HostBridge>,
    /// Devices that Linux adds without asking a bus.
    pub platform_devices: Vec<PlatformDevice>,
    /// What is malformed or unusual.
    pub findings: Vec<Finding>,
}

/// Reads tables; `opened` are the same ones, as for [`describe`].
///
/// # Errors
///
/// None is known: whatever is wrong with the tables is a finding.
pub fn inspect<H: AcpiHandler>(tables: &Tables, opened: &AcpiTables<H>) -> Result<Inspection, AcpiError> {
    // Tables do not describe RAM, and nothing that is read here depends on it.
    let everything = Range::from_size(PhysAddr(0), 1 << 52).into_iter().collect();
    let surroundings = Surroundings { memory: everything, ..Surroundings::default() };
    let (description, map) = describe(tables, opened, surroundings)?;
    let (entries, is_cut) = map.entries(tables);
    Ok(Inspection {
        map,
        entries,
        is_cut,
        host_bridges: description.host_bridges,
        platform_devices: description.platform_devices,
        findings: description.findings,
    })
}
