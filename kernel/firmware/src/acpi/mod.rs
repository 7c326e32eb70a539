//! ACPI tables, made into one [`Description`] and one map of IOMMUs.
//!
//! Without firmware, [`table_loader`] makes tables from what QEMU offers through fw_cfg ([`fw_cfg`]); with firmware
//! they are in memory. [`Tables::gather`] is the gate: it copies and checks them. Behind it, the `acpi` crate reads
//! tables of fixed layout ([`Arena`]), [`aml`] reads the devices of the definition blocks, and each other module reads
//! one kind of content. A broken root is an error, with its place. A defect in one table, node or device leaves out
//! that one, and is a finding.
//!
//! Read are `DSDT`, `SSDT`, `FACP`, `APIC` (how many CPUs), `MCFG`, `SPCR`, `IORT` and `VIOT`; see
//! [`is_read`]. Deliberately missing: `GTDT`, `PPTT`, `SRAT`, `DBG2` and all others.

pub mod aml;
mod arena;
mod bytes;
mod console;
mod error;
pub mod fw_cfg;
mod gate;
mod host_bridge;
mod inspect;
mod iort;
mod limits;
mod map;
mod node;
mod platform;
mod small;
mod spec;
pub mod table_loader;
mod typed;
mod viot;

use alloc::string::String;
use alloc::vec::Vec;

use ::acpi::{AcpiHandler, AcpiTables};
use addr::{CpuAffinity, PhysAddr, Range};
use probe::{Findings, Severity};

use crate::Description;
use crate::ranges::merge;

pub use arena::Arena;
pub use error::AcpiError;
pub use gate::{PhysicalMemory, Table, Tables};
pub use inspect::{Inspection, inspect};
pub use limits::{MAX_TABLE_SIZE, MAX_TABLES};
pub use map::{AcpiMap, EntrySubject, TableEntry};

use crate::findings::TABLES;
use aml::Namespace;
use host_bridge::Selection;
use typed::Typed;

/// Tables whose contents are used; all others are passed over, which a log should say.
#[must_use]
pub fn is_read(signature: [u8; 4]) -> bool {
    const READ: [&[u8; 4]; 8] = [b"APIC", b"DSDT", b"FACP", b"IORT", b"MCFG", b"SPCR", b"SSDT", b"VIOT"];
    READ.contains(&&signature)
}

/// Data that ACPI tables do not contain, from whatever started the kernel.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// RAM; from the EFI memory map, or from fw_cfg. Neither sorted nor merged.
    pub memory: Vec<Range<PhysAddr>>,
    /// Parts of RAM that are taken, the tables among them if they lie there.
    pub reserved: Vec<Range<PhysAddr>>,
    /// Kernel command line.
    pub command_line: String,
}

/// Reads the whole description of the machine from its tables.
///
/// `opened` are the same tables, in an [`Arena`], as the `acpi` crate reads them.
///
/// # Errors
///
/// `surroundings` has no RAM. Whatever is wrong with the tables is a finding.
pub fn describe<H: AcpiHandler>(
    tables: &Tables,
    opened: &AcpiTables<H>,
    surroundings: Surroundings,
) -> Result<(Description, AcpiMap), AcpiError> {
    describe_with(tables, &Typed::read(opened), surroundings)
}

fn describe_with(
    tables: &Tables,
    typed: &Typed,
    surroundings: Surroundings,
) -> Result<(Description, AcpiMap), AcpiError> {
    let memory = merge(surroundings.memory);
    if memory.is_empty() {
        return Err(AcpiError::NoMemory);
    }
    let mut findings = Findings::about(&TABLES);
    findings.extend(tables.findings().iter().cloned());

    let namespace = namespace(tables, &mut findings);
    let names = platform::names(&namespace);
    let mut map = AcpiMap::read(tables, &namespace, &mut findings);
    let platform_devices = platform::devices(&namespace, &names, &mut findings);
    let selection = Selection { typed, names: &names };
    let mut host_bridges = selection.host_bridges(tables, &namespace, &mut findings);
    map.attach(&mut host_bridges, &mut findings);

    if tables.first(*b"FACP").is_none() {
        let what = "the table is missing; the DSDT and PSCI are unknown";
        findings.add("acpi-table-missing", Severity::Error, "FACP", what);
    }
    let (cpus, affinities) = cpus(tables, &mut findings);
    let console = console::console(typed, &namespace, &mut findings);
    let description = Description {
        memory,
        reserved: merge(surroundings.reserved),
        command_line: surroundings.command_line,
        console,
        psci: typed.psci,
        cpus,
        affinities,
        requests_acs: map.requests_acs(),
        host_bridges,
        platform_devices,
        findings: findings.into_list(),
    };
    Ok((description, map))
}

/// The namespace that the DSDT and then the SSDTs build.
fn namespace(tables: &Tables, findings: &mut Findings) -> Namespace {
    let with = |signature: [u8; 4]| tables.all().iter().filter(move |table| table.signature == signature);
    let blocks: Vec<&[u8]> =
        with(*b"DSDT").take(1).chain(with(*b"SSDT")).map(|table| table.bytes.as_slice()).collect();
    let namespace = aml::read(&blocks);
    findings.extend(namespace.findings().iter().cloned());
    namespace
}

/// CPUs of the MADT that may be used, at least the one that runs this, and which those are.
fn cpus(tables: &Tables, findings: &mut Findings) -> (u32, Vec<CpuAffinity>) {
    let Some(madt) = tables.first(*b"APIC") else { return (1, Vec::new()) };
    let (affinities, broken_at) = small::cpus(&madt.bytes);
    if let Some(at) = broken_at {
        let place = alloc::format!("APIC entry at {at:#x}");
        let what = "the length exceeds the table or is below 2; the rest is not read";
        findings.add("madt-entry-broken", Severity::Warning, &place, what);
    }
    ((affinities.len() as u32).max(1), affinities.into_iter().flatten().collect())
}
