//! Random maps, translated here and by a model that is too simple to be wrong.

use std::collections::BTreeMap;

use addr::RequesterId;
use probe::{FirmwareMap, InputIds, Translation, Untranslated};
use proptest::prelude::*;

use crate::tree::{host_bridge, iommu, machine};

/// Base, IOMMU (0 or 1), output, length: small numbers, so that they meet.
fn entry() -> impl Strategy<Value = (u32, usize, u32, u32)> {
    (0..48u32, 0..2usize, prop_oneof![0..64u32, Just(u32::MAX - 3)], 0..24u32)
}

fn mask() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![Just(None), Just(Some(0xffff)), Just(Some(0x3f)), Just(Some(0x38)), Just(Some(7))]
}

const PATHS: [&str; 2] = ["/one@0", "/two@1"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_map_translates_as_its_entries_say_one_by_one(
        entries in proptest::collection::vec(entry(), 0..6),
        mask in mask(),
    ) {
        let cells: Vec<u32> =
            entries.iter().flat_map(|(base, iommu, output, length)| [*base, *iommu as u32 + 1, *output, *length]).collect();
        let mut bridge = host_bridge().cells("iommu-map", &cells);
        if let Some(mask) = mask {
            bridge = bridge.cells("iommu-map-mask", &[mask]);
        }
        let machine = machine([iommu("one@0", 1, 1), iommu("two@1", 2, 1), bridge]);
        let mask = mask.unwrap_or(u32::MAX);

        // Every ID of the map by itself, the first entry in the order of the property winning; up to the
        // entry that the mask forbids.
        let allowed: Vec<_> = entries.iter().take_while(|(base, ..)| base & mask == *base).collect();
        let mut table = BTreeMap::new();
        for (base, iommu, output, length) in allowed.iter().rev() {
            for step in 0..*length {
                table.insert(base + step, (*iommu, output.wrapping_add(step)));
            }
        }
        let at = machine.at("/pcie@10000000");
        for requester in 0..160u16 {
            let ids = InputIds::Requesters(vec![RequesterId(requester)]);
            let answer = machine.map.translate(at, &ids);
            match table.get(&(u32::from(requester) & mask)) {
                Some((iommu, endpoint)) => {
                    let Ok(Translation::Endpoints(list)) = answer else { panic!("{requester:#x}: {answer:?}") };
                    prop_assert_eq!(list.len(), 1);
                    prop_assert_eq!(machine.map.name(list[0].iommu), PATHS[*iommu]);
                    prop_assert_eq!(list[0].endpoint.0, *endpoint);
                }
                None if allowed.len() < entries.len() => prop_assert!(answer.is_err(), "{:#x}", requester),
                None => prop_assert_eq!(answer, Ok(Translation::Nowhere(Untranslated::NotInMap))),
            }
        }
    }
}
