//! The PCI bus as the probe core sees it: the unit of a function is its index.

use alloc::rc::Rc;
use alloc::vec::Vec;

use probe::{FwNode, GroupId, Grouping, InputIds, Joining, LinuxBus, Unit};

use crate::function::index::FunctionIndex;
use crate::rules::group::{IsolationClass, Join};
use crate::topology::Topology;

/// A topology and its isolation classes.
#[derive(Clone)]
pub struct PciBus {
    topology: Rc<Topology>,
    nodes: Rc<[FwNode]>,
    classes: Rc<[IsolationClass]>,
}

/// Enables ACS of one function, in the hardware and in the topology.
pub type Isolate = Rc<dyn Fn(&mut Topology, FunctionIndex)>;

/// A topology on Linux's paths, which enable ACS and group function by function.
#[derive(Clone)]
pub struct LinuxPciBus {
    /// Shared, until this bus isolates a function.
    topology: Rc<Topology>,
    isolate: Isolate,
}

impl PciBus {
    /// The bus of `topology` with ACS as it is now: enable it first.
    ///
    /// `nodes` are the firmware nodes of the root buses, in the order in which [`enumerate`](crate::enumerate) got
    /// these.
    #[must_use]
    pub fn new(topology: impl Into<Rc<Topology>>, nodes: Vec<FwNode>) -> Self {
        let topology = topology.into();
        let classes = topology.isolation_classes().into();
        Self { topology, nodes: nodes.into(), classes }
    }

    /// The functions of the bus.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }
}

impl LinuxPciBus {
    /// The functions of `topology` with ACS as it is now.
    #[must_use]
    pub fn new(topology: impl Into<Rc<Topology>>, isolate: Isolate) -> Self {
        Self { topology: topology.into(), isolate }
    }

    /// A hash of the ACS control registers.
    #[must_use]
    pub fn isolation(&self) -> u64 {
        let isolating = self.topology.functions().iter().filter_map(|function| function.acs);
        isolating.fold(0, |memory, acs| memory.rotate_left(5) ^ u64::from(acs.control.bits()))
    }
}

fn function(unit: Unit) -> FunctionIndex {
    FunctionIndex::new(unit.0 as usize)
}

/// The core knows a function by its index.
impl From<FunctionIndex> for Unit {
    fn from(function: FunctionIndex) -> Self {
        Self(function.place() as u32)
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
        InputIds::Requesters(self.topology.requesters(function(unit)))
    }

    fn firmware_parent(&self, unit: Unit) -> Option<FwNode> {
        let root = self.topology.bus_of(&self.topology[function(unit)]).root;
        self.nodes.get(root).copied()
    }

    fn is_untrusted(&self, unit: Unit) -> bool {
        self.topology[function(unit)].untrusted
    }

    fn grouping(&self, unit: Unit) -> Grouping {
        let class = &self.classes[function(unit).place()];
        Grouping { leader: class.leader.into(), why: class.why.clone() }
    }
}

/// # Panics
///
/// All methods panic on a unit that this bus did not give out.
impl LinuxBus for LinuxPciBus {
    fn joining(&self, unit: Unit, arriving: bool, group_of: &dyn Fn(Unit) -> Option<GroupId>) -> Joining {
        let index = function(unit);
        let group_of = |other: FunctionIndex| group_of(other.into());
        let function = &self.topology[index];
        let join = if arriving && function.multifunction != function.multifunction_by_header {
            let mut as_added = Topology::clone(&self.topology);
            as_added.function_mut(index).multifunction = function.multifunction_by_header;
            as_added.group(index, &group_of)
        } else {
            self.topology.group(index, &group_of)
        };
        match join {
            Join::Existing { group, why } => Joining { group: Some(group), why },
            Join::New { why } => Joining { group: None, why },
        }
    }

    fn isolate(&mut self, unit: Unit) {
        (self.isolate)(Rc::make_mut(&mut self.topology), function(unit));
    }
}
