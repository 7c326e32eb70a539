//! From the address of the RSDP to complete tables, copied.
//!
//! What comes after reads nothing but these copies (ACPI 6.5, sections 5.2.5 to 5.2.8). A broken root is
//! an error; a broken table is a finding, and is left out. Every table has at least the length that its signature
//! asks for. A wrong checksum is a finding and does not cost the table, as in Linux (`acpi_ut_verify_checksum`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::PhysAddr;
use probe::{Finding, Severity};

use super::bytes::{Bytes, sum};
use super::error::{AcpiError, TableFault};
use super::limits::{MAX_TABLE_SIZE, MAX_TABLES, MAX_TOTAL_SIZE};
use super::spec::header::{Header, OldRsdp, Rsdp, Start};
use super::spec::iort::Iort;
use super::spec::mcfg::Mcfg;
use super::spec::small::{Madt, OldFadt, Spcr};
use super::spec::viot::Viot;
use crate::findings::Findings;

/// Bytes of the header that every table has (ACPI 6.5, section 5.2.6).
pub(super) const HEADER_SIZE: usize = size_of::<Header>();

/// Bytes of the RSDP of ACPI 1.0, over which the first checksum is.
const RSDP_OLD_SIZE: usize = size_of::<OldRsdp>();
/// Bytes of the RSDP since ACPI 2.0.
const RSDP_SIZE: usize = size_of::<Rsdp>();
/// Most bytes of an RSDP that a later specification may make longer.
const RSDP_MAX_SIZE: usize = 256;

/// Physical memory, as far as it may be read.
pub trait PhysicalMemory {
    /// A copy of the `bytes` bytes at `at`; `None` if any of them cannot be read.
    fn read(&self, at: PhysAddr, bytes: usize) -> Option<Vec<u8>>;
}

/// A table, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The four bytes that say what it is.
    pub signature: [u8; 4],
    /// Where it was found.
    pub at: PhysAddr,
    /// All of it, the header included.
    pub bytes: Vec<u8>,
}

impl Table {
    /// The signature as text.
    #[must_use]
    pub fn name(&self) -> String {
        text(self.signature)
    }
}

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
        let mut findings = Findings::about_tables();
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

    /// Adds tables that come from elsewhere, each with its bytes alone; they get addresses that no table
    /// has. A table replaces those of its kind that came from memory (there can be several of some kinds),
    /// if `replace` is set; else it is added in front of them.
    ///
    /// Each is checked like any other; what is wrong with one is a finding about `name`. Of several tables that
    /// a machine has once, the first counts, as in Linux (`acpi_get_table` with instance 1).
    pub fn add(&mut self, given: &[(String, Vec<u8>)], replace: bool) {
        let mut findings = Findings::about_tables();
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

/// Where the RSDP says that root tables are.
struct Roots {
    xsdt: Option<PhysAddr>,
    rsdt: Option<PhysAddr>,
}

fn read_rsdp(at: PhysAddr, memory: &dyn PhysicalMemory) -> Result<(Table, Roots), AcpiError> {
    let what = "RSDP";
    let read = |bytes| memory.read(at, bytes).ok_or(AcpiError::Unreadable { what, at, bytes });
    let mut bytes = read(RSDP_OLD_SIZE)?;
    if !bytes.starts_with(b"RSD PTR ") {
        return Err(AcpiError::Signature { what, at, expected: "RSD PTR " });
    }
    let address = |address: u64| (address != 0).then_some(PhysAddr(address));
    let old = Bytes::new(&bytes).read::<OldRsdp>(0);
    let rsdt = old.and_then(|old| address(old.rsdt_address.into()));
    let mut xsdt = None;
    if old.is_some_and(|old| old.revision >= 2) {
        bytes = read(RSDP_SIZE)?;
        let length = Bytes::new(&bytes).read::<Rsdp>(0).map_or(0, |rsdp| rsdp.length.get());
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        if !(RSDP_SIZE..=RSDP_MAX_SIZE).contains(&size) {
            return Err(AcpiError::Length { what, at, length, expected: "0x24 to 0x100" });
        }
        bytes = read(size)?;
        xsdt = Bytes::new(&bytes).read::<Rsdp>(0).and_then(|rsdp| address(rsdp.xsdt_address.get()));
    }
    Ok((Table { signature: *b"RSD ", at, bytes }, Roots { xsdt, rsdt }))
}

fn read_root(what: &'static str, at: PhysAddr, memory: &dyn PhysicalMemory) -> Result<Table, AcpiError> {
    let read = |bytes| memory.read(at, bytes).ok_or(AcpiError::Unreadable { what, at, bytes });
    let header = read(HEADER_SIZE)?;
    if !header.starts_with(what.as_bytes()) {
        return Err(AcpiError::Signature { what, at, expected: what });
    }
    let length = length_of(&header);
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if !(HEADER_SIZE..=MAX_TABLE_SIZE).contains(&size) {
        return Err(AcpiError::Length { what, at, length, expected: "0x24 to 0x400000" });
    }
    let bytes = read(size)?;
    let signature = header.first_chunk().copied().unwrap_or_default();
    Ok(Table { signature, at, bytes })
}

struct Gathering<'m> {
    memory: &'m dyn PhysicalMemory,
    tables: Vec<Table>,
    /// Addresses that an entry has named.
    seen: Vec<PhysAddr>,
    /// Bytes of all tables so far.
    total: usize,
    findings: Findings,
}

