//! Paths, directories and small files, without an allocator.

use core::ffi::CStr;

use crate::system::{self, Errno, File, READ_ONLY};

/// Longest path; a deeper one is cut, and then is not found.
const PATH_LIMIT: usize = 512;

/// A path as a C string.
#[derive(Clone)]
pub(crate) struct Path {
    bytes: [u8; PATH_LIMIT],
    length: usize,
}

impl Path {
    pub(crate) fn new(text: &[u8]) -> Self {
        let mut path = Self { bytes: [0; PATH_LIMIT], length: 0 };
        path.push(text);
        path
    }

    /// The path of an entry of this directory.
    pub(crate) fn join(&self, name: &[u8]) -> Self {
        let mut path = self.clone();
        path.push(b"/");
        path.push(name);
        path
    }

    fn push(&mut self, text: &[u8]) {
        // The last byte stays the NUL.
        let length = text.len().min(PATH_LIMIT - 1 - self.length);
        self.bytes[self.length..self.length + length].copy_from_slice(&text[..length]);
        self.length += length;
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }

    pub(crate) fn exists(&self) -> bool {
        File::open(self.as_c_str(), READ_ONLY).is_ok()
    }

    /// The beginning of a file, as much as `buffer` holds.
    pub(crate) fn read<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
        let file = File::open(self.as_c_str(), READ_ONLY)?;
        let mut used = 0;
        while used < buffer.len() {
            match file.read(&mut buffer[used..])? {
                0 => break,
                length => used += length,
            }
        }
        Ok(&buffer[..used])
    }

    /// The beginning of a file without white space around it.
    pub(crate) fn read_word<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
        Ok(self.read(buffer)?.trim_ascii())
    }

    /// Where a symbolic link leads.
    pub(crate) fn link<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
        system::read_link(self.as_c_str(), buffer)
    }

    /// Calls `visit` with the name of each entry, in the order of the file system.
    pub(crate) fn for_each_entry(&self, mut visit: impl FnMut(&[u8])) {
        let Ok(directory) = File::open(self.as_c_str(), READ_ONLY) else { return };
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = directory.entries(&mut buffer) {
            let mut rest = &buffer[..length];
            // d_ino, d_off: 16 bytes; d_reclen: 2; d_type: 1; d_name, which ends with a NUL.
            while let [_, ..] = rest {
                let Some(record) = rest.get(16..18) else { return };
                let size = usize::from(u16::from_le_bytes([record[0], record[1]]));
                let Some(name) = rest.get(19..size) else { return };
                let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                if name != b"." && name != b".." {
                    visit(name);
                }
                rest = &rest[size..];
            }
        }
    }
}

/// The last component of a path.
pub(crate) fn last(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}
