//! Everything that the kernel would ask of tables.

use std::hint::black_box;

use addr::{PhysAddr, RequesterId};
use firmware::acpi::{PhysicalMemory, Tables};
use probe::{FirmwareMap, FwNode, InputIds};

use crate::machine::{Machine, read_tables};

/// Whether the tables could be used at all.
pub(crate) fn exercise(memory: &dyn PhysicalMemory, rsdp: PhysAddr) -> bool {
    match Tables::gather(rsdp, memory) {
        Ok(tables) => exercise_tables(&tables),
        Err(error) => {
            black_box(error.to_string());
            return false;
        }
    }
    true
}

/// Asks everything of sound tables.
pub(crate) fn exercise_tables(tables: &Tables) {
    let Machine { description, map } = read_tables(tables);
    for bridge in &description.host_bridges {
        assert!(bridge.first_bus <= bridge.last_bus);
        assert_eq!(bridge.ecam.size(), (u64::from(bridge.last_bus - bridge.first_bus) + 1) << 20);
        for requester in [0, 8, 0x10, 0xff, 0x100, 0x2000, 0xffff] {
            let ids = InputIds::Requesters(vec![RequesterId(requester), RequesterId(requester ^ 0x100)]);
            let _ = black_box(map.translate(bridge.node, &ids));
            black_box(map.remark(bridge.node, &ids));
        }
    }
    for node in (0..=map.node_count()).map(FwNode) {
        black_box(map.name(node));
        let _ = black_box(map.translate(node, &InputIds::Node));
    }
}
