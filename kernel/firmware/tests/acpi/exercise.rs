//! Everything that the kernel would ask of tables.

use std::hint::black_box;

use addr::PhysAddr;
use firmware::acpi::{PhysicalMemory, Tables};

use crate::answers::{self, Most};
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
        assert_eq!(bridge.ecam.size(), (u64::from(bridge.last_bus - bridge.first_bus) + 1) << 20);
    }
    let all = Most { nodes: u32::MAX, bridges: usize::MAX };
    answers::check(&description, &map, map.node_count(), &all);
}
