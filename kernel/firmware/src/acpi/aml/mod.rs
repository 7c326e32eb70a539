//! The devices that AML describes (ACPI 6.5, chapters 5, 6 and 20).
//!
//! Definition blocks become a tree of named objects, and the objects of each device become values; a small
//! evaluator (`machine`) runs what is to be run for that. Its bounds are constants, and what it does not know is
//! never taken for a yes: a finding names the table and the offset.
//! The order of things is Linux's, whose `acpi_bus_scan` numbers devices by it.
//!
//! Missing on purpose: operation regions are not accessed, and nothing is called but what Linux asks a device for
//! while it scans, and `_INI`.

mod block;
mod buffer_field;
mod collect;
mod compare;
mod convert;
mod cursor;
mod define;
mod descriptor;
mod device;
mod fault;
mod findings;
mod found;
mod heap;
mod id;
mod limits;
mod machine;
mod name;
mod opcode;
mod operators;
mod osi;
mod reference;
mod remark;
mod resource;
mod spoil;
mod stop;
mod store;
mod template;
mod term;
mod tree;
mod unknown;

pub use device::{AmlDevice, Uid};
pub use resource::{AddressSpace, Caching, GenericRegister, Interrupts, Resource, SpaceKind};

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use probe::{Finding, Severity};

use cursor::Cursor;
use findings::Findings;
use machine::Machine;

/// Length of the header of every table (ACPI 6.5, section 5.2.6).
const HEADER_SIZE: usize = 36;

/// Most definition blocks.
const MAX_TABLES: usize = 256;

/// Longest definition block.
const MAX_TABLE_SIZE: usize = 4 << 20;

/// The devices of the namespace that the definition blocks build.
#[derive(Clone, Debug, Default)]
pub struct Namespace {
    devices: Vec<AmlDevice>,
    findings: Vec<Finding>,
}

impl Namespace {
    /// All devices in the order in which Linux's `acpi_bus_scan` meets them: depth first, children in
    /// order of definition.
    #[must_use]
    pub fn devices(&self) -> &[AmlDevice] {
        &self.devices
    }

    /// What could not be read, or is wrong; each names its table and offset.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The device with this path, for instance `\_SB.PCI0`.
    #[must_use]
    pub fn device(&self, path: &str) -> Option<&AmlDevice> {
        self.devices.iter().find(|device| device.path == path)
    }
}

/// Reads the definition blocks `tables`: the DSDT, then the SSDTs in the order of the XSDT.
///
/// Each begins with its header, of which signature, length and revision are read; a table may go on behind
/// its length. The caller checks the checksum. A table that is not a definition block, or is cut, is a finding.
#[must_use]
pub fn read(tables: &[&[u8]]) -> Namespace {
    let names = (0..).zip(tables.iter().take(MAX_TABLES)).map(|(index, table)| table_name(index, table));
    // The DSDT's revision speaks for all tables (ACPI 6.5, section 5.2.11.1).
    let is_narrow = tables.first().and_then(|table| checked(table).ok());
    let is_narrow = is_narrow.and_then(|block| block.get(8)).is_some_and(|&revision| revision < 2);
    let mut machine = Machine::new(Findings::new(names.collect()), is_narrow);
    for (index, table) in tables.iter().take(MAX_TABLES).enumerate() {
        match checked(table) {
            Ok(block) => machine.load(Cursor::new(block, index, HEADER_SIZE)),
            Err(fault) => {
                machine.findings.add("aml-table", Severity::Error, &"AML", (index, fault.offset()), &fault);
            }
        }
    }
    if tables.len() > MAX_TABLES {
        let sentence = format!("{} tables beyond the limit; they are not read", tables.len() - MAX_TABLES);
        machine.findings.add("aml-limit", Severity::Error, &"AML", (MAX_TABLES, 0), &sentence);
    }
    let devices = collect::devices(&mut machine);
    Namespace { devices, findings: machine.findings.into_list() }
}

/// Why a table is not read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum TableFault {
    #[error(
        "{given:#x} bytes long, expected at least the {HEADER_SIZE:#x} bytes of the header; the table is not read"
    )]
    HeaderCut { given: usize },
    #[error("the signature is {0:?}, expected DSDT or SSDT; the table is not read")]
    Signature(String),
    #[error("the length is {length:#x}, expected {HEADER_SIZE:#x} to {most:#x}; the table is not read")]
    Length { length: u32, most: usize },
}

impl TableFault {
    fn offset(&self) -> usize {
        if matches!(self, Self::Length { .. }) { 4 } else { 0 }
    }
}

/// The bytes that a table's header covers.
fn checked(table: &[u8]) -> Result<&[u8], TableFault> {
    let given = table.len();
    let (Some(signature), Some(length), Some(_)) =
        (table.first_chunk::<4>(), table.get(4..8), table.get(..HEADER_SIZE))
    else {
        return Err(TableFault::HeaderCut { given });
    };
    // PSDT is ACPI 1.0's name of a second kind of SSDT (ACPI 6.5, section 5.2.11.3).
    if ![b"DSDT", b"SSDT", b"PSDT"].contains(&signature) {
        return Err(TableFault::Signature(String::from_utf8_lossy(signature).into_owned()));
    }
    let length = length.iter().rev().fold(0, |length, &byte| length << 8 | u32::from(byte));
    let most = given.min(MAX_TABLE_SIZE);
    let fits = usize::try_from(length).ok().filter(|length| (HEADER_SIZE..=most).contains(length));
    fits.and_then(|length| table.get(..length)).ok_or(TableFault::Length { length, most })
}

/// What a table is called in findings: its signature, and its number if it is not the first.
fn table_name(index: usize, table: &[u8]) -> String {
    let signature = match table.first_chunk::<4>() {
        Some(signature) if signature.iter().all(u8::is_ascii_uppercase) => String::from_utf8_lossy(signature),
        _ => "table".into(),
    };
    if index == 0 { signature.into_owned() } else { format!("{signature} {index}") }
}
