//! Buses of devices that firmware describes individually.

use alloc::string::ToString;
use alloc::vec::Vec;

use firmware::PlatformDevice;
use probe::{Bus, FwNode, Grouping, InputIds, Unit};

/// One such bus; units are indices in the list of platform devices.
pub(crate) struct PlatformBus {
    name: &'static str,
    nodes: Vec<FwNode>,
}

impl PlatformBus {
    pub(crate) fn new(name: &'static str, devices: &[PlatformDevice]) -> Self {
        Self { name, nodes: devices.iter().map(|device| device.node).collect() }
    }
}

impl Bus for PlatformBus {
    fn name(&self) -> &'static str {
        self.name
    }

    fn input_ids(&self, _: Unit) -> InputIds {
        InputIds::Node
    }

    fn firmware_parent(&self, unit: Unit) -> Option<FwNode> {
        self.nodes.get(unit.0 as usize).copied()
    }

    /// Always a group of its own (Linux: `generic_device_group`).
    fn grouping(&self, unit: Unit) -> Grouping {
        Grouping { leader: unit, why: "own group".to_string() }
    }
}
