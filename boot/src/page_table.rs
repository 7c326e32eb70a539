//! Page tables as arithmetic: descriptors, and a tree of them that maps each address to itself.
//!
//! Tables live in a pool of frames, and a table's physical address is the pool's base plus its place, so
//! that no pointer is needed to follow a descriptor. Entries only go from invalid to valid. That needs no
//! TLB maintenance, only that a table is complete before an entry leads to it; the caller adds the barrier
//! that makes new entries visible to the next access. One CPU at a time maps; any number may look up.
//!
//! 4 KiB granule, four levels, 48-bit addresses (Arm ARM, D8.3).

use core::fmt;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use addr::{PhysAddr, Range};

/// What memory is used for, and so how it may be accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RAM: cached, read and write, never executed.
    Normal,
    /// Registers of devices: Device-nGnRE, read and write, never executed.
    Device,
    /// The image's code: read and execute.
    Code,
    /// The image's constants: read.
    Constants,
    /// Never mapped: an access must fail.
    Guard,
}

/// Valid descriptor that leads to a table, on levels 0 to 2; on level 3, a page.
pub(crate) const TABLE: u64 = 0b11;
const BLOCK: u64 = 0b01;
const VALID: u64 = 0b01;
const TYPE_MASK: u64 = 0b11;
/// AttrIndx = 0: first entry of MAIR_EL1, Device-nGnRE.
const ATTRIBUTES_DEVICE: u64 = 0 << 2;
/// AttrIndx = 1: second entry of MAIR_EL1, Normal write-back.
const ATTRIBUTES_NORMAL: u64 = 1 << 2;
const ATTRIBUTES_MASK: u64 = 0b111 << 2;
/// AP[2]: no writes.
const READ_ONLY: u64 = 1 << 7;
const INNER_SHAREABLE: u64 = 0b11 << 8;
const ACCESSED: u64 = 1 << 10;
/// Belongs to the ASID of TTBR0, so that one map can replace another without both being live under one tag.
const NOT_GLOBAL: u64 = 1 << 11;
const NOT_EXECUTABLE_EL1: u64 = 1 << 53;
const NOT_EXECUTABLE_EL0: u64 = 1 << 54;
/// An invalid entry that stays invalid; hardware ignores all other bits of such an entry.
const GUARD: u64 = 1 << 55;
const ADDRESS_MASK: u64 = 0x0000_ffff_ffff_f000;

/// A block of RAM in the first map, which the head makes: also executable, as the image is in it.
#[cfg(target_os = "none")]
pub(crate) const NORMAL_BLOCK: u64 = ATTRIBUTES_NORMAL | INNER_SHAREABLE | ACCESSED | NOT_GLOBAL | BLOCK;
/// A block of device registers in the first map.
#[cfg(target_os = "none")]
pub(crate) const DEVICE_BLOCK: u64 = ATTRIBUTES_DEVICE | ACCESSED | NOT_GLOBAL | BLOCK;

/// Entries of one table.
const ENTRIES: usize = 512;
/// Bytes of the smallest piece that can be mapped.
pub const PAGE_SIZE: u64 = 4096;
const LAST_LEVEL: u32 = 3;
/// Addresses that four levels of tables reach.
const TABLE_BITS: u32 = 48;

impl Kind {
    /// The descriptor's bits apart from address and type.
    fn attributes(self) -> u64 {
        let mapped = ACCESSED | NOT_GLOBAL | NOT_EXECUTABLE_EL0;
        let memory = mapped | ATTRIBUTES_NORMAL | INNER_SHAREABLE;
        match self {
            Self::Normal => memory | NOT_EXECUTABLE_EL1,
            Self::Device => mapped | ATTRIBUTES_DEVICE | NOT_EXECUTABLE_EL1,
            Self::Code => memory | READ_ONLY,
            Self::Constants => memory | READ_ONLY | NOT_EXECUTABLE_EL1,
            Self::Guard => GUARD,
        }
    }

    /// Whether a request for `self` is met by an `entry` that is there already.
    ///
    /// RAM as a whole encloses the image's code and constants and the guards between its stacks, which
    /// keep their stricter access.
    fn is_met_by(self, entry: u64) -> bool {
        if entry & VALID == 0 {
            return matches!(self, Self::Normal | Self::Guard);
        }
        match self {
            Self::Normal => entry & ATTRIBUTES_MASK == ATTRIBUTES_NORMAL,
            Self::Device => entry & ATTRIBUTES_MASK == ATTRIBUTES_DEVICE,
            Self::Code | Self::Constants | Self::Guard => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "memory",
            Self::Device => "device registers",
            Self::Code => "code",
            Self::Constants => "constants",
            Self::Guard => "a guard",
        })
    }
}

/// Why a range could not be mapped. What was mapped before the place that failed stays mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// The range leaves the physical address space of this CPU.
    BeyondAddressSpace {
        /// The requested range.
        range: Range<PhysAddr>,
        /// Bits of a physical address.
        bits: u32,
    },
    /// A part of the range is mapped as something else.
    MappedOtherwise {
        /// The first such address.
        address: PhysAddr,
        /// The requested kind.
        wanted: Kind,
    },
    /// The bound on page tables is reached.
    OutOfTables {
        /// The requested range.
        range: Range<PhysAddr>,
        /// The bound: frames for tables, of 4 KiB each.
        limit: usize,
    },
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeyondAddressSpace { range, bits } => {
                write!(f, "{range} exceeds the {bits}-bit physical address space of this CPU")
            }
            Self::MappedOtherwise { address, wanted } => {
                write!(f, "{address} cannot be mapped as {wanted}: it is already mapped as something else")
            }
            Self::OutOfTables { range, limit } => {
                write!(f, "no page table is left for {range}: all {limit} are in use")
            }
        }
    }
}