impl Gathering<'_> {
    /// Looks at one entry of the root table.
    fn entry(&mut self, root: &str, number: usize, at: PhysAddr) {
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
    fn dsdt(&mut self) {
        let fadt = self.tables.iter().find(|table| table.signature == *b"FACP");
        let Some(at) = fadt.and_then(|fadt| super::small::dsdt(&fadt.bytes)) else { return };
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

/// How long a table is by its own header.
fn length_of(header: &[u8]) -> u32 {
    Bytes::new(header).read::<Start>(0).map_or(0, |start| start.length.get())
}

/// Checks the bytes of a table, of which there may be more than its length says.
fn complete_table(at: PhysAddr, bytes: &[u8]) -> Result<Table, TableFault> {
    let start = Bytes::new(bytes).read::<Start>(0).ok_or(TableFault::Unreadable(HEADER_SIZE))?;
    let (signature, length) = (start.signature, start.length.get());
    let least = least_size(signature);
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if !(least..=MAX_TABLE_SIZE).contains(&size) {
        return Err(TableFault::Length { length, least });
    }
    let bytes = bytes.get(..size).ok_or(TableFault::Unreadable(size))?;
    Ok(Table { signature, at, bytes: bytes.to_vec() })
}

/// What to say about a table whose bytes do not add up to 0.
fn odd_checksum(table: &Table) -> Option<String> {
    let excess = sum(&table.bytes);
    let found = Bytes::new(&table.bytes).read::<Header>(0).map_or(0, |header| header.checksum);
    let expected = found.wrapping_sub(excess);
    (excess != 0)
        .then(|| format!("the checksum is {found:#04x}, expected {expected:#04x}; the table is used anyway"))
}

/// Tables of which a machine has one.
const SINGLE: [&[u8; 4]; 8] = [b"APIC", b"DSDT", b"FACP", b"GTDT", b"IORT", b"MCFG", b"SPCR", b"VIOT"];

/// How long a table must be for the fields that every revision of it has.
fn least_size(signature: [u8; 4]) -> usize {
    match &signature {
        b"APIC" => size_of::<Madt>(),
        b"MCFG" => size_of::<Mcfg>(),
        b"IORT" => size_of::<Iort>(),
        b"VIOT" => size_of::<Viot>(),
        b"FACP" => size_of::<OldFadt>(),
        b"SPCR" => size_of::<Spcr>(),
        _ => HEADER_SIZE,
    }
}

/// A signature for people.
fn text(signature: [u8; 4]) -> String {
    signature.iter().map(|byte| char::from(*byte)).flat_map(char::escape_default).collect()
}

fn label(table: &Table) -> String {
    format!("{} at {}", table.name(), table.at)
}
