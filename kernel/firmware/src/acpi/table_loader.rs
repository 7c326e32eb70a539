//! QEMU's table loader: the script by which a guest puts ACPI tables into memory.
//!
//! QEMU does not know where in memory the tables will lie. So it offers files with tables whose pointers
//! are offsets, and the script `etc/table-loader`, which says which files to load, which pointers to
//! make addresses, and which checksums to compute (QEMU, `include/hw/acpi/bios-linker-loader.h`). Records
//! have 128 bytes and little-endian numbers. Every field of every record is checked before it is used.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use probe::{Finding, Severity};

use super::bytes::{Bytes, sum};
use super::fw_cfg::{NAME_SIZE, file_name};
use super::gate::PhysicalMemory;
use crate::findings::Findings;

/// Name of the script in fw_cfg.
pub const SCRIPT_FILE: &str = "etc/table-loader";
/// Bytes of a record.
pub const RECORD_SIZE: usize = 128;
/// Most records; QEMU needs about three a table.
pub const MAX_RECORDS: usize = 4096;
/// Most bytes of one file.
pub const MAX_FILE_SIZE: usize = 16 << 20;
/// Most bytes of all files.
pub const MAX_TOTAL_SIZE: usize = 64 << 20;
/// Largest alignment that a file may ask for.
pub const MAX_ALIGNMENT: u32 = 1 << 20;

/// Values of a record's first field.
mod command {
    pub(super) const PADDING: u32 = 0;
    pub(super) const ALLOCATE: u32 = 1;
    pub(super) const ADD_POINTER: u32 = 2;
    pub(super) const ADD_CHECKSUM: u32 = 3;
    pub(super) const WRITE_POINTER: u32 = 4;
}

/// Which part of memory a file should lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// Anywhere.
    High,
    /// Where a BIOS looks for the RSDP; a machine without BIOS takes it for anywhere.
    FSegment,
}

/// Who has the files, and the memory to put them into.
pub trait Source {
    /// The bytes of a file, or `None` if there is none of this name.
    fn file(&mut self, name: &str) -> Option<Vec<u8>>;

    /// A place for `bytes` bytes, at a multiple of `alignment`, a power of two; the caller writes nothing
    /// there. `None` if there is no room.
    fn allocate(&mut self, bytes: usize, alignment: u64, zone: Zone) -> Option<PhysAddr>;
}

/// A script that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoaderError {
    /// The script is no list of records.
    #[error("{SCRIPT_FILE}: {given:#x} bytes, expected 1 to {MAX_RECORDS} records of {RECORD_SIZE} bytes")]
    Length {
        /// Its length.
        given: usize,
    },
    /// A record is wrong.
    #[error("{SCRIPT_FILE}: record {record}, {field}: {fault}")]
    Record {
        /// Number of the record, from 0.
        record: usize,
        /// Which field of it.
        field: &'static str,
        /// What is wrong with it.
        fault: LoaderFault,
    },
    /// All went well, but no file has an RSDP.
    #[error("{SCRIPT_FILE}: no RSDP in the {files} loaded files")]
    NoRsdp {
        /// How many files there are.
        files: usize,
    },
}

