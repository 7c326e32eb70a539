//! The arithmetic of the firmware's memory map: which RAM is free, and which belongs to the
//! firmware.
#![cfg_attr(
    not(any(target_os = "none", test)),
    expect(dead_code, reason = "on a host there is no application that would use it")
)]

use addr::{PhysAddr, Range};
use uefi::boot::{MemoryAttribute, MemoryDescriptor, MemoryType, PAGE_SIZE};

/// A range of RAM, and its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRange {
    /// The range.
    pub range: Range<PhysAddr>,
    /// Its owner.
    pub usage: MemoryUse,
}

/// The owner of a range of RAM after boot services have been exited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryUse {
    /// The operating system. The image is in such a range; a device tree may be as well.
    Free,
    /// The firmware: runtime services, ACPI tables, and everything that is not clearly free.
    Kept,
}

/// A [`MemoryRange`] as it is stored. An unused entry is all zero, so that a list takes no space in
/// the image's file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    start: u64,
    /// Last byte.
    end: u64,
    kept: bool,
}

impl Entry {
    /// An unused entry.
    pub(super) const NONE: Self = Self { start: 0, end: 0, kept: false };

    /// The range; `None` for an unused entry.
    pub(super) fn range(&self) -> Option<MemoryRange> {
        let range = Range::new(PhysAddr(self.start), PhysAddr(self.end))?;
        Some(MemoryRange { range, usage: if self.kept { MemoryUse::Kept } else { MemoryUse::Free } })
    }
}

/// The number of ranges that fit into a list, and of those that did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// Ranges in the list.
    pub(super) count: usize,
    /// Ranges that did not fit.
    pub(super) left_out: usize,
}

/// Writes the RAM of `map`, which is sorted by address, to `list`.
///
/// Adjacent ranges with the same owner are merged. Entries should not overlap; if they do, no
/// memory is free twice: the part that an earlier entry covers is removed from a free one. A range
/// of the firmware that begins inside a free one stays whole; users of free ranges must leave out
/// those of the firmware.
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

/// The owner of an entry's memory after boot services (UEFI 2.10, table 7.10); `None` if it is not
/// RAM.
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
    fn memory_of_boot_services_is_free_and_merged_with_its_neighbours() {
        let map = [
            entry(MemoryType::BOOT_SERVICES_DATA, 0x4000_0000, 16),
            entry(MemoryType::CONVENTIONAL, 0x4001_0000, 1),
            entry(MemoryType::LOADER_CODE, 0x4001_1000, 1),
        ];
        assert_eq!(listed(&map, 4).0, [(0x4000_0000, 0x4001_1fff, Free)]);
    }

    #[test]
    fn runtime_services_acpi_tables_and_unknown_types_stay_reserved() {
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
    fn registers_are_not_ram() {
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
    fn overlapping_entries_are_free_at_most_once() {
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
    fn ranges_over_the_limit_are_counted_and_not_merged() {
        let map = [
            entry(MemoryType::CONVENTIONAL, 0x1000, 1),
            entry(MemoryType::ACPI_RECLAIM, 0x2000, 1),
            entry(MemoryType::CONVENTIONAL, 0x3000, 1),
        ];
        assert_eq!(listed(&map, 1), (std::vec![(0x1000, 0x1fff, Free)], 2));
    }
}
