//! Why a script cannot be carried out.

use alloc::string::String;

use addr::PhysAddr;

use crate::acpi::fw_cfg::NAME_SIZE;

use super::limits::{MAX_ALIGNMENT, MAX_RECORDS, RECORD_SIZE, SCRIPT_FILE};

/// A script that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoaderError {
    /// The script is not a list of records.
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
