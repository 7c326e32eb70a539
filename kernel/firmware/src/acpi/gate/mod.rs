//! From the address of the RSDP to complete tables, copied.
//!
//! What comes after reads nothing but these copies (ACPI 6.5, sections 5.2.5 to 5.2.8). A broken root is
//! an error; a broken table is a finding, and is left out. Every table has at least the length that its signature
//! asks for. A wrong checksum is a finding and does not cost the table, as in Linux (`acpi_ut_verify_checksum`).

mod gathering;
mod memory;
mod root;
mod table;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::PhysAddr;
use probe::{Finding, Findings, Severity};

use super::bytes::sum;
use super::error::AcpiError;
use super::limits::MAX_TABLES;
use crate::findings::TABLES;

use gathering::Gathering;
pub use memory::PhysicalMemory;
use root::{RSDP_OLD_SIZE, Roots, read_root, read_rsdp};
pub(super) use table::HEADER_SIZE;
pub use table::Table;
use table::{SINGLE, complete_table, label, odd_checksum};

/// All complete tables of a machine.
#[derive(Clone, Debug)]
pub struct Tables {
    rsdp: Table,
    root: Table,
    tables: Vec<Table>,
    findings: Vec<Finding>,
}

impl Tables {
    /// Gathers the tables to which the RSDP at `rsdp` leads.
    ///
    /// # Errors
    ///
    /// The RSDP or its root table is broken.
    pub fn gather(rsdp: PhysAddr, memory: &dyn PhysicalMemory) -> Result<Self, AcpiError> {
        let mut findings = Findings::about(&TABLES);
        let (rsdp, roots) = read_rsdp(rsdp, memory)?;
        // Whether the first checksum or the second one is wrong makes no difference: Linux checks neither.
        let old_sum = sum(rsdp.bytes.get(..RSDP_OLD_SIZE).unwrap_or_default());
        if old_sum != 0 || sum(&rsdp.bytes) != 0 {
            let what = "the checksum is wrong; it is used anyway";
            findings.add("acpi-table-checksum", Severity::Warning, format!("RSDP at {}", rsdp.at), what);
        }
        // A machine with both has the same tables in both; Linux prefers the XSDT as well.
        let (what, root_at, width) = match roots {
            Roots { xsdt: Some(xsdt), .. } => ("XSDT", xsdt, 8),
            Roots { rsdt: Some(rsdt), .. } => ("RSDT", rsdt, 4),
            Roots { .. } => return Err(AcpiError::NoRoot { at: rsdp.at }),
        };
        let root = read_root(what, root_at, memory)?;
        if let Some(odd) = odd_checksum(&root) {
            findings.add("acpi-table-checksum", Severity::Warning, label(&root), &odd);
        }
        let entries = root.bytes.get(HEADER_SIZE..).unwrap_or_default();
        let count = entries.len() / width;
        if count > MAX_TABLES {
            return Err(AcpiError::Count { what, at: root_at, count });
        }
        if !entries.len().is_multiple_of(width) {
            let what = format!(
                "{} bytes after the last entry (length {:#x}); they are ignored",
                entries.len() % width,
                root.bytes.len()
            );
            findings.add("acpi-root-length", Severity::Warning, label(&root), &what);
        }
        let mut gathering = Gathering { memory, tables: Vec::new(), seen: Vec::new(), total: 0, findings };
        for (number, entry) in entries.chunks_exact(width).enumerate() {
            let at = entry.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
            gathering.entry(&label(&root), number, PhysAddr(at));
        }
        gathering.dsdt();
        let Gathering { tables, findings, .. } = gathering;
        Ok(Self { rsdp, root, tables, findings: findings.into_list() })
    }

    /// Tables that come from files alone, each with its bytes; there is no root table that leads to them.
    #[must_use]
    pub fn of_files(given: &[(String, Vec<u8>)]) -> Self {
        let nothing = || Table { signature: *b"\0\0\0\0", at: PhysAddr(0), bytes: Vec::new() };
        let mut tables = Self { rsdp: nothing(), root: nothing(), tables: Vec::new(), findings: Vec::new() };
        tables.add(given, false);
        tables
    }

