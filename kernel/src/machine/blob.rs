//! Reads a device tree blob at an address from firmware.

use addr::{PhysAddr, Range};
use boot::guarded::load_u32;
use boot::memory::{self, Kind, MapError};
use boot::page_table::PAGE_SIZE;

/// First word of a device tree blob, big-endian (Devicetree Specification 0.4, section 5.2).
const DEVICE_TREE_MAGIC: u32 = 0xd00d_feed;

/// Largest device tree, by the Linux boot protocol for arm64.
pub(crate) const DEVICE_TREE_LIMIT: u32 = 2 << 20;

/// Where a device tree may begin, by the same protocol.
const DEVICE_TREE_ALIGNMENT: u64 = 8;

/// Why there is no device tree at the address that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// The address is zero: the boot loader did not pass one.
    #[error("no device tree: the boot loader passed address 0")]
    None,
    /// The address is not a multiple of eight.
    #[error("no device tree at {0}: not a multiple of 8")]
    Misaligned(PhysAddr),
    /// The address cannot be mapped as memory.
    #[error("no device tree: {0}")]
    Unmappable(MapError),
    /// There is no memory at this address.
    #[error("no device tree: no memory answers at {0}")]
    NoMemory(PhysAddr),
    /// The bytes there do not begin with the magic number of a device tree.
    #[error("no device tree at {at}: magic number is {found:#010x}, expected {DEVICE_TREE_MAGIC:#x}")]
    NotADeviceTree {
        /// The address.
        at: PhysAddr,
        /// The first word.
        found: u32,
    },
    /// The length in the blob's header exceeds [`DEVICE_TREE_LIMIT`].
    #[error("device tree at {at}: totalsize is {bytes}, expected at most {DEVICE_TREE_LIMIT}")]
    TooLong {
        /// The address.
        at: PhysAddr,
        /// The length in its header.
        bytes: u32,
    },
}

/// The device tree blob at `at`, with the length in its header; nothing else is checked.
///
/// # Errors
///
/// See [`BlobError`].
///
/// # Safety
///
/// If there is a device tree, it is not written while the kernel runs: its memory is not given to
/// the heap or to a device.
pub(crate) unsafe fn device_tree(at: PhysAddr) -> Result<&'static [u8], BlobError> {
    let PhysAddr(address) = at;
    if address == 0 {
        return Err(BlobError::None);
    }
    if !address.is_multiple_of(DEVICE_TREE_ALIGNMENT) {
        return Err(BlobError::Misaligned(at));
    }
    let header = [map_word(at)?, map_word(PhysAddr(address.saturating_add(4)))?].map(u32::from_be);
    let [magic, bytes] = header;
    if magic != DEVICE_TREE_MAGIC {
        return Err(BlobError::NotADeviceTree { at, found: magic });
    }
    if bytes > DEVICE_TREE_LIMIT {
        return Err(BlobError::TooLong { at, bytes });
    }
    let size = u64::from(bytes).max(size_of_val(&header) as u64);
    let range = Range::from_size(at, size).ok_or(BlobError::NoMemory(at))?;
    memory::map(range, Kind::Normal).map_err(BlobError::Unmappable)?;
    if let Some(hole) = first_hole(range) {
        return Err(BlobError::NoMemory(hole));
    }
    // SAFETY: The range is mapped as memory, every page of it answers, and it is not written by the
    // caller's duty.
    Ok(unsafe { core::slice::from_raw_parts(address as usize as *const u8, size as usize) })
}

/// The word at `at`, a multiple of 4, which is mapped as memory for good.
fn map_word(at: PhysAddr) -> Result<u32, BlobError> {
    let word = Range::from_size(at, size_of::<u32>() as u64).ok_or(BlobError::NoMemory(at))?;
    memory::map(word, Kind::Normal).map_err(BlobError::Unmappable)?;
    // SAFETY: The address is aligned, and mapped as memory: reading it has no effect.
    unsafe { load_u32(at) }.ok_or(BlobError::NoMemory(at))
}

/// The first address in `range`, which is mapped as memory, where no memory answers.
///
/// One read per page is enough: memory is present or absent in whole pages.
fn first_hole(range: Range<PhysAddr>) -> Option<PhysAddr> {
    let pages =
        (range.start().0 / PAGE_SIZE..=range.end().0 / PAGE_SIZE).map(|page| PhysAddr(page * PAGE_SIZE));
    let addresses = pages.map(|page| page.max(PhysAddr(range.start().0 & !3)));
    // SAFETY: The address is aligned and mapped as memory: reading it has no effect.
    addresses.into_iter().find(|at| unsafe { load_u32(*at) }.is_none())
}
