//! Files, the memory that they go to, and a file in its place.

use alloc::string::String;
use alloc::vec::Vec;

use addr::{PhysAddr, Range};

/// Which part of memory a file should lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// Anywhere.
    High,
    /// Where a BIOS looks for the RSDP; a machine without BIOS takes it for anywhere.
    FSegment,
}

/// Who has the files, and the memory to put them into.
pub trait TableSource {
    /// The bytes of a file, or `None` if there is none of this name.
    fn file(&mut self, name: &str) -> Option<Vec<u8>>;

    /// A place for `bytes` bytes, at a multiple of `alignment`, a power of two; the caller writes nothing
    /// there. `None` if there is no room.
    fn allocate(&mut self, bytes: usize, alignment: u64, zone: Zone) -> Option<PhysAddr>;
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
    pub(super) zone: Zone,
}
