//! The firmware's memory map as arithmetic: which RAM is free, and which the firmware keeps.
#![cfg_attr(
    not(any(target_os = "none", test)),
    expect(dead_code, reason = "on a host there is no application that would use it")
)]

use addr::{PhysAddr, Range};
use uefi::boot::{MemoryAttribute, MemoryDescriptor, MemoryType, PAGE_SIZE};

/// A range of RAM, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRange {
    /// The range.
    pub range: Range<PhysAddr>,
    /// Whose it is.
    pub usage: MemoryUse,
}

/// Whose a range of RAM is, once boot services are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryUse {
    /// The operating system's. The image is in such a range, and so may be a device tree.
    Free,
    /// The firmware's: runtime services, ACPI tables, and all that is not plainly free.
    Kept,
}

/// A [`MemoryRange`] as it is kept: all zero where a list has none yet, so that a list costs no room in the
/// image's file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    start: u64,
    /// Last byte.
    end: u64,
    kept: bool,
}

impl Entry {
    /// What an unused place of a list holds.
    pub(super) const NONE: Self = Self { start: 0, end: 0, kept: false };

    /// The range; none for what [`list`] has not written.
    pub(super) fn range(&self) -> Option<MemoryRange> {
        let range = Range::new(PhysAddr(self.start), PhysAddr(self.end))?;
        Some(MemoryRange { range, usage: if self.kept { MemoryUse::Kept } else { MemoryUse::Free } })
    }
}

/// How much of a map has become a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// Ranges in the list.
    pub(super) count: usize,
    /// Ranges for which it had no room.
    pub(super) left_out: usize,
}

/// Writes the RAM of `map`, which is sorted by address, to `list`.
///
/// Neighbours of one use become one range. Where entries overlap, which no map should have, memory is free
/// once at most: what an earlier entry has is taken off a free one. A kept range that begins inside of a free
/// one stays whole; who uses free ranges leaves the kept ones out.
pub(super) fn list<'a>(map: impl Iterator<Item = &'a MemoryDescriptor>, list: &mut [Entry]) -> Listed {
    let mut listed = Listed::default();
    // The lowest address above all entries so far.
    let mut reached = 0;
    for entry in map {
        let Some(usage) = usage(entry) else { continue };
        let size = entry.page_count.saturating_mul(PAGE_SIZE as u64);
        let behind = entry.phys_start.saturating_add(size);
        let kept = usage == MemoryUse::Kept;
        let start = if kept { entry.phys_start } else { entry.phys_start.max(reached) };
        if behind <= start {
            continue;
        }
        reached = reached.max(behind);
        let last = listed.count.checked_sub(1).filter(|_| listed.left_out == 0);
        if let Some(last) = last.and_then(|last| list.get_mut(last))
            && last.kept == kept
            && start <= last.end.saturating_add(1)
        {
            last.end = last.end.max(behind - 1);
        } else if let Some(place) = list.get_mut(listed.count) {
            *place = Entry { start, end: behind - 1, kept };
            listed.count += 1;
        } else {
            listed.left_out += 1;
        }
    }
    listed
}

