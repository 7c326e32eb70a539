//! What leads to tables, and what every table begins with (ACPI 6.5, sections 5.2.5 and 5.2.6).

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Root System Description Pointer of ACPI 1.0 (section 5.2.5.3); its checksum is over these bytes.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct OldRsdp {
    pub(crate) signature: [u8; 8],
    pub(crate) checksum: u8,
    pub(crate) oem_id: [u8; 6],
    /// 0 for ACPI 1.0, else 2.
    pub(crate) revision: u8,
    pub(crate) rsdt_address: U32,
}

const _: () = assert!(size_of::<OldRsdp>() == 20);

/// Root System Description Pointer since ACPI 2.0 (section 5.2.5.3).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Rsdp {
    pub(crate) old: OldRsdp,
    pub(crate) length: U32,
    pub(crate) xsdt_address: U64,
    pub(crate) extended_checksum: u8,
    pub(crate) reserved: [u8; 3],
}

const _: () = assert!(size_of::<Rsdp>() == 36);

/// How a table begins: what it is, and how long.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct HeaderStart {
    pub(crate) signature: [u8; 4],
    /// Bytes of the whole table.
    pub(crate) length: U32,
}

const _: () = assert!(size_of::<HeaderStart>() == 8);

/// The header that every table has (section 5.2.6).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) start: HeaderStart,
    pub(crate) revision: u8,
    /// Makes the sum of all bytes 0.
    pub(crate) checksum: u8,
    pub(crate) oem_id: [u8; 6],
    pub(crate) oem_table_id: [u8; 8],
    pub(crate) oem_revision: U32,
    pub(crate) creator_id: [u8; 4],
    pub(crate) creator_revision: U32,
}

const _: () = assert!(size_of::<Header>() == 36);
