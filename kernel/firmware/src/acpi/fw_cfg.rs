//! The directory of QEMU's fw_cfg device, as bytes (QEMU, `docs/specs/fw_cfg.rst`).
//!
//! Selecting a key and reading the data register is the kernel's part; here is what the bytes mean.
//! All numbers in the directory are big-endian.

use alloc::string::String;
use alloc::vec::Vec;

/// Key of the four bytes [`SIGNATURE`].
pub const SIGNATURE_KEY: u16 = 0x0000;
/// What stands under [`SIGNATURE_KEY`] if the device is there.
pub const SIGNATURE: [u8; 4] = *b"QEMU";
/// Key of the directory.
pub const DIRECTORY_KEY: u16 = 0x0019;
/// Bytes of the count in front of the entries.
pub const COUNT_SIZE: usize = 4;
/// Bytes of one entry.
pub const ENTRY_SIZE: usize = 64;
/// Bytes of a name, its NUL included.
pub(super) const NAME_SIZE: usize = 56;
/// Most entries: keys of files are 14 bits wide and begin at 0x20.
pub const MAX_FILES: usize = 0x4000 - 0x20;

/// A directory that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The bytes end too early.
    #[error("fw_cfg directory: byte {at:#x}: {given:#x} bytes given, expected {expected:#x}")]
    Cut {
        /// Where the missing part begins.
        at: usize,
        /// How many bytes there are.
        given: usize,
        /// How many there must be.
        expected: usize,
    },
    /// The count cannot be true.
    #[error("fw_cfg directory: byte 0x0: count is {count}, expected at most {most}", most = MAX_FILES)]
    Count {
        /// The count.
        count: u32,
    },
    /// A name that is not a text of at most 55 bytes.
    #[error(
        "fw_cfg directory: entry {entry}, byte {at:#x}: the name does not end within 56 bytes, is empty or is not text"
    )]
    Name {
        /// Number of the entry.
        entry: usize,
        /// Where the name begins.
        at: usize,
    },
}

/// A file that QEMU offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, `etc/acpi/rsdp`.
    pub name: String,
    /// The key that selects it.
    pub key: u16,
    /// Its length in bytes.
    pub size: u32,
}

/// How many bytes the whole directory has, by its first [`COUNT_SIZE`] bytes.
///
/// # Errors
///
/// Fewer bytes given, or a count above [`MAX_FILES`].
pub fn directory_size(start: &[u8]) -> Result<usize, DirectoryError> {
    let count = start.first_chunk().copied().map(u32::from_be_bytes);
    let count = count.ok_or(DirectoryError::Cut { at: 0, given: start.len(), expected: COUNT_SIZE })?;
    match usize::try_from(count) {
        Ok(files) if files <= MAX_FILES => Ok(COUNT_SIZE + files * ENTRY_SIZE),
        _ => Err(DirectoryError::Count { count }),
    }
}

/// The files in the directory, in its order. Bytes behind it are not looked at.
///
/// # Errors
///
/// The directory is cut, has an impossible number of files, or an invalid name.
pub fn directory(bytes: &[u8]) -> Result<Vec<File>, DirectoryError> {
    let expected = directory_size(bytes)?;
    let whole = bytes.get(..expected);
    let whole = whole.ok_or(DirectoryError::Cut { at: COUNT_SIZE, given: bytes.len(), expected })?;
    let entries = whole.get(COUNT_SIZE..).unwrap_or_default().as_chunks::<ENTRY_SIZE>().0;
    let mut files = Vec::with_capacity(entries.len());
    for (entry, bytes) in entries.iter().enumerate() {
        let [s0, s1, s2, s3, k0, k1, _, _, name @ ..] = bytes;
        let at = COUNT_SIZE + entry * ENTRY_SIZE + (ENTRY_SIZE - NAME_SIZE);
        let name = file_name(name).ok_or(DirectoryError::Name { entry, at })?;
        files.push(File {
            name: String::from(name),
            key: u16::from_be_bytes([*k0, *k1]),
            size: u32::from_be_bytes([*s0, *s1, *s2, *s3]),
        });
    }
    Ok(files)
}

/// What stands before the NUL, which must be there; not empty.
pub(super) fn file_name(bytes: &[u8]) -> Option<&str> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    core::str::from_utf8(bytes.get(..end)?).ok().filter(|name| !name.is_empty())
}
