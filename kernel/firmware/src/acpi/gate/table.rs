//! One table: how long it must be, whether its bytes add up, and what it is called.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::PhysAddr;

use crate::acpi::bytes::{Bytes, sum};
use crate::acpi::error::TableFault;
use crate::acpi::limits::MAX_TABLE_SIZE;
use crate::acpi::spec::header::{Header, HeaderStart};
use crate::acpi::spec::iort::Iort;
use crate::acpi::spec::mcfg::Mcfg;
use crate::acpi::spec::small::{Madt, OldFadt, Spcr};
use crate::acpi::spec::viot::Viot;

/// Bytes of the header that every table has (ACPI 6.5, section 5.2.6).
pub(in crate::acpi) const HEADER_SIZE: usize = size_of::<Header>();

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

/// How long a table is by its own header.
pub(super) fn length_of(header: &[u8]) -> u32 {
    Bytes::new(header).read::<HeaderStart>(0).map_or(0, |start| start.length.get())
}

/// Checks the bytes of a table; there may be more of them than its length.
pub(super) fn complete_table(at: PhysAddr, bytes: &[u8]) -> Result<Table, TableFault> {
    let start = Bytes::new(bytes).read::<HeaderStart>(0).ok_or(TableFault::Unreadable(HEADER_SIZE))?;
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
pub(super) fn odd_checksum(table: &Table) -> Option<String> {
    let excess = sum(&table.bytes);
    let found = Bytes::new(&table.bytes).read::<Header>(0).map_or(0, |header| header.checksum);
    let expected = found.wrapping_sub(excess);
    (excess != 0)
        .then(|| format!("the checksum is {found:#04x}, expected {expected:#04x}; the table is used anyway"))
}

/// Tables of which a machine has one.
pub(super) const SINGLE: [&[u8; 4]; 8] =
    [b"APIC", b"DSDT", b"FACP", b"GTDT", b"IORT", b"MCFG", b"SPCR", b"VIOT"];

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
pub(super) fn text(signature: [u8; 4]) -> String {
    signature.iter().map(|byte| char::from(*byte)).flat_map(char::escape_default).collect()
}

pub(super) fn label(table: &Table) -> String {
    format!("{} at {}", table.name(), table.at)
}
