//! What is asked of every description and map, whichever language they come from: by the tests of both routes, and
//! by the fuzz targets.

use std::hint::black_box;

use addr::RequesterId;
use firmware::Description;
use probe::{FirmwareMap, FwNode, InputIds};

/// Requester IDs that are asked for: both ends of the first bus and of all, and some between.
const REQUESTERS: [u16; 7] = [0, 8, 0x10, 0xff, 0x100, 0x2000, 0xffff];

/// How much is asked: the tests ask everything; for a fuzz target more of it tells nothing new, and costs executions.
pub(crate) struct Most {
    pub(crate) nodes: u32,
    pub(crate) bridges: usize,
}

/// Checks what `description` promises, and asks `map` for everything the kernel would, as far as `most` says.
pub(crate) fn check(description: &Description, map: &dyn FirmwareMap, node_count: u32, most: &Most) {
    assert!(!description.memory.is_empty(), "a description without RAM");
    for pair in description.memory.windows(2) {
        assert!(pair[0].end() < pair[1].start(), "RAM is not sorted, or overlaps");
    }
    for bridge in &description.host_bridges {
        assert!(bridge.first_bus <= bridge.last_bus, "a host bridge without buses");
        let buses = u64::from(bridge.last_bus - bridge.first_bus) + 1;
        assert!(bridge.ecam.size() >= buses << 20, "configuration space is too short for its buses");
        assert!(bridge.node.0 < node_count, "a host bridge's node does not exist");
    }
    for device in &description.platform_devices {
        assert!(device.node.0 < node_count, "a platform device's node does not exist");
    }
    for finding in &description.findings {
        assert!(!finding.sentence.is_empty() && !finding.place.is_empty(), "a finding without words");
    }
    for bridge in description.host_bridges.iter().take(most.bridges) {
        for requester in REQUESTERS {
            let ids = InputIds::Requesters(vec![RequesterId(requester), RequesterId(requester ^ 0x100)]);
            ask(map, bridge.node, &ids);
            black_box(map.remark(bridge.node, &ids));
        }
    }
    // The last one does not exist, which a map has to bear.
    for node in (0..node_count.min(most.nodes)).chain([node_count]).map(FwNode) {
        ask(map, node, &InputIds::Node);
        black_box(map.name(node));
    }
}

fn ask(map: &dyn FirmwareMap, node: FwNode, ids: &InputIds) {
    match map.translate(node, ids) {
        Ok(translation) => drop(black_box(translation)),
        Err(error) => assert!(!error.finding.sentence.is_empty(), "an error without words"),
    }
}
