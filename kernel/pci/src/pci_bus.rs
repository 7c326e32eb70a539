//! The PCI bus as the probe core sees it.

use alloc::vec::Vec;

use probe::{FwNode, Grouping, InputIds, Unit};

use crate::group::IsolationClass;
use crate::topology::{FunctionIndex, Topology};

/// A topology as the probe core sees it. A unit is a function's index.
#[derive(Clone, Debug)]
pub struct PciBus {
    topology: Topology,
    nodes: Vec<FwNode>,
    classes: Vec<IsolationClass>,
}

impl PciBus {
    /// The bus of `topology`, as it isolates now: switch ACS on before.
    ///
    /// `nodes` are the firmware nodes of the root buses, in the order in which `enumerate` got those.
    #[must_use]
    pub fn new(topology: Topology, nodes: Vec<FwNode>) -> Self {
        let classes = topology.isolation_classes();
        Self { topology, nodes, classes }
    }

    /// The functions behind the units.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The unit of a function.
    #[must_use]
    pub fn unit(function: FunctionIndex) -> Unit {
        Unit(function.0)
    }

    /// The function of a unit.
    #[must_use]
    pub fn function(unit: Unit) -> FunctionIndex {
        FunctionIndex(unit.0)
    }
}

/// # Panics
///
/// All methods panic on a unit that this bus did not give out.
impl probe::Bus for PciBus {
    fn name(&self) -> &'static str {
        "pci"
    }

    fn input_ids(&self, unit: Unit) -> InputIds {
        InputIds::Requesters(self.topology.requesters(Self::function(unit)))
    }

    fn firmware_parent(&self, unit: Unit) -> Option<FwNode> {
        let function = &self.topology[Self::function(unit)];
        self.nodes.get(self.topology.bus_of(function).root).copied()
    }

    fn grouping(&self, unit: Unit) -> Grouping {
        let class = &self.classes[unit.0 as usize];
        Grouping { leader: Self::unit(class.leader), why: class.why.clone() }
    }
}
