//! Random VIOTs, looked up here and by a model that is too simple to be wrong.

use std::collections::BTreeMap;

use addr::RequesterId;
use probe::{FirmwareMap, InputIds, Translation, Untranslated};
use proptest::prelude::*;

use crate::machine::machine;
use crate::viot::{iommu, range, viot};

/// Endpoint, segments, requester IDs, IOMMU (2: none): small numbers, so that they meet.
fn entry() -> impl Strategy<Value = (u32, (u16, u16), (u16, u16), usize)> {
    let endpoint = prop_oneof![0..64u32, Just(u32::MAX - 3), Just(0xffff_0000)];
    (endpoint, (0..3u16, 0..3u16), (0..40u16, 0..40u16), 0..3usize)
}

const NAMES: [&str; 2] = ["VIOT node at 0x30 (0000:00:01.0)", "VIOT node at 0x40 (0001:00:03.0)"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_viot_translates_as_its_nodes_say_one_by_one(entries in proptest::collection::vec(entry(), 0..6)) {
        let mut nodes = vec![iommu(0, 8), iommu(1, 0x18)];
        nodes.extend(entries.iter().map(|(first, segments, ids, iommu)| {
            range(*first, *segments, *ids, [48, 64, 80][*iommu])
        }));
        let machine = machine(&[0, 1, 2], &[viot(&nodes)]);

        // Every function of the table by itself; the later node overwrites.
        let mut table = BTreeMap::new();
        for (first, segments, ids, iommu) in entries.iter().filter(|entry| entry.3 < 2) {
            for segment in segments.0..=segments.1 {
                for id in ids.0..=ids.1 {
                    let step = 0x1_0000 * u32::from(segment - segments.0) + u32::from(id - ids.0);
                    table.insert((segment, id), (*iommu, first.wrapping_add(step)));
                }
            }
        }
        for segment in 0..3u16 {
            let has_any = table.keys().any(|(own, _)| *own == segment);
            for requester in 0..48u16 {
                let ids = InputIds::Requesters(vec![RequesterId(requester)]);
                let answer = machine.map.translate(machine.bridge(segment), &ids);
                match table.get(&(segment, requester)) {
                    Some((iommu, endpoint)) => {
                        let Ok(Translation::Endpoints(list)) = answer else { panic!("{requester:#x}: {answer:?}") };
                        prop_assert_eq!(list.len(), 1);
                        prop_assert_eq!(machine.map.name(list[0].iommu), NAMES[*iommu]);
                        prop_assert_eq!(list[0].endpoint.0, *endpoint);
                    }
                    None => {
                        let why = if has_any { Untranslated::NotInMap } else { Untranslated::BusBypasses };
                        prop_assert_eq!(answer, Ok(Translation::Nowhere(why)));
                    }
                }
            }
        }
    }
}
