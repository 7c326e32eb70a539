//! QEMU's table loader: the script by which a guest puts ACPI tables into memory.
//!
//! QEMU does not know where in memory the tables will lie. So it offers files with tables whose pointers
//! are offsets, and the script `etc/table-loader`, which says which files to load, which pointers to
//! make addresses, and which checksums to compute (QEMU, `include/hw/acpi/bios-linker-loader.h`). Records
//! have 128 bytes and little-endian numbers. Every field of every record is checked before it is used.

mod error;
mod limits;
mod loader;
mod source;

use alloc::vec::Vec;

use addr::PhysAddr;
use probe::{Finding, Findings};

use super::bytes::Bytes;
use super::gate::PhysicalMemory;
use crate::findings::TABLES;

pub use error::{LoaderError, LoaderFault};
pub use limits::{MAX_ALIGNMENT, MAX_FILE_SIZE, MAX_RECORDS, MAX_TOTAL_SIZE, RECORD_SIZE, SCRIPT_FILE};
use loader::{Loader, Wrong};
pub use source::{Blob, TableSource, Zone};

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
pub fn run(script: &[u8], source: &mut dyn TableSource) -> Result<Loaded, LoaderError> {
    let (records, rest) = script.as_chunks::<RECORD_SIZE>();
    if !rest.is_empty() || records.is_empty() || records.len() > MAX_RECORDS {
        return Err(LoaderError::Length { given: script.len() });
    }
    let mut loader = Loader { source, blobs: Vec::new(), total: 0, findings: Findings::about(&TABLES) };
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
