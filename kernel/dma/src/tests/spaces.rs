//! What a device reaches while its buffers are mapped, and after that.

use addr::PhysAddr;
use probe::RefusalCause;

use super::iommu::{Model, ram, range};
use crate::{
    AddressSpace, Direction, DmaMapping, DmaMask, FLUSH_AFTER_US, FLUSH_QUEUE_SIZE, Invalidation, IovaError,
    MapError, UnmapError,
};

const PAGE: u64 = 0x1000;

fn space(model: &Model, invalidation: Invalidation) -> AddressSpace<Model> {
    AddressSpace::new(model.clone(), [range(0xffff_f000, 0xffff_ffff)], invalidation).unwrap()
}

fn model() -> Model {
    Model::new(PAGE, range(0, u64::MAX))
}

fn map(space: &mut AddressSpace<Model>, start: u64, direction: Direction) -> DmaMapping {
    space.map(ram(start, PAGE), direction, DmaMask::ALL).unwrap()
}

#[test]
fn a_buffer_is_reached_in_its_direction_and_nothing_beside_it() {
    let model = model();
    let mut space = space(&model, Invalidation::Strict);
    let mapping = map(&mut space, 0x4000_0000, Direction::ToDevice);
    let (first, last) = (mapping.iova().start().0, mapping.iova().end().0);
    assert_eq!((model.read(first), model.read(last)), (Some(0x4000_0000), Some(0x4000_0fff)));
    assert_eq!(model.write(first), None);
    assert_eq!((model.read(first - 1), model.read(last + 1)), (None, None));
    let filled = map(&mut space, 0x4000_1000, Direction::FromDevice);
    let first = filled.iova().start().0;
    assert_eq!((model.read(first), model.write(first)), (None, Some(0x4000_1000)));
}

#[test]
fn strict_unmapping_ends_the_access_before_it_returns() {
    let model = model();
    let mut space = space(&model, Invalidation::Strict);
    let mapping = map(&mut space, 0x4000_0000, Direction::Both);
    let (at, iova) = (mapping.iova().start().0, mapping.iova());
    space.unmap(mapping, 0).unwrap();
    assert_eq!(model.read(at), None);
    assert_eq!(map(&mut space, 0x4000_0000, Direction::Both).iova(), iova, "the address is free again");
}

#[test]
fn batched_unmapping_keeps_the_address_until_the_queue_is_flushed() {
    let model = model();
    let mut space = space(&model, Invalidation::Batched);
    let mapping = map(&mut space, 0x4000_0000, Direction::Both);
    let old = mapping.iova();
    space.unmap(mapping, 100).unwrap();
    assert_eq!(model.read(old.start().0), Some(0x4000_0000), "still reachable");
    let other = map(&mut space, 0x4000_1000, Direction::Both);
    assert_ne!(other.iova(), old, "an address is not used again before the flush");
    space.poll(100 + FLUSH_AFTER_US - 1).unwrap();
    assert_eq!(space.waiting(), 1);
    space.poll(100 + FLUSH_AFTER_US).unwrap();
    assert_eq!(model.read(old.start().0), None);
    assert_eq!(map(&mut space, 0x4000_2000, Direction::Both).iova(), old);
    assert_eq!(space.counters().flushes, 1);
}

#[test]
fn a_full_queue_is_flushed_in_one_batch() {
    let model = model();
    let mut space = space(&model, Invalidation::Batched);
    for number in 0..FLUSH_QUEUE_SIZE as u64 {
        assert_eq!(model.tables.borrow().unmaps, 0, "before unmapping {number}");
        let mapping = map(&mut space, 0x4000_0000 + number * PAGE, Direction::Both);
        space.unmap(mapping, 0).unwrap();
    }
    let tables = model.tables.borrow();
    assert_eq!((tables.unmaps, tables.batches, tables.units.len()), (FLUSH_QUEUE_SIZE, 1, 0));
}

