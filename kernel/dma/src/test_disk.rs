//! The content of the disk that `cargo xtask` gives to a machine whose devices transfer data.
//!
//! The kernel compares what it reads with it, and xtask what the kernel has written. A disk that does not begin with
//! [`MAGIC`] belongs to the user, and nothing is written to it.

/// Size of a sector in bytes (virtio 1.2, section 5.2.4).
pub const SECTOR_SIZE: usize = 512;

/// Number of sectors.
pub const SECTORS: usize = 64;

/// The first bytes of the disk.
pub const MAGIC: &[u8] = b"iogroups test disk 1\n";

/// The sector that the kernel writes with [`written_sector`].
pub const WRITTEN: usize = 32;

/// The first of the sectors that tests may write anything to.
pub const SCRATCH: usize = 48;

/// What a sector contains before the kernel writes to it.
#[must_use]
pub fn sector(number: usize) -> [u8; SECTOR_SIZE] {
    // Neighbouring bytes and sectors differ, and no byte equals its address or 0 everywhere.
    let mut bytes = core::array::from_fn(|offset| (offset * 7 + number * 31 + offset / 256 + 0x35) as u8);
    if number == 0 {
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    }
    bytes
}

/// What the kernel writes to a sector.
#[must_use]
pub fn written_sector(number: usize) -> [u8; SECTOR_SIZE] {
    sector(number).map(|byte| !byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_differ_from_each_other_and_from_what_is_written() {
        let all: std::collections::BTreeSet<_> = (0..SECTORS).map(sector).collect();
        assert_eq!(all.len(), SECTORS);
        assert!(!all.contains(&written_sector(WRITTEN)));
        assert!(sector(0).starts_with(MAGIC));
    }
}
