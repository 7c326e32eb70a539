//! Random requests: no device reaches anything but live buffers, and no address is handed out twice.

use std::collections::BTreeMap;

use addr::{Iova, Range};
use proptest::prelude::*;

use super::iommu::{Entry, Model, ram, range};
use crate::{
    AddressSpace, Direction, DmaMapping, DmaMask, FLUSH_AFTER_US, Invalidation, IovaAllocator, IovaLimits,
};

/// Fewer cases under Miri, which is slow.
const CASES: u32 = if cfg!(miri) { 4 } else { 256 };

#[derive(Clone, Debug)]
enum Operation {
    Map { units: u64, direction: Direction, bits: u32 },
    Unmap { which: usize },
    Wait { us: u64 },
    Flush,
}

fn operation() -> impl Strategy<Value = Operation> {
    let direction =
        prop_oneof![Just(Direction::ToDevice), Just(Direction::FromDevice), Just(Direction::Both)];
    let bits = prop_oneof![Just(64), Just(32), Just(28), 10_u32..40];
    prop_oneof![
        4 => (1_u64..20, direction, bits)
            .prop_map(|(units, direction, bits)| Operation::Map { units, direction, bits }),
        3 => any::<usize>().prop_map(|which| Operation::Unmap { which }),
        1 => (0..2 * FLUSH_AFTER_US).prop_map(|us| Operation::Wait { us }),
        1 => Just(Operation::Flush),
    ]
}

/// An aperture and reserved regions in and around it.
fn limits() -> impl Strategy<Value = (Range<Iova>, Vec<Range<Iova>>)> {
    let apertures = prop_oneof![
        Just(range(0, u64::MAX)),
        Just(range(0, (1 << 24) - 1)),
        (0_u64..1 << 20, 1_u64..1 << 26).prop_map(|(start, size)| range(start, start + size)),
    ];
    let region = (0_u64..1 << 26, 0_u64..1 << 18).prop_map(|(start, size)| range(start, start + size));
    let msi = Just(range(0xffff_0000, 0xffff_ffff));
    (apertures, prop::collection::vec(prop_oneof![4 => region, 1 => msi], 0..6))
}

fn granule() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0x200), Just(0x1000), Just(0x4000), Just(0x1_0000)]
}

/// What the model must contain for `mapping`.
fn entries(mapping: &DmaMapping, direction: Direction, granule: u64) -> Vec<(Iova, Entry)> {
    let prot = direction.prot();
    let entry = |unit: u64| {
        let offset = unit * granule;
        let to = mapping.phys().start().checked_add(offset).unwrap();
        (Iova(mapping.iova().start().0 + offset), (to, prot.read, prot.write))
    };
    (0..mapping.iova().size() / granule).map(entry).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    /// In strict mode a device reaches exactly the live buffers, in batched mode those and the ones that
    /// wait; after a flush there is no difference.
    #[test]
    fn a_device_reaches_live_buffers_only(
        (aperture, reserved) in limits(),
        granule in granule(),
        batched in any::<bool>(),
        operations in prop::collection::vec(operation(), 1..80),
    ) {
        let model = Model::new(granule, aperture);
        let invalidation = if batched { Invalidation::Batched } else { Invalidation::Strict };
        let mut space = AddressSpace::new(model.clone(), reserved.clone(), invalidation).unwrap();
        let unit = space.unit();
        let mut live: Vec<(DmaMapping, Direction)> = Vec::new();
        let mut waiting: Vec<(DmaMapping, Direction)> = Vec::new();
        let (mut now, mut next_buffer) = (0, 0x4000_0000);
        for operation in operations {
            match operation {
                Operation::Map { units, direction, bits } => {
                    let mask = DmaMask::of_bits(bits);
                    let buffer = ram(next_buffer, units * unit);
                    next_buffer += units * unit;
                    if let Ok(mapping) = space.map(buffer, direction, mask) {
                        let iova = mapping.iova();
                        prop_assert!(iova.start() > Iova(0));
                        prop_assert!(iova.end().0 <= mask.last_address());
                        prop_assert!(reserved.iter().all(|region| !region.overlaps(&iova)));
                        prop_assert!(iova.start().0.is_multiple_of((units * unit).next_power_of_two()));
                        live.push((mapping, direction));
                    }
                }
                Operation::Unmap { which } if !live.is_empty() => {
                    let (mapping, direction) = live.swap_remove(which % live.len());
                    let copy = DmaMapping { iova: mapping.iova(), phys: mapping.phys() };
                    prop_assert_eq!(space.unmap(mapping, now), Ok(()));
                    waiting.push((copy, direction));
                }
                Operation::Unmap { .. } => {}
                Operation::Wait { us } => {
                    now += us;
                    prop_assert_eq!(space.poll(now), Ok(()));
                }
                Operation::Flush => prop_assert_eq!(space.flush(), Ok(())),
            }
            if space.waiting() == 0 {
                waiting.clear();
            }
            prop_assert_eq!((space.live(), space.waiting()), (live.len(), waiting.len()));
            let reachable = live.iter().chain(&waiting);
            let expected: BTreeMap<Iova, Entry> =
                reachable.flat_map(|(mapping, direction)| entries(mapping, *direction, granule)).collect();
            prop_assert_eq!(&model.tables.borrow().units, &expected);
        }
    }

    /// Allocations never overlap; what was freed can be allocated again, so nothing gets lost.
    #[test]
    fn an_exhausted_allocator_has_handed_out_every_free_unit_once(
        start in 0_u64..64,
        units in 1_u64..200,
        hole in (0_u64..300, 0_u64..20),
        order in prop::collection::vec(any::<usize>(), 1..50),
    ) {
        let page = 0x1000;
        let aperture = range(start * page, (start + units) * page - 1);
        let reserved = range(hole.0 * page, (hole.0 + hole.1) * page);
        let mut addresses = IovaAllocator::new(IovaLimits::new(aperture, page, [reserved]).unwrap());
        let free = (start..start + units)
            .filter(|unit| *unit > 0 && !(hole.0..=hole.0 + hole.1).contains(unit))
            .map(|unit| unit * page);
        let expected: Vec<u64> = free.collect();
        let mut taken = Vec::new();
        for round in 0..3 {
            while let Ok(block) = addresses.alloc(page, DmaMask::ALL) {
                taken.push(block);
            }
            let mut found: Vec<u64> = taken.iter().map(|block: &Range<Iova>| block.start().0).collect();
            found.sort_unstable();
            prop_assert_eq!(&found, &expected, "round {}", round);
            for which in &order {
                if !taken.is_empty() {
                    let block = taken.swap_remove(which % taken.len());
                    prop_assert_eq!(addresses.free(block), Ok(()));
                }
            }
        }
    }
}
