//! Structures and fields of a table, every read checked.

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// The bytes of a table or of a part of it, and where in the table they begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a> {
    bytes: &'a [u8],
    /// Offset of the first byte from the start of the table.
    pub(super) offset: usize,
}

impl<'a> Bytes<'a> {
    /// A whole table.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The `length` bytes at `at`, if all of them are there.
    pub(super) fn part(&self, at: usize, length: usize) -> Option<Self> {
        let bytes = self.bytes.get(at..at.checked_add(length)?)?;
        Some(Self { bytes, offset: self.offset + at })
    }

    /// All bytes from `at` on.
    pub(super) fn from(&self, at: usize) -> Option<&'a [u8]> {
        self.bytes.get(at..)
    }

    /// The structure at `at`, if all of it is there.
    pub(super) fn read<T: FromBytes + Immutable + KnownLayout + Unaligned>(
        &self,
        at: usize,
    ) -> Option<&'a T> {
        T::ref_from_prefix(self.bytes.get(at..)?).ok().map(|(read, _)| read)
    }

    /// All of these bytes as structures of one kind, if they are that many.
    pub(super) fn list<T: FromBytes + Immutable + KnownLayout + Unaligned>(&self) -> Option<&'a [T]> {
        <[T]>::ref_from_bytes(self.bytes).ok()
    }

    pub(super) fn u8(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    pub(super) fn u32(&self, at: usize) -> Option<u32> {
        self.bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
    }
}

/// The sum of all bytes, which is 0 for a sound table (ACPI 6.5, section 5.2.6).
pub(super) fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}