#[test]
fn a_buffer_that_shares_a_unit_with_something_else_is_not_mapped() {
    let model = Model::new(0x1_0000, range(0, u64::MAX));
    let mut space = space(&model, Invalidation::Strict);
    for phys in [ram(0x4000_1000, 0x1_0000), ram(0x4000_0000, 0x1000)] {
        let refused = space.map(phys, Direction::Both, DmaMask::ALL);
        assert_eq!(refused, Err(MapError::Misaligned { phys, unit: 0x1_0000 }));
    }
    assert!(space.map(ram(0x4000_0000, 0x1_0000), Direction::Both, DmaMask::ALL).is_ok());
    assert_eq!(space.counters().refused, 2);
}

#[test]
fn a_finer_granule_than_the_cpu_page_maps_whole_pages() {
    let model = Model::new(0x200, range(0, u64::MAX));
    let mut space = space(&model, Invalidation::Strict);
    assert!(matches!(
        space.map(ram(0x4000_0000, 0x200), Direction::Both, DmaMask::ALL),
        Err(MapError::Misaligned { .. })
    ));
    let mapping = map(&mut space, 0x4000_0000, Direction::Both);
    assert_eq!(mapping.iova().size(), PAGE);
}

#[test]
fn a_refused_mapping_frees_its_address_unless_the_iommu_is_silent() {
    let model = model();
    let mut space = space(&model, Invalidation::Strict);
    let mut refused_with = |cause| {
        model.tables.borrow_mut().map_refusal = cause;
        space.map(ram(0x4000_0000, PAGE), Direction::Both, DmaMask::ALL)
    };
    assert!(matches!(refused_with(Some(RefusalCause::NoMemory)), Err(MapError::Refused(_))));
    let first = refused_with(None).unwrap().iova();
    assert_eq!(first, range(0xffff_e000, 0xffff_efff), "the address below the reserved one");
    assert!(matches!(refused_with(Some(RefusalCause::Dead)), Err(MapError::Refused(_))));
    assert_eq!(refused_with(None).unwrap().iova(), range(0xffff_c000, 0xffff_cfff));
}

#[test]
fn an_address_that_the_iommu_does_not_remove_is_never_used_again() {
    for invalidation in [Invalidation::Strict, Invalidation::Batched] {
        let model = model();
        let mut space = space(&model, invalidation);
        let mapping = map(&mut space, 0x4000_0000, Direction::Both);
        let iova = mapping.iova();
        model.tables.borrow_mut().unmap_refusal = Some(RefusalCause::Io);
        let refused = space.unmap(mapping, 0).and_then(|()| space.flush());
        assert!(matches!(refused, Err(UnmapError::Refused { iova: stuck, .. }) if stuck == iova));
        model.tables.borrow_mut().unmap_refusal = None;
        assert_ne!(map(&mut space, 0x4000_1000, Direction::Both).iova(), iova);
        assert_eq!(space.counters().stuck, 1);
    }
}

#[test]
fn a_mapping_of_another_address_space_is_not_unmapped() {
    let (ours, theirs) = (model(), model());
    let mut here = space(&ours, Invalidation::Strict);
    let mut there = space(&theirs, Invalidation::Strict);
    let kept = map(&mut here, 0x4000_0000, Direction::Both);
    let foreign = map(&mut there, 0x4000_1000, Direction::Both);
    assert_eq!(kept.iova(), foreign.iova());
    assert_eq!(here.unmap(foreign, 0), Err(UnmapError::NotMapped(kept.iova())));
    assert_eq!(ours.read(kept.iova().start().0), Some(0x4000_0000));
    assert_eq!(here.unmap(kept, 0), Ok(()));
}

#[test]
fn a_mask_below_the_first_unit_reaches_nothing() {
    let mut space = space(&model(), Invalidation::Strict);
    let mask = DmaMask::of_bits(12);
    assert_eq!(
        space.map(ram(PhysAddr(0).0, PAGE), Direction::Both, mask),
        Err(MapError::Iova(IovaError::Exhausted { bytes: PAGE, mask }))
    );
}
