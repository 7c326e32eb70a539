//! Which addresses the allocator hands out.

use addr::Iova;

use super::iommu::range;
use crate::{DmaMask, IovaAllocator, IovaError, IovaLimits, MAX_ALLOCATIONS};

const PAGE: u64 = 0x1000;

fn allocator(start: u64, end: u64, granule: u64, reserved: &[(u64, u64)]) -> IovaAllocator {
    let reserved = reserved.iter().map(|(start, end)| range(*start, *end));
    IovaAllocator::new(IovaLimits::new(range(start, end), granule, reserved).unwrap())
}

#[test]
fn the_highest_address_below_4_gib_comes_first_and_then_the_next_lower_one() {
    let mut all = allocator(0, u64::MAX, PAGE, &[]);
    assert_eq!(all.alloc(1, DmaMask::ALL), Ok(range(0xffff_f000, 0xffff_ffff)));
    assert_eq!(all.alloc(PAGE + 1, DmaMask::ALL), Ok(range(0xffff_c000, 0xffff_dfff)));
    assert_eq!(all.alloc(PAGE, DmaMask::ALL), Ok(range(0xffff_e000, 0xffff_efff)));
}

#[test]
fn a_device_with_28_bits_gets_addresses_that_it_can_reach() {
    let mut all = allocator(0, u64::MAX, PAGE, &[]);
    let edu = DmaMask::of_bits(28);
    assert_eq!(all.alloc(PAGE, edu), Ok(range(0x0fff_f000, 0x0fff_ffff)));
    // All that is left below 256 MiB, except page 0, which no device gets.
    let mut units = 1;
    while let Ok(block) = all.alloc(PAGE, edu) {
        assert!(block.start() > Iova(0) && block.end().0 <= edu.last_address(), "{block}");
        units += 1;
    }
    assert_eq!(units, (1 << 16) - 1, "2^16 pages below 2^28, without page 0");
    assert_eq!(all.alloc(PAGE, edu), Err(IovaError::Exhausted { bytes: PAGE, mask: edu }));
}

#[test]
fn addresses_above_4_gib_are_used_when_the_others_are_reserved() {
    let mut high = allocator(0, (1 << 39) - 1, PAGE, &[(0, 0xffff_ffff)]);
    assert_eq!(high.alloc(PAGE, DmaMask::ALL), Ok(range((1 << 39) - PAGE, (1 << 39) - 1)));
    let narrow = DmaMask::of_bits(32);
    assert_eq!(high.alloc(PAGE, narrow), Err(IovaError::Exhausted { bytes: PAGE, mask: narrow }));
}

#[test]
fn a_reserved_region_is_left_out_with_every_unit_that_it_touches() {
    let msi = (0x0802_0000, 0x0802_0fff);
    let mut narrow = allocator(0x0801_0000, 0x0803_ffff, 0x1_0000, &[msi]);
    assert_eq!(narrow.alloc(1, DmaMask::ALL), Ok(range(0x0803_0000, 0x0803_ffff)));
    assert_eq!(narrow.alloc(1, DmaMask::ALL), Ok(range(0x0801_0000, 0x0801_ffff)));
    assert!(matches!(narrow.alloc(1, DmaMask::ALL), Err(IovaError::Exhausted { .. })));
}

#[test]
fn address_0_is_never_handed_out() {
    let mut low = allocator(0, 2 * PAGE - 1, PAGE, &[]);
    assert_eq!(low.alloc(PAGE, DmaMask::ALL), Ok(range(PAGE, 2 * PAGE - 1)));
    assert!(matches!(low.alloc(PAGE, DmaMask::ALL), Err(IovaError::Exhausted { .. })));
    let mut none = allocator(0, PAGE - 1, PAGE, &[]);
    assert!(matches!(none.alloc(PAGE, DmaMask::ALL), Err(IovaError::Exhausted { .. })));
}

#[test]
fn the_last_page_of_the_address_space_can_be_handed_out() {
    let last = u64::MAX - (PAGE - 1);
    let mut top = allocator(last, u64::MAX, PAGE, &[]);
    assert_eq!(top.alloc(PAGE, DmaMask::ALL), Ok(range(last, u64::MAX)));
    assert_eq!(top.free(range(last, u64::MAX)), Ok(()));
    assert_eq!(top.alloc(PAGE, DmaMask::ALL), Ok(range(last, u64::MAX)));
}

#[test]
fn a_size_that_no_zone_holds_is_an_error_and_so_is_none() {
    let mut all = allocator(0, u64::MAX, PAGE, &[]);
    for bytes in [u64::MAX, 1 << 63, (1 << 63) + 1] {
        let result = all.alloc(bytes, DmaMask::of_bits(63));
        assert!(matches!(result, Err(IovaError::Exhausted { .. })), "{bytes:#x}: {result:?}");
    }
    assert!(all.alloc(1 << 62, DmaMask::of_bits(63)).is_ok());
    assert_eq!(all.alloc(0, DmaMask::ALL), Err(IovaError::Empty));
}

#[test]
fn only_an_allocation_as_a_whole_can_be_freed_and_only_once() {
    let mut all = allocator(0, u64::MAX, PAGE, &[]);
    let block = all.alloc(3 * PAGE, DmaMask::ALL).unwrap();
    let part = range(block.start().0, block.end().0 - PAGE);
    assert_eq!(all.free(part), Err(IovaError::NotAllocated(part)));
    assert_eq!(all.free(range(0, 0xfff)), Err(IovaError::NotAllocated(range(0, 0xfff))));
    assert_eq!(all.free(block), Ok(()));
    assert_eq!(all.free(block), Err(IovaError::NotAllocated(block)));
    assert!(all.is_empty());
}

#[test]
fn the_number_of_allocations_is_bounded() {
    let mut all = allocator(0, u64::MAX, PAGE, &[]);
    for _ in 0..MAX_ALLOCATIONS {
        all.alloc(PAGE, DmaMask::ALL).unwrap();
    }
    assert_eq!(all.len(), MAX_ALLOCATIONS);
    assert_eq!(all.alloc(PAGE, DmaMask::ALL), Err(IovaError::TooMany));
}
