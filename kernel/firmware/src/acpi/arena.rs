//! Tables in the form in which the `acpi` crate can be let at them.
//!
//! `acpi` 5.2 trusts what it reads: it goes wherever a pointer leads, takes a table for a type that may be longer,
//! and skips a table whose OEM's names are not UTF-8. So it gets copies of what passed the gate, in one block of
//! bytes with an RSDP and an XSDT of its own: addresses are offsets there, no table is shorter than the crate's type
//! (what it is too short for is 0, as in Linux: `acpi_tb_create_local_fadt`), and names are ASCII.
//!
//! Only tables that the crate is asked for are there. The MADT is not: the crate's walk over its entries does
//! not end at an entry of length 0, and takes an entry for a type that may be longer as well.

use alloc::vec;
use alloc::vec::Vec;
use core::mem::offset_of;
use core::ops::Range;

use ::acpi::fadt::Fadt;
use ::acpi::mcfg::Mcfg;
use ::acpi::spcr::Spcr;

use super::bytes::sum;
use super::gate::{HEADER_SIZE, Table, Tables};
use super::spec::header::{Header, Rsdp};

/// Bytes of the RSDP since ACPI 2.0.
const RSDP_SIZE: usize = size_of::<Rsdp>();
/// Offset of the checksum in a table's header.
const CHECKSUM: usize = offset_of!(Header, checksum);
/// Where a table's header has the OEM's names for itself and for the table.
const OEM_NAMES: Range<usize> = offset_of!(Header, oem_id)..offset_of!(Header, oem_revision);

/// Copies of tables that the `acpi` crate may read; it reads nothing else.
#[derive(Clone, Debug)]
pub struct Arena {
    bytes: Vec<u8>,
}

impl Arena {
    /// Where the RSDP is.
    pub const RSDP: usize = 0;

    /// Copies what the crate is asked for.
    #[must_use]
    pub fn new(tables: &Tables) -> Self {
        let asked =
            [(*b"FACP", size_of::<Fadt>()), (*b"MCFG", size_of::<Mcfg>()), (*b"SPCR", size_of::<Spcr>())];
        let found = asked.into_iter().filter_map(|(kind, least)| Some((tables.first(kind)?, least)));
        let copies: Vec<Vec<u8>> = found.map(|(table, least)| copy(table, least)).collect();
        let xsdt_size = HEADER_SIZE + size_of::<u64>() * copies.len();
        let mut xsdt = vec![0; HEADER_SIZE];
        xsdt[..4].copy_from_slice(b"XSDT");
        let mut at = RSDP_SIZE + xsdt_size;
        for copy in &copies {
            xsdt.extend((at as u64).to_le_bytes());
            at += copy.len();
        }
        seal(&mut xsdt);
        Self { bytes: [rsdp(RSDP_SIZE as u64), xsdt, copies.concat()].concat() }
    }

    /// What begins at `address` and has at least `size` bytes, up to the end of the arena.
    #[must_use]
    pub fn bytes_at(&self, address: usize, size: usize) -> Option<&[u8]> {
        self.bytes.get(address..).filter(|bytes| bytes.len() >= size)
    }
}

/// An RSDP of revision 2 that leads to an XSDT.
fn rsdp(xsdt: u64) -> Vec<u8> {
    let mut rsdp = b"RSD PTR \0      \x02\0\0\0\0".to_vec();
    rsdp[8] = sum(&rsdp).wrapping_neg();
    rsdp.extend((RSDP_SIZE as u32).to_le_bytes());
    rsdp.extend(xsdt.to_le_bytes());
    rsdp.extend([sum(&rsdp).wrapping_neg(), 0, 0, 0]);
    rsdp
}

/// A table that is as long as the crate's type at least, and whose names it takes.
fn copy(table: &Table, least: usize) -> Vec<u8> {
    let mut copy = table.bytes.clone();
    copy.resize(copy.len().max(least), 0);
    for byte in copy[OEM_NAMES].iter_mut().filter(|byte| !byte.is_ascii()) {
        *byte = b'?';
    }
    seal(&mut copy);
    copy
}

/// Makes length and checksum of a table those of its bytes.
fn seal(table: &mut [u8]) {
    // The gate lets no table in that 32 bits would not count.
    let length = table.len() as u32;
    table[4..8].copy_from_slice(&length.to_le_bytes());
    table[CHECKSUM] = 0;
    table[CHECKSUM] = sum(table).wrapping_neg();
}
