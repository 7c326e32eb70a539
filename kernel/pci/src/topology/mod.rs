//! All functions of the machine and how buses connect them.

pub(crate) mod bus;
pub(crate) mod root_bus;

use alloc::vec::Vec;
use core::{iter, ops};

use addr::{DeviceFunction, PciAddress};
use probe::Finding;

use crate::findings::Findings;
use crate::function::Function;
use crate::function::index::{BusIndex, FunctionIndex};
use crate::topology::bus::{Bus, HiddenRoot};

/// All functions of the machine that firmware leads to, and how buses connect them.
///
/// # Invariants
///
/// A bus comes after the bridge and the bus that lead to it, and so does each function. Each function is in the list
/// of its bus, which is in ascending order, until it is removed; then it has neither BARs nor a bus behind it.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    functions: Vec<Function>,
    buses: Vec<Bus>,
    hidden: Vec<HiddenRoot>,
    findings: Findings,
}

impl Topology {
    /// A topology without functions.
    pub(crate) fn new(hidden: Vec<HiddenRoot>) -> Self {
        Self { hidden, ..Self::default() }
    }

    /// The functions in the order in which Linux adds them: all functions of a bus, ascending, then those behind its
    /// bridges (Linux: `pci_scan_child_bus`); virtual functions last.
    #[must_use]
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The functions with their indices, in the same order.
    pub fn indexed(&self) -> impl Iterator<Item = (FunctionIndex, &Function)> {
        self.indices().zip(&self.functions)
    }

    /// The index of every function, ascending.
    pub(crate) fn indices(&self) -> impl Iterator<Item = FunctionIndex> + use<> {
        (0..self.functions.len()).map(FunctionIndex::new)
    }

    /// The buses; a bus comes after the one that leads to it.
    #[must_use]
    pub fn buses(&self) -> &[Bus] {
        &self.buses
    }

    /// The index of every bus, ascending.
    pub(crate) fn bus_indices(&self) -> impl DoubleEndedIterator<Item = BusIndex> + use<> {
        (0..self.buses.len()).map(BusIndex::new)
    }

    /// Root buses that firmware does not describe.
    #[must_use]
    pub fn hidden(&self) -> &[HiddenRoot] {
        &self.hidden
    }

    /// What is wrong with the machine.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        self.findings.list()
    }

    /// The same topology with the findings of its enumeration.
    pub(crate) fn with_findings(self, findings: Findings) -> Self {
        Self { findings, ..self }
    }

    /// The findings, to add more.
    pub(crate) fn findings_mut(&mut self) -> &mut Findings {
        &mut self.findings
    }

    /// The bus that a function is on.
    #[must_use]
    pub fn bus_of(&self, function: &Function) -> &Bus {
        &self[function.bus]
    }

    /// The function at `address`.
    #[must_use]
    pub fn find(&self, address: PciAddress) -> Option<FunctionIndex> {
        let is_there = |bus: &&Bus| bus.segment == address.segment && bus.number == address.bus;
        // The number of a bus that was removed may be in use again.
        self.buses.iter().filter(is_there).find_map(|bus| self.on_bus(bus, address.devfn))
    }

    /// The function `devfn` of `bus`.
    #[must_use]
    pub fn on_bus(&self, bus: &Bus, devfn: DeviceFunction) -> Option<FunctionIndex> {
        let place = bus.functions.binary_search_by_key(&devfn, |index| self[*index].address.devfn).ok()?;
        Some(bus.functions[place])
    }

    /// The functions of one bus, ascending.
    pub fn functions_of<'b>(&self, bus: &'b Bus) -> impl Iterator<Item = FunctionIndex> + use<'b> {
        bus.functions.iter().copied()
    }

    /// The bridges from `function`'s bus to the root, nearest first.
    pub fn bridges_above(&self, function: FunctionIndex) -> impl Iterator<Item = FunctionIndex> + '_ {
        iter::successors(self[function].parent, |bridge| self[*bridge].parent)
    }

    /// The function with this index. The caller does not change `bus`, `address` and `parent`.
    pub(crate) fn function_mut(&mut self, index: FunctionIndex) -> &mut Function {
        &mut self.functions[index.place()]
    }

    /// Appends a bus without functions. Its `bridge` leads to it from then on.
    pub(crate) fn add_bus(&mut self, bus: Bus) -> BusIndex {
        let index = BusIndex::new(self.buses.len());
        if let Some(bridge) = bus.bridge
            && let Some(bridge) = &mut self.functions[bridge.place()].bridge
        {
            bridge.bus = Some(index);
        }
        self.buses.push(bus);
        index
    }

    /// Appends a function and adds it to the list of its bus.
    pub(crate) fn add_function(&mut self, function: Function) -> FunctionIndex {
        let index = FunctionIndex::new(self.functions.len());
        let bus = &mut self.buses[function.bus.place()].functions;
        let place = bus
            .partition_point(|member| self.functions[member.place()].address.devfn < function.address.devfn);
        bus.insert(place, index);
        self.functions.push(function);
        index
    }

    /// Whether a function is in the machine, and not removed.
    pub(crate) fn is_present(&self, index: FunctionIndex) -> bool {
        let function = &self[index];
        self.on_bus(self.bus_of(function), function.address.devfn) == Some(index)
    }

    /// Removes a function from its bus.
    pub(crate) fn remove_function(&mut self, index: FunctionIndex) {
        let function = &mut self.functions[index.place()];
        (function.all_bars, function.bridge) = (Vec::new(), None);
        self.buses[function.bus.place()].functions.retain(|member| *member != index);
    }

    /// Records that a function also does DMA under the ID of `devfn` on its own bus.
    pub(crate) fn add_alias(&mut self, index: FunctionIndex, devfn: DeviceFunction) {
        let function = &mut self.functions[index.place()];
        function.aliases.insert(devfn);
        self.buses[function.bus.place()].has_aliases = true;
    }
}

impl ops::Index<FunctionIndex> for Topology {
    type Output = Function;

    /// # Panics
    ///
    /// If the index is of another topology.
    fn index(&self, index: FunctionIndex) -> &Function {
        &self.functions[index.place()]
    }
}

impl ops::Index<BusIndex> for Topology {
    type Output = Bus;

    /// # Panics
    ///
    /// If the index is of another topology.
    fn index(&self, index: BusIndex) -> &Bus {
        &self.buses[index.place()]
    }
}