impl core::error::Error for MapError {}

/// One page table: 512 descriptors.
#[repr(C, align(4096))]
pub struct Table([AtomicU64; ENTRIES]);

impl Table {
    /// A table without valid entries.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; ENTRIES])
    }
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

/// The tree of tables in `pool`, whose first frame is the root.
pub struct AddressSpace<'a> {
    /// Frames for tables; those not in use may hold anything.
    pool: &'a [Table],
    /// Physical address of `pool`'s first frame.
    base: u64,
    /// Frames in use, the root included.
    used: &'a AtomicUsize,
    /// Bits of a physical address.
    bits: u32,
}

impl<'a> AddressSpace<'a> {
    /// The tree in `pool`, which is at physical address `base`, for a CPU with `bits` bits of physical address.
    ///
    /// `used` counts the pool's frames in use and belongs to the pool. While it is 0 there is no root; the
    /// first map makes it.
    #[must_use]
    pub fn new(pool: &'a [Table], base: PhysAddr, used: &'a AtomicUsize, bits: u32) -> Self {
        Self { pool, base: base.0, used, bits: bits.min(TABLE_BITS) }
    }

    /// Maps every page that `range` touches to itself as `kind`.
    ///
    /// A part that is already mapped as `kind` is left alone. RAM may be mapped over the image and
    /// its guards, which stay as they are.
    ///
    /// # Errors
    ///
    /// See [`MapError`].
    pub fn map(&self, range: Range<PhysAddr>, kind: Kind) -> Result<(), MapError> {
        if range.end().0 >> self.bits != 0 {
            return Err(MapError::BeyondAddressSpace { range, bits: self.bits });
        }
        let out_of_tables = MapError::OutOfTables { range, limit: self.pool.len() };
        if self.used.load(Ordering::Relaxed) == 0 {
            self.new_table().ok_or(out_of_tables)?;
        }
        let start = range.start().0 & !(PAGE_SIZE - 1);
        let end = (range.end().0 | (PAGE_SIZE - 1)) + 1;
        self.map_in(0, 0, start, end, kind, out_of_tables)
    }

    /// What `address` is mapped as, page tables being walked as hardware does; `None` if an access fails.
    #[must_use]
    pub fn lookup(&self, address: PhysAddr) -> Option<Kind> {
        let mut table = 0;
        if address.0 >> TABLE_BITS != 0 || self.used.load(Ordering::Relaxed) == 0 {
            return None;
        }
        for level in 0..=LAST_LEVEL {
            let entry = self.pool[table].0[index(address.0, level)].load(Ordering::Relaxed);
            if entry & VALID == 0 {
                return None;
            }
            if level == LAST_LEVEL || entry & TYPE_MASK == BLOCK {
                let attributes = entry & !(ADDRESS_MASK | TYPE_MASK);
                return [Kind::Normal, Kind::Device, Kind::Code, Kind::Constants]
                    .into_iter()
                    .find(|kind| kind.attributes() == attributes);
            }
            table = self.table_of(entry);
        }
        None
    }

    /// Maps `start..end` below table `table` of `level`; recurses at most to the last level.
    fn map_in(
        &self,
        table: usize,
        level: u32,
        start: u64,
        end: u64,
        kind: Kind,
        out_of_tables: MapError,
    ) -> Result<(), MapError> {
        let size = entry_size(level);
        let mut at = start;
        while at < end {
            let next = ((at & !(size - 1)) + size).min(end);
            let place = &self.pool[table].0[index(at, level)];
            let entry = place.load(Ordering::Relaxed);
            let whole = next - at == size;
            if entry & TYPE_MASK == TABLE && level < LAST_LEVEL {
                self.map_in(self.table_of(entry), level + 1, at, next, kind, out_of_tables)?;
            } else if entry != 0 {
                if !kind.is_met_by(entry) {
                    return Err(MapError::MappedOtherwise { address: PhysAddr(at), wanted: kind });
                }
            } else if whole && level > 0 {
                place.store(leaf(at, level, kind), Ordering::Release);
            } else {
                let new = self.new_table().ok_or(out_of_tables)?;
                // Release: the table's zeros are visible before the entry that leads to it.
                place.store((self.base + new as u64 * PAGE_SIZE) | TABLE, Ordering::Release);
                self.map_in(new, level + 1, at, next, kind, out_of_tables)?;
            }
            at = next;
        }
        Ok(())
    }

    /// Takes a frame and clears it: its place in the pool, or `None` if all are in use.
    fn new_table(&self) -> Option<usize> {
        let new = self.used.load(Ordering::Relaxed);
        let table = self.pool.get(new)?;
        self.used.store(new + 1, Ordering::Relaxed);
        for entry in &table.0 {
            entry.store(0, Ordering::Relaxed);
        }
        Some(new)
    }

    /// The place in the pool of the table that `entry` leads to.
    fn table_of(&self, entry: u64) -> usize {
        (((entry & ADDRESS_MASK) - self.base) / PAGE_SIZE) as usize
    }
}

/// The descriptor that maps the block or page at `address` on `level`.
fn leaf(address: u64, level: u32, kind: Kind) -> u64 {
    match kind {
        Kind::Guard => GUARD,
        _ if level == LAST_LEVEL => address | kind.attributes() | TABLE,
        _ => address | kind.attributes() | BLOCK,
    }
}

/// Bytes that one entry of `level` covers.
fn entry_size(level: u32) -> u64 {
    PAGE_SIZE << (9 * (LAST_LEVEL - level))
}

/// The entry of a table of `level` that covers `address`.
fn index(address: u64, level: u32) -> usize {
    (address / entry_size(level)) as usize % ENTRIES
}

#[cfg(test)]
mod tests;
