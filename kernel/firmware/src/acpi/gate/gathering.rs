//! From the entries of the root table to tables, one after the other.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::PhysAddr;
use probe::{Findings, Severity};

use crate::acpi::error::TableFault;
use crate::acpi::limits::{MAX_TABLE_SIZE, MAX_TOTAL_SIZE};
use crate::acpi::small;

use super::memory::PhysicalMemory;
use super::table::{HEADER_SIZE, SINGLE, Table, complete_table, label, length_of, odd_checksum, text};

/// The tables to which a root table leads, one entry after the other.
pub(super) struct Gathering<'m> {
    pub(super) memory: &'m dyn PhysicalMemory,
    pub(super) tables: Vec<Table>,
    /// Addresses that an entry has named.
    pub(super) seen: Vec<PhysAddr>,
    /// Bytes of all tables so far.
    pub(super) total: usize,
    pub(super) findings: Findings,
}

impl Gathering<'_> {
    /// Looks at one entry of the root table.
    pub(super) fn entry(&mut self, root: &str, number: usize, at: PhysAddr) {
        let mut complain = |id, severity, what: &str| {
            self.findings.add(id, severity, format!("{root}, entry {number}"), what);
        };
        if at.0 == 0 {
            return complain("acpi-entry-null", Severity::Warning, "the address is 0; the entry is ignored");
        }
        if self.seen.contains(&at) {
            let table = self.tables.iter().find(|table| table.at == at);
            let name = table.map_or_else(|| String::from("the table"), Table::name);
            let what = format!("{name} at {at} is already listed; this entry is ignored");
            return complain("acpi-entry-repeated", Severity::Warning, &what);
        }
        self.seen.push(at);
        let table = match self.table(at) {
            Ok(table) => table,
            Err((name, fault)) => {
                let (place, what) = (format!("{name} at {at}"), format!("{fault}; it is left out"));
                return self.findings.add(fault.id(), Severity::Error, &place, &what);
            }
        };
        // Only definition blocks, OEM data and the like come in numbers.
        let is_single = SINGLE.contains(&&table.signature);
        if is_single && self.tables.iter().any(|other| other.signature == table.signature) {
            let what = format!("a second {} (entry {number} of the root table); it is ignored", table.name());
            return self.findings.add("acpi-table-duplicate", Severity::Warning, label(&table), &what);
        }
        self.tables.push(table);
    }

    /// Adds the DSDT, which only the FADT names.
    pub(super) fn dsdt(&mut self) {
        let fadt = self.tables.iter().find(|table| table.signature == *b"FACP");
        let Some(at) = fadt.and_then(|fadt| small::dsdt(&fadt.bytes)) else { return };
        match self.table(at) {
            Ok(table) if table.signature == *b"DSDT" => {
                // One that the root table names too is the same table, or does not count.
                self.tables.retain(|table| table.signature != *b"DSDT");
                self.tables.push(table);
            }
            Ok(table) => self.dsdt_fault(at, &TableFault::Signature(table.name())),
            Err((_, fault)) => self.dsdt_fault(at, &fault),
        }
    }

    fn dsdt_fault(&mut self, at: PhysAddr, fault: &TableFault) {
        let what = format!("{fault}; it is left out");
        self.findings.add(fault.id(), Severity::Error, format!("DSDT at {at}"), &what);
    }

    /// Copies and checks the table at `at`; an error comes with the table's name.
    fn table(&mut self, at: PhysAddr) -> Result<Table, (String, TableFault)> {
        let unnamed = || String::from("ACPI");
        let header = self.memory.read(at, HEADER_SIZE);
        let header = header.ok_or_else(|| (unnamed(), TableFault::Unreadable(HEADER_SIZE)))?;
        let name = header.first_chunk().map_or_else(unnamed, |signature| text(*signature));
        let length = length_of(&header);
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        let most = MAX_TABLE_SIZE.min(MAX_TOTAL_SIZE.saturating_sub(self.total));
        if !(HEADER_SIZE..=most).contains(&size) {
            return Err((name, TableFault::Length { length, least: HEADER_SIZE }));
        }
        let Some(bytes) = self.memory.read(at, size) else {
            return Err((name, TableFault::Unreadable(size)));
        };
        self.total += size;
        let table = complete_table(at, &bytes).map_err(|fault| (name, fault))?;
        if let Some(odd) = odd_checksum(&table) {
            self.findings.add("acpi-table-checksum", Severity::Warning, label(&table), &odd);
        }
        Ok(table)
    }
}
