//! The RSDP and the root table, without which there is no other table (ACPI 6.5, sections 5.2.5, 5.2.7 and 5.2.8).

use addr::PhysAddr;

use crate::acpi::bytes::Bytes;
use crate::acpi::error::AcpiError;
use crate::acpi::limits::MAX_TABLE_SIZE;
use crate::acpi::spec::header::{OldRsdp, Rsdp};

use super::memory::PhysicalMemory;
use super::table::{HEADER_SIZE, Table, length_of};

/// Bytes of the RSDP of ACPI 1.0, over which the first checksum is.
pub(super) const RSDP_OLD_SIZE: usize = size_of::<OldRsdp>();
/// Bytes of the RSDP since ACPI 2.0.
const RSDP_SIZE: usize = size_of::<Rsdp>();
/// Most bytes of an RSDP that a later specification may make longer.
const RSDP_MAX_SIZE: usize = 256;

/// The addresses of root tables in the RSDP.
pub(super) struct Roots {
    pub(super) xsdt: Option<PhysAddr>,
    pub(super) rsdt: Option<PhysAddr>,
}

pub(super) fn read_rsdp(at: PhysAddr, memory: &dyn PhysicalMemory) -> Result<(Table, Roots), AcpiError> {
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

pub(super) fn read_root(
    what: &'static str,
    at: PhysAddr,
    memory: &dyn PhysicalMemory,
) -> Result<Table, AcpiError> {
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
