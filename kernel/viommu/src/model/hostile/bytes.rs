//! Decisions from bytes. When there are none left, every decision is 0.

use std::vec::Vec;

/// Bytes that are read in one direction.
pub(super) struct Bytes {
    /// In the order in which they are read.
    bytes: Vec<u8>,
    next: usize,
}

impl Bytes {
    pub(super) fn from_front(input: &[u8]) -> Self {
        Self { bytes: input.to_vec(), next: 0 }
    }

    pub(super) fn from_back(input: &[u8]) -> Self {
        Self { bytes: input.iter().rev().copied().collect(), next: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next >= self.bytes.len()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        byte
    }

    /// A number below `limit`, which is at most 256.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        u32::from(self.byte()) % limit
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 != 0
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// Any number, mostly one that is close to a power of two, to 0 or to the maximum.
    pub(super) fn u64(&mut self) -> u64 {
        let byte = self.byte();
        let near = 1u64.checked_shl(u32::from(byte & 0x3f)).unwrap_or(0);
        match byte >> 6 {
            0 => u64::from(byte),
            1 => near,
            2 => near.wrapping_sub(1),
            _ => u64::from_le_bytes([0; 8].map(|_: u8| self.byte())),
        }
    }

    /// A number of bytes below `limit`, chosen by one byte: one value repeated, or any values.
    pub(super) fn list(&mut self, limit: u32) -> Vec<u8> {
        let count = self.below(limit) as usize;
        if self.flag() {
            let value = self.byte();
            return std::vec![value; count];
        }
        (0..count).map(|_| self.byte()).collect()
    }
}