/// Whose the memory of an entry is after boot services (UEFI 2.10, table 7.10); none if it is no RAM.
///
/// As in Linux (`is_usable_memory`), memory counts as free if it can be cached and is not set aside for a
/// special purpose.
fn usage(entry: &MemoryDescriptor) -> Option<MemoryUse> {
    let ordinary = entry.att.contains(MemoryAttribute::WRITE_BACK)
        && !entry.att.contains(MemoryAttribute::SPECIAL_PURPOSE);
    match entry.ty {
        MemoryType::MMIO | MemoryType::MMIO_PORT_SPACE => None,
        MemoryType::LOADER_CODE
        | MemoryType::LOADER_DATA
        | MemoryType::BOOT_SERVICES_CODE
        | MemoryType::BOOT_SERVICES_DATA
        | MemoryType::CONVENTIONAL
            if ordinary =>
        {
            Some(MemoryUse::Free)
        }
        _ => Some(MemoryUse::Kept),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    fn entry(ty: MemoryType, start: u64, pages: u64) -> MemoryDescriptor {
        let att = MemoryAttribute::WRITE_BACK;
        MemoryDescriptor { ty, phys_start: start, page_count: pages, att, ..MemoryDescriptor::default() }
    }

    fn listed(map: &[MemoryDescriptor], room: usize) -> (Vec<(u64, u64, MemoryUse)>, usize) {
        let mut ranges = std::vec![Entry::NONE; room];
        let listed = list(map.iter(), &mut ranges);
        let seen = ranges[..listed.count].iter().filter_map(Entry::range);
        (seen.map(|each| (each.range.start().0, each.range.end().0, each.usage)).collect(), listed.left_out)
    }

    use MemoryUse::{Free, Kept};

    #[test]
    fn what_boot_services_used_is_free_and_one_range_with_its_neighbours() {
        let map = [
            entry(MemoryType::BOOT_SERVICES_DATA, 0x4000_0000, 16),
            entry(MemoryType::CONVENTIONAL, 0x4001_0000, 1),
            entry(MemoryType::LOADER_CODE, 0x4001_1000, 1),
        ];
        assert_eq!(listed(&map, 4).0, [(0x4000_0000, 0x4001_1fff, Free)]);
    }

    #[test]
    fn runtime_services_acpi_tables_and_unknown_types_stay_the_firmwares() {
        for ty in [
            MemoryType::RUNTIME_SERVICES_CODE,
            MemoryType::RUNTIME_SERVICES_DATA,
            MemoryType::ACPI_RECLAIM,
            MemoryType::ACPI_NON_VOLATILE,
            MemoryType::RESERVED,
            MemoryType::UNACCEPTED,
            MemoryType(0x7000_0001),
        ] {
            let map = [
                entry(MemoryType::CONVENTIONAL, 0x1000, 1),
                entry(ty, 0x2000, 1),
                entry(MemoryType::CONVENTIONAL, 0x3000, 1),
            ];
            let expected = [(0x1000, 0x1fff, Free), (0x2000, 0x2fff, Kept), (0x3000, 0x3fff, Free)];
            assert_eq!(listed(&map, 4).0, expected, "{ty:?}");
        }
    }

    #[test]
    fn registers_are_no_ram() {
        assert_eq!(listed(&[entry(MemoryType::MMIO, 0x900_0000, 1)], 4), (Vec::new(), 0));
    }

    #[test]
    fn memory_that_cannot_be_cached_or_has_a_purpose_is_not_free() {
        for att in
            [MemoryAttribute::UNCACHEABLE, MemoryAttribute::WRITE_BACK | MemoryAttribute::SPECIAL_PURPOSE]
        {
            let map = [MemoryDescriptor { att, ..entry(MemoryType::CONVENTIONAL, 0x1000, 1) }];
            assert_eq!(listed(&map, 4).0, [(0x1000, 0x1fff, Kept)]);
        }
    }

    #[test]
    fn memory_is_free_once_at_most_where_entries_overlap() {
        let map = [
            entry(MemoryType::CONVENTIONAL, 0x1000, 4),
            entry(MemoryType::ACPI_RECLAIM, 0x2000, 1),
            entry(MemoryType::CONVENTIONAL, 0x3000, 3),
            entry(MemoryType::CONVENTIONAL, 0x4000, 1),
        ];
        let expected = [(0x1000, 0x4fff, Free), (0x2000, 0x2fff, Kept), (0x5000, 0x5fff, Free)];
        assert_eq!(listed(&map, 4).0, expected);
    }

    #[test]
    fn sizes_that_leave_the_address_space_end_with_it() {
        let map =
            [entry(MemoryType::CONVENTIONAL, 0x1000, u64::MAX), entry(MemoryType::CONVENTIONAL, 0x2000, 0)];
        assert_eq!(listed(&map, 4).0, [(0x1000, u64::MAX - 1, Free)]);
    }

    #[test]
    fn what_has_no_room_is_counted_and_not_joined_to_what_has() {
        let map = [
            entry(MemoryType::CONVENTIONAL, 0x1000, 1),
            entry(MemoryType::ACPI_RECLAIM, 0x2000, 1),
            entry(MemoryType::CONVENTIONAL, 0x3000, 1),
        ];
        assert_eq!(listed(&map, 1), (std::vec![(0x1000, 0x1fff, Free)], 2));
    }
}
