//! What is odd about a resource template.

use probe::Severity;

/// What is odd about a descriptor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Remark {
    #[error("the template ends inside a descriptor; the rest is not read")]
    Cut,
    #[error("the template has no end tag; it is used anyway")]
    NoEnd,
    #[error("{0:#x} bytes after the end tag; they are not read")]
    BehindEnd(usize),
    #[error("the end tag's checksum is {found:#04x}, expected 0 or {expected:#04x}; it is ignored")]
    Checksum { found: u8, expected: u8 },
    #[error("unknown descriptor {0:#04x}; it is skipped")]
    Unknown(u8),
    #[error(
        "descriptor {0:#04x} (DMA, alternatives, vendor, GPIO, serial bus, pins) is not supported; it is skipped"
    )]
    Unused(u8),
    #[error("descriptor {descriptor:#04x} is {length} bytes long, expected at least {least}; it is skipped")]
    Short { descriptor: u8, length: usize, least: usize },
    #[error("the range {start:#x} to {end:#x} ends before it begins; it is skipped")]
    Reversed { start: u64, end: u64 },
    #[error("the range of {length:#x} bytes at {start:#x} exceeds the address space; it is skipped")]
    Overflow { start: u64, length: u64 },
    #[error("the range {start:#x} to {end:#x} has length 0; it is skipped")]
    Empty { start: u64, end: u64 },
    #[error("the length {length:#x} contradicts the range {start:#x} to {end:#x}; the range is used")]
    Length { start: u64, end: u64, length: u64 },
    #[error("unknown address space type {0:#04x}; it is skipped")]
    Space(u8),
    #[error("bus numbers {start:#x} to {end:#x} have length {length:#x}; the length is used")]
    BusLength { start: u64, end: u64, length: u64 },
    #[error("the descriptor has no interrupt number; it is skipped")]
    NoInterrupt,
}

impl Remark {
    pub(super) fn severity(&self) -> Severity {
        match self {
            Self::Unused(_) | Self::Empty { .. } => Severity::Info,
            Self::Cut | Self::NoEnd => Severity::Error,
            _ => Severity::Warning,
        }
    }
}
