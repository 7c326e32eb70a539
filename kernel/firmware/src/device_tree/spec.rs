//! The layout of a device tree blob (Devicetree Specification 0.4, section 5.2), and how long one may be.

/// Length of the header in bytes.
pub(super) const HEADER_SIZE: usize = 40;
/// Longest blob that is read, in bytes; Linux's boot protocol for arm64 sets the same limit.
pub(super) const MAX_TOTAL_SIZE: usize = 2 << 20;
/// The version of the format that is read.
pub(super) const VERSION: u32 = 17;
/// First word of a blob.
pub(super) const MAGIC: u32 = 0xd00d_feed;

/// Offsets of the header's fields in bytes.
pub(super) mod field {
    pub(in crate::device_tree) const MAGIC: usize = 0;
    pub(in crate::device_tree) const TOTAL_SIZE: usize = 4;
    pub(in crate::device_tree) const STRUCTURE: usize = 8;
    pub(in crate::device_tree) const STRINGS: usize = 12;
    pub(in crate::device_tree) const RESERVATIONS: usize = 16;
    pub(in crate::device_tree) const VERSION: usize = 20;
    pub(in crate::device_tree) const LAST_COMPATIBLE: usize = 24;
    pub(in crate::device_tree) const STRINGS_SIZE: usize = 32;
    pub(in crate::device_tree) const STRUCTURE_SIZE: usize = 36;
}

/// Length of an entry of the memory reservation block: address and size, 64 bits each.
pub(super) const RESERVATION_SIZE: usize = 16;
