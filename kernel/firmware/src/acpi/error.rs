//! Errors that make ACPI unusable; what affects only one table or entry is a finding instead.

use addr::PhysAddr;

use super::limits::{MAX_TABLE_SIZE, MAX_TABLES};

/// Why the ACPI tables do not describe the machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcpiError {
    /// Memory cannot be read.
    #[error("ACPI: {what} at {at}: {bytes:#x} bytes cannot be read")]
    Unreadable {
        /// RSDP, XSDT or RSDT.
        what: &'static str,
        /// Where.
        at: PhysAddr,
        /// How many bytes were asked for.
        bytes: usize,
    },
    /// A wrong signature.
    #[error("ACPI: {what} at {at}: the signature is not {expected:?}")]
    Signature {
        /// RSDP, XSDT or RSDT.
        what: &'static str,
        /// Where.
        at: PhysAddr,
        /// The signature expected.
        expected: &'static str,
    },
    /// An impossible length.
    #[error("ACPI: {what} at {at}: length is {length:#x}, expected {expected}")]
    Length {
        /// RSDP, XSDT or RSDT.
        what: &'static str,
        /// Where.
        at: PhysAddr,
        /// The length found.
        length: u32,
        /// The lengths allowed.
        expected: &'static str,
    },
    /// A root table without an address.
    #[error("ACPI: RSDP at {at}: neither an XSDT nor an RSDT has an address")]
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
    /// No RAM was given.
    #[error("ACPI: no RAM is known; ACPI tables do not describe any")]
    NoMemory,
}

/// Why one table is left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TableFault {
    #[error("{0:#x} bytes cannot be read")]
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
