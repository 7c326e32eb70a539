//! Why ACPI cannot be used at all; what costs only one table or entry is a finding instead.

use addr::PhysAddr;

use super::gate::{MAX_TABLE_SIZE, MAX_TABLES};

/// Tables that give no description of the machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcpiError {
    /// Memory cannot be read.
    #[error("ACPI: {what} at {at}: {bytes:#x} bytes there cannot be read")]
    Unreadable {
        /// RSDP, XSDT or RSDT.
        what: &'static str,
        /// Where.
        at: PhysAddr,
        /// How many bytes were asked for.
        bytes: usize,
    },
    /// No RSDP is there.
    #[error("ACPI: {what} at {at}: the signature is not {expected:?}")]
    Signature {
        /// RSDP, XSDT or RSDT.
        what: &'static str,
        /// Where.
        at: PhysAddr,
        /// What should be there.
        expected: &'static str,
    },
    /// A length that cannot be.
    #[error("ACPI: {what} at {at}: length is {length:#x}, expected {expected}")]
    Length {
        /// RSDP, XSDT or RSDT.
        what: &'static str,
        /// Where.
        at: PhysAddr,
        /// What it says.
        length: u32,
        /// What it may be.
        expected: &'static str,
    },
    /// A root table without an address.
    #[error("ACPI: RSDP at {at}: it has the address of neither an XSDT nor an RSDT")]
    NoRoot {
        /// Where the RSDP is.
        at: PhysAddr,
    },
    /// Too many tables.
    #[error("ACPI: {what} at {at}: {count} entries, expected at most {MAX_TABLES}")]
    Count {
        /// XSDT or RSDT.
        what: &'static str,
        /// Where.
        at: PhysAddr,
        /// How many.
        count: usize,
    },
    /// No RAM was given: there is nothing to run in.
    #[error("ACPI: no RAM is known; ACPI tables do not describe any")]
    NoMemory,
}

/// What is wrong with one table, which is left out for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TableFault {
    #[error("it cannot be read ({0:#x} bytes)")]
    Unreadable(usize),
    #[error("length is {length:#x}, expected {least:#x} to {MAX_TABLE_SIZE:#x}")]
    Length { length: u32, least: usize },
    #[error("signature is {0:?}, expected \"DSDT\"")]
    Signature(alloc::string::String),
}

impl TableFault {
    pub(super) fn id(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "acpi-table-unreadable",
            Self::Length { .. } => "acpi-table-length",
            Self::Signature(_) => "acpi-table-signature",
        }
    }
}