    /// Adds tables that come from elsewhere, each with its bytes alone; they get addresses that no table
    /// has. A table replaces those of its kind that came from memory (there can be several of some kinds),
    /// if `replace` is set; else it is added in front of them.
    ///
    /// Each is checked like any other; what is wrong with one is a finding about `name`. Of several tables that
    /// a machine has once, the first counts, as in Linux (`acpi_get_table` with instance 1).
    pub fn add(&mut self, given: &[(String, Vec<u8>)], replace: bool) {
        let mut findings = Findings::about(&TABLES);
        findings.extend(core::mem::take(&mut self.findings));
        let mut sound: Vec<Table> = Vec::new();
        for (name, bytes) in given.iter().take(MAX_TABLES) {
            let table = match complete_table(PhysAddr(0), bytes) {
                Ok(table) => table,
                Err(fault) => {
                    findings.add(fault.id(), Severity::Error, name, format!("{fault}; it is left out"));
                    continue;
                }
            };
            if let Some(odd) = odd_checksum(&table) {
                findings.add(
                    "acpi-table-checksum",
                    Severity::Warning,
                    format!("{name} ({})", table.name()),
                    &odd,
                );
            }
            let is_single = SINGLE.contains(&&table.signature);
            if is_single && sound.iter().any(|other| other.signature == table.signature) {
                let what = format!("another {} table was given before; this one is ignored", table.name());
                findings.add("acpi-table-duplicate", Severity::Warning, name, &what);
                continue;
            }
            sound.push(table);
        }
        if given.len() > MAX_TABLES {
            let what = format!(
                "{} tables were given, expected at most {MAX_TABLES}; the rest is ignored",
                given.len()
            );
            findings.add("acpi-table-count", Severity::Error, "ACPI", &what);
        }
        if replace {
            self.tables.retain(|table| !sound.iter().any(|new| new.signature == table.signature));
        }
        let mut free = self.free_address();
        for table in &mut sound {
            table.at = free;
            let end = free.0.saturating_add(table.bytes.len() as u64);
            free = PhysAddr(end.next_multiple_of(16));
        }
        sound.append(&mut self.tables);
        self.tables = sound;
        self.findings = findings.into_list();
    }

    /// An address behind all tables.
    fn free_address(&self) -> PhysAddr {
        let ends = self.tables.iter().map(|table| table.at.0.saturating_add(table.bytes.len() as u64));
        let end = ends.max().unwrap_or_default();
        PhysAddr(end.min(1 << 62).next_multiple_of(16))
    }

    /// Where the RSDP is.
    #[must_use]
    pub fn rsdp(&self) -> PhysAddr {
        self.rsdp.at
    }

    /// All tables in the order of the XSDT; the DSDT comes last.
    #[must_use]
    pub fn all(&self) -> &[Table] {
        &self.tables
    }

    /// The first table with this signature, which is the one that Linux takes.
    #[must_use]
    pub fn first(&self, signature: [u8; 4]) -> Option<&Table> {
        self.tables.iter().find(|table| table.signature == signature)
    }

    /// What is wrong with tables that were left out.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Every copy and the address for which it was made: RSDP, root table, all tables.
    pub fn copies(&self) -> impl Iterator<Item = (PhysAddr, &[u8])> {
        let fixed = [&self.rsdp, &self.root];
        fixed.into_iter().chain(&self.tables).map(|table| (table.at, table.bytes.as_slice()))
    }
}

/// A sound copy can be read again.
impl PhysicalMemory for Tables {
    fn read(&self, at: PhysAddr, bytes: usize) -> Option<Vec<u8>> {
        self.copies().find_map(|(start, table)| {
            let offset = usize::try_from(at.0.checked_sub(start.0)?).ok()?;
            Some(table.get(offset..offset.checked_add(bytes)?)?.to_vec())
        })
    }
}
