//! The commands of the script, one record each.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::Range;
use probe::{Findings, Severity};

use crate::acpi::bytes::{Bytes, sum};
use crate::acpi::fw_cfg::{NAME_SIZE, file_name};

use super::error::LoaderFault;
use super::limits::{MAX_ALIGNMENT, MAX_FILE_SIZE, MAX_TOTAL_SIZE, SCRIPT_FILE};
use super::source::{Blob, TableSource, Zone};

/// Values of a record's first field.
mod command {
    pub(super) const PADDING: u32 = 0;
    pub(super) const ALLOCATE: u32 = 1;
    pub(super) const ADD_POINTER: u32 = 2;
    pub(super) const ADD_CHECKSUM: u32 = 3;
    pub(super) const WRITE_POINTER: u32 = 4;
}

/// A field and what is wrong with it.
pub(super) struct Wrong(pub(super) &'static str, pub(super) LoaderFault);

/// The files that the script has loaded so far.
pub(super) struct Loader<'s> {
    pub(super) source: &'s mut dyn TableSource,
    pub(super) blobs: Vec<Blob>,
    /// Bytes of all files so far.
    pub(super) total: usize,
    pub(super) findings: Findings,
}

/// The place of a record in a finding.
fn record_place(number: usize) -> String {
    format!("{SCRIPT_FILE} record {number}")
}