/// What is wrong with a record's field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoaderFault {
    /// A name that does not end within its field, is empty or no text.
    #[error("the file name does not end within {NAME_SIZE} bytes, is empty or is not text")]
    Name,
    /// fw_cfg has no such file.
    #[error("file {0} does not exist")]
    NoFile(String),
    /// The file has not been loaded by a record before this one.
    #[error("file {0} is used before it is allocated")]
    NotAllocated(String),
    /// The file has been loaded already.
    #[error("file {0} is already allocated")]
    AllocatedTwice(String),
    /// The file is empty, or too long.
    #[error("file {name} is {size:#x} bytes long, expected 1 to {most:#x}")]
    FileSize {
        /// Its name.
        name: String,
        /// Its length.
        size: usize,
        /// How many may be.
        most: usize,
    },
    /// Not a power of two, or too large.
    #[error("alignment is {0:#x}, expected a power of two up to {MAX_ALIGNMENT:#x}")]
    Alignment(u32),
    /// Neither 1 nor 2.
    #[error("zone is {0}, expected 1 (high) or 2 (F segment)")]
    Zone(u8),
    /// No memory.
    #[error("no memory for {bytes:#x} bytes aligned to {alignment:#x}")]
    NoMemory {
        /// How much is needed.
        bytes: usize,
        /// How aligned.
        alignment: u64,
    },
    /// What the source gave as memory overlaps other files or leaves the address space.
    #[error("memory at {0} is misaligned, overlaps another file or exceeds the address space")]
    Place(PhysAddr),
    /// Not 1, 2, 4 or 8.
    #[error("pointer size is {0}, expected 1, 2, 4 or 8")]
    PointerSize(u8),
    /// The bytes named are not in the file.
    #[error("{length:#x} bytes at {offset:#x} exceed file {name} of {size:#x} bytes")]
    Outside {
        /// Name of the file.
        name: String,
        /// First byte.
        offset: u32,
        /// How many.
        length: u32,
        /// Length of the file.
        size: usize,
    },
    /// The sum does not fit into the pointer.
    #[error("{base} plus {offset:#x} does not fit into {size} bytes")]
    PointerOverflow {
        /// Where the file is.
        base: PhysAddr,
        /// What the pointer was.
        offset: u64,
        /// Its size.
        size: u8,
    },
}

/// A file in its place, with its pointers and checksums set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its name in fw_cfg.
    pub name: String,
    /// The addresses for which it was made.
    pub range: Range<PhysAddr>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    zone: Zone,
}

/// What the script has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Where the RSDP is.
    pub rsdp: PhysAddr,
    /// All files, in the order of the script.
    pub blobs: Vec<Blob>,
    /// What is odd in the script.
    pub findings: Vec<Finding>,
}

/// The blobs can be read as if they lay in memory already.
impl PhysicalMemory for Loaded {
    fn read(&self, at: PhysAddr, bytes: usize) -> Option<Vec<u8>> {
        let blob = self.blobs.iter().find(|blob| blob.range.contains(at))?;
        let start = usize::try_from(at.0 - blob.range.start().0).ok()?;
        Some(blob.bytes.get(start..start.checked_add(bytes)?)?.to_vec())
    }
}

/// Carries out `script`.
///
/// # Errors
///
/// A record is wrong, a file is missing, or there is no RSDP at the end.
pub fn run(script: &[u8], source: &mut dyn Source) -> Result<Loaded, LoaderError> {
    let (records, rest) = script.as_chunks::<RECORD_SIZE>();
    if !rest.is_empty() || records.is_empty() || records.len() > MAX_RECORDS {
        return Err(LoaderError::Length { given: script.len() });
    }
    let mut loader = Loader { source, blobs: Vec::new(), total: 0, findings: Findings::about_tables() };
    for (number, record) in records.iter().enumerate() {
        let done = loader.step(number, Bytes::new(record));
        done.map_err(|Wrong(field, fault)| LoaderError::Record { record: number, field, fault })?;
    }
    let Loader { blobs, findings, .. } = loader;
    let rsdp = blobs.iter().filter(|blob| blob.zone == Zone::FSegment).find_map(find_rsdp);
    let rsdp = rsdp.or_else(|| blobs.iter().find_map(find_rsdp));
    let rsdp = rsdp.ok_or(LoaderError::NoRsdp { files: blobs.len() })?;
    Ok(Loaded { rsdp, blobs, findings: findings.into_list() })
}

/// The signature of an RSDP, at a multiple of 16 (ACPI 6.5, section 5.2.5.1).
fn find_rsdp(blob: &Blob) -> Option<PhysAddr> {
    let at = blob.bytes.chunks(16).position(|chunk| chunk.starts_with(b"RSD PTR "))?;
    blob.range.start().checked_add(16 * at as u64)
}

/// A field and what is wrong with it.
struct Wrong(&'static str, LoaderFault);

struct Loader<'s> {
    source: &'s mut dyn Source,
    blobs: Vec<Blob>,
    /// Bytes of all files so far.
    total: usize,
    findings: Findings,
}

/// The place of a record in a finding.
fn record_place(number: usize) -> String {
    format!("{SCRIPT_FILE} record {number}")
}

impl Loader<'_> {
    fn step(&mut self, number: usize, record: Bytes<'_>) -> Result<(), Wrong> {
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
            // What is written there is no offset into the file: the address would lead elsewhere.
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
