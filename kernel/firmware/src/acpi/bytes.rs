//! Little-endian fields of a table, every read checked.

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

    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..)?.first_chunk().copied()
    }

    pub(super) fn u8(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    pub(super) fn u16(&self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }
}

/// The sum of all bytes, which is 0 for a sound table (ACPI 6.5, section 5.2.6).
pub(super) fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}