impl Loader<'_> {
    pub(super) fn step(&mut self, number: usize, record: Bytes<'_>) -> Result<(), Wrong> {
        match word(record, 0) {
            command::PADDING => Ok(()),
            command::ALLOCATE => self.allocate(record),
            command::ADD_POINTER => self.add_pointer(record),
            command::ADD_CHECKSUM => self.add_checksum(record),
            command::WRITE_POINTER => self.write_pointer(number, record),
            unknown => {
                // As other firmware does: a newer QEMU may have commands that tables do not depend on.
                let what = format!("unknown command {unknown:#x}; it is ignored");
                self.findings.add("table-loader-unknown", Severity::Warning, record_place(number), &what);
                Ok(())
            }
        }
    }

    /// File (4), alignment (60), zone (64).
    fn allocate(&mut self, record: Bytes<'_>) -> Result<(), Wrong> {
        let name = name(record, 4, "file")?;
        if self.blobs.iter().any(|blob| blob.name == name) {
            return Err(Wrong("file", LoaderFault::AllocatedTwice(name.into())));
        }
        let alignment = word(record, 60);
        if !alignment.is_power_of_two() || alignment > MAX_ALIGNMENT {
            return Err(Wrong("alignment", LoaderFault::Alignment(alignment)));
        }
        let zone = match byte(record, 64) {
            1 => Zone::High,
            2 => Zone::FSegment,
            unknown => return Err(Wrong("zone", LoaderFault::Zone(unknown))),
        };
        let bytes = self.source.file(name).ok_or_else(|| Wrong("file", LoaderFault::NoFile(name.into())))?;
        let most = MAX_FILE_SIZE.min(MAX_TOTAL_SIZE - self.total);
        if bytes.is_empty() || bytes.len() > most {
            let fault = LoaderFault::FileSize { name: name.into(), size: bytes.len(), most };
            return Err(Wrong("file", fault));
        }
        let alignment = u64::from(alignment);
        let place = self.source.allocate(bytes.len(), alignment, zone);
        let place = place.ok_or(Wrong("file", LoaderFault::NoMemory { bytes: bytes.len(), alignment }))?;
        let range = Range::from_size(place, bytes.len() as u64);
        let range = range.filter(|range| {
            place.0.is_multiple_of(alignment) && !self.blobs.iter().any(|blob| blob.range.overlaps(range))
        });
        let range = range.ok_or(Wrong("file", LoaderFault::Place(place)))?;
        self.total += bytes.len();
        self.blobs.push(Blob { name: name.into(), range, bytes, zone });
        Ok(())
    }

    /// Destination file (4), source file (60), offset in the destination (116), size (120).
    fn add_pointer(&mut self, record: Bytes<'_>) -> Result<(), Wrong> {
        let destination = self.loaded(record, 4, "destination file")?;
        let target = &self.blobs[self.loaded(record, 60, "source file")?];
        let (target_range, target_size, target_name) =
            (target.range, target.bytes.len(), target.name.clone());
        let (offset, size) = (word(record, 116), byte(record, 120));
        let size_bytes = pointer_size(size)?;
        let blob = &mut self.blobs[destination];
        let end = offset as usize + size_bytes;
        let outside = outside(blob, offset, u32::from(size));
        let field = blob.bytes.get_mut(offset as usize..end).ok_or(Wrong("offset", outside))?;
        let mut wide = [0; 8];
        wide[..size_bytes].copy_from_slice(field);
        let pointer = u64::from_le_bytes(wide);
        if pointer >= target_size as u64 {
            // The value there is not an offset into the file: the address would lead elsewhere.
            let (offset, length) = (u32::try_from(pointer).unwrap_or(u32::MAX), 1);
            let fault = LoaderFault::Outside { name: target_name, offset, length, size: target_size };
            return Err(Wrong("pointer", fault));
        }
        let overflow = LoaderFault::PointerOverflow { base: target_range.start(), offset: pointer, size };
        let sum = target_range.start().0.checked_add(pointer);
        let sum = sum.filter(|sum| size_bytes == 8 || sum >> (8 * size_bytes) == 0);
        let sum = sum.ok_or(Wrong("pointer", overflow))?;
        field.copy_from_slice(&sum.to_le_bytes()[..size_bytes]);
        Ok(())
    }

    /// File (4), offset of the checksum (60), start (64) and length (68) of what it is over.
    fn add_checksum(&mut self, record: Bytes<'_>) -> Result<(), Wrong> {
        let blob = self.loaded(record, 4, "file")?;
        let blob = &mut self.blobs[blob];
        let (offset, start, length) = (word(record, 60), word(record, 64), word(record, 68));
        let end = (start as usize).checked_add(length as usize);
        let covered = end.and_then(|end| blob.bytes.get(start as usize..end));
        let covered = covered.ok_or_else(|| Wrong("start and length", outside(blob, start, length)))?;
        let covered = sum(covered);
        let outside = outside(blob, offset, 1);
        let checksum = blob.bytes.get_mut(offset as usize).ok_or(Wrong("offset", outside))?;
        *checksum = checksum.wrapping_sub(covered);
        Ok(())
    }

    /// Destination file (4), source file (60), offsets in both (116, 120), size (124).
    ///
    /// It asks for an address to be written back into fw_cfg, for devices that write into the guest's
    /// memory on their own (a VM generation ID, hardware errors). No table depends on it.
    fn write_pointer(&mut self, number: usize, record: Bytes<'_>) -> Result<(), Wrong> {
        let destination = name(record, 4, "destination file")?;
        let blob = &self.blobs[self.loaded(record, 60, "source file")?];
        let size = pointer_size(byte(record, 124))?;
        let offset = word(record, 120);
        if offset as usize >= blob.bytes.len() {
            return Err(Wrong("source offset", outside(blob, offset, 1)));
        }
        let what = format!(
            "requests the address of {} ({size} bytes) in {destination}; it is not written, so the device stays unused",
            blob.name
        );
        self.findings.add("table-loader-write-pointer", Severity::Info, record_place(number), &what);
        Ok(())
    }

    /// The number of the blob whose name stands at `at`.
    fn loaded(&self, record: Bytes<'_>, at: usize, field: &'static str) -> Result<usize, Wrong> {
        let name = name(record, at, field)?;
        let number = self.blobs.iter().position(|blob| blob.name == name);
        number.ok_or_else(|| Wrong(field, LoaderFault::NotAllocated(name.into())))
    }
}

fn outside(blob: &Blob, offset: u32, length: u32) -> LoaderFault {
    LoaderFault::Outside { name: blob.name.clone(), offset, length, size: blob.bytes.len() }
}

fn pointer_size(size: u8) -> Result<usize, Wrong> {
    match size {
        1 | 2 | 4 | 8 => Ok(usize::from(size)),
        _ => Err(Wrong("pointer size", LoaderFault::PointerSize(size))),
    }
}

fn name<'a>(record: Bytes<'a>, at: usize, field: &'static str) -> Result<&'a str, Wrong> {
    let bytes = record.from(at).and_then(|rest| rest.get(..NAME_SIZE));
    bytes.and_then(file_name).ok_or(Wrong(field, LoaderFault::Name))
}

/// A field of a record, whose length is fixed.
fn word(record: Bytes<'_>, at: usize) -> u32 {
    record.u32(at).unwrap_or_default()
}

fn byte(record: Bytes<'_>, at: usize) -> u8 {
    record.u8(at).unwrap_or_default()
}
