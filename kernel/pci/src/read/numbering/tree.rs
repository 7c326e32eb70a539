//! One root bus with everything behind it, while its bridges are being numbered.

use alloc::vec::Vec;
use core::ops::{Index, IndexMut, Range, RangeInclusive};

use crate::config::access::ConfigAccess;
use crate::config::register;
use crate::findings::Findings;
use crate::function::bridge::BusNumbers;
use crate::function::index::{BusIndex, FunctionIndex};
use crate::read::scan::scan_bus;
use crate::read::scanned::{BridgeAbove, ScannedFunction};
use crate::read::sriov;

/// One root bus and everything behind it, in device order. Its indices count from its own first function and bus.
///
/// # Invariant
///
/// The functions of the buses follow each other in the order of the buses.
#[derive(Default)]
pub(crate) struct Tree {
    buses: Vec<ScannedBus>,
    functions: Vec<ScannedFunction>,
}

/// A bus, and the range of its functions in [`Tree::functions`].
pub(crate) struct ScannedBus {
    pub(crate) segment: u16,
    pub(crate) number: u8,
    /// The bridge that leads to it; none for the first bus.
    pub(crate) above: Option<Above>,
    functions: Range<usize>,
}

/// The bridge that leads to a bus, and the bus that it is on.
#[derive(Clone, Copy)]
pub(crate) struct Above {
    pub(crate) bridge: FunctionIndex,
    pub(crate) bus: BusIndex,
}

/// The root bus.
pub(crate) const ROOT: BusIndex = BusIndex::new(0);

impl ScannedBus {
    /// Whether it has no functions.
    pub(crate) fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// How many functions it has.
    pub(crate) fn len(&self) -> usize {
        self.functions.len()
    }
}

impl Tree {
    /// The buses, each after the one that leads to it.
    pub(crate) fn buses(&self) -> &[ScannedBus] {
        &self.buses
    }

    /// The functions of all buses.
    pub(crate) fn functions(&self) -> &[ScannedFunction] {
        &self.functions
    }

    /// The buses, and the functions of all buses.
    pub(crate) fn into_parts(self) -> (Vec<ScannedBus>, Vec<ScannedFunction>) {
        (self.buses, self.functions)
    }

    /// Scans a bus and appends it.
    pub(crate) fn add_bus(
        &mut self,
        config: &mut dyn ConfigAccess,
        segment: u16,
        number: u8,
        above: Option<Above>,
        findings: &mut Findings,
    ) -> BusIndex {
        let bridge = above.map(|above| self[above.bridge].as_bridge_above());
        self.scan(config, (segment, number), (above, bridge), findings)
    }

    /// A tree whose first bus is not a root bus, but the one behind `bridge`.
    pub(crate) fn behind(
        config: &mut dyn ConfigAccess,
        bridge: BridgeAbove,
        number: u8,
        findings: &mut Findings,
    ) -> Self {
        let mut tree = Self::default();
        tree.scan(config, (bridge.address.segment, number), (None, Some(bridge)), findings);
        tree
    }

    fn scan(
        &mut self,
        config: &mut dyn ConfigAccess,
        (segment, number): (u16, u8),
        (above, bridge): (Option<Above>, Option<BridgeAbove>),
        findings: &mut Findings,
    ) -> BusIndex {
        let first = self.functions.len();
        scan_bus(config, (segment, number), bridge, findings, &mut self.functions);
        self.buses.push(ScannedBus { segment, number, above, functions: first..self.functions.len() });
        BusIndex::new(self.buses.len() - 1)
    }

    /// The bridges on a bus, in device order.
    pub(crate) fn bridges_on(&self, bus: BusIndex) -> Vec<FunctionIndex> {
        let mut bridges = Vec::new();
        for index in self[bus].functions.clone().map(FunctionIndex::new) {
            if self[index].bridge().is_some() {
                bridges.push(index);
            }
        }
        bridges
    }

    /// The number of bus numbers after that of a bus that are reserved for virtual functions.
    pub(crate) fn reserved_buses(&self, bus: BusIndex) -> u16 {
        let ScannedBus { number, functions, .. } = &self[bus];
        sriov::reserved_buses(*number, &self.functions[functions.clone()])
    }

    /// Forgets all buses but the first `buses`.
    pub(crate) fn truncate(&mut self, buses: usize) {
        self.buses.truncate(buses);
        self.functions.truncate(self.buses.last().map_or(0, |bus| bus.functions.end));
        for bridge in self.functions.iter_mut().filter_map(ScannedFunction::bridge_mut) {
            let reachable = |buses: &BusNumbers| self.buses.iter().any(|bus| bus.number == buses.secondary);
            bridge.buses = bridge.buses.filter(reachable);
        }
    }

    /// The bus ranges of the bridges on the root bus.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u8>> + '_ {
        let on_root = self.buses.first().map_or(0..0, |bus| bus.functions.clone());
        self.functions[on_root]
            .iter()
            .filter_map(|scanned| scanned.bridge()?.buses)
            .map(|buses| buses.secondary..=buses.subordinate)
    }

    /// The highest bus number in use.
    pub(crate) fn last_bus(&self) -> Option<u8> {
        self.buses.iter().map(|bus| bus.number).max()
    }

    /// Closes every bridge on a bus, so that no two of them claim the same number.
    pub(crate) fn close_bridges(&mut self, config: &mut dyn ConfigAccess, bus: BusIndex) {
        for bridge in self.bridges_on(bus) {
            if self[bridge].bridge().is_some_and(|bridge| bridge.register & 0x00ff_ffff != 0) {
                self.close(config, bridge);
            }
        }
    }

    /// Closes a bridge: it forwards nothing.
    pub(crate) fn close(&mut self, config: &mut dyn ConfigAccess, bridge: FunctionIndex) {
        self.write_numbers(config, bridge, 0, None);
    }

    /// The closed bridges.
    pub(crate) fn closed(&self) -> impl Iterator<Item = &ScannedFunction> {
        let closed =
            |scanned: &&ScannedFunction| scanned.bridge().is_some_and(|bridge| bridge.buses.is_none());
        self.functions.iter().filter(closed)
    }

    /// Writes the bus numbers of a bridge on bus `primary`; zeros close it.
    pub(crate) fn write_numbers(
        &mut self,
        config: &mut dyn ConfigAccess,
        bridge: FunctionIndex,
        primary: u8,
        buses: Option<BusNumbers>,
    ) {
        let scanned = &mut self[bridge];
        let address = scanned.address;
        let Some(bridge) = scanned.bridge_mut() else { return };
        let (secondary, subordinate) = buses.map_or((0, 0), |buses| (buses.secondary, buses.subordinate));
        let latency_timer = bridge.register & 0xff00_0000;
        bridge.register =
            latency_timer | u32::from(subordinate) << 16 | u32::from(secondary) << 8 | u32::from(primary);
        bridge.buses = buses;
        config.write32(address, register::BUS_NUMBERS, bridge.register);
    }
}

impl Index<FunctionIndex> for Tree {
    type Output = ScannedFunction;

    fn index(&self, index: FunctionIndex) -> &ScannedFunction {
        &self.functions[index.place()]
    }
}

impl IndexMut<FunctionIndex> for Tree {
    fn index_mut(&mut self, index: FunctionIndex) -> &mut ScannedFunction {
        &mut self.functions[index.place()]
    }
}

impl Index<BusIndex> for Tree {
    type Output = ScannedBus;

    fn index(&self, index: BusIndex) -> &ScannedBus {
        &self.buses[index.place()]
    }
}
