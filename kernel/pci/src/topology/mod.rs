//! All functions of the machine and how buses connect them.

use alloc::vec::Vec;
use core::ops;

use addr::{DeviceFunction, PciAddress, RequesterId};
use probe::Finding;

use crate::function::Function;

/// A function's place in [`Topology::functions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionIndex(pub u32);

/// A bus's place in [`Topology::buses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusIndex(pub u32);

/// All functions of the machine that firmware leads to, and how buses connect them.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    pub(crate) functions: Vec<Function>,
    pub(crate) buses: Vec<Bus>,
    pub(crate) hidden: Vec<HiddenRoot>,
    pub(crate) findings: Vec<Finding>,
}

/// One bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bus {
    /// PCI segment group.
    pub segment: u16,
    /// Its number.
    pub number: u8,
    /// Which of the root buses it belongs to: an index into the list given to `enumerate`.
    pub root: usize,
    /// The bridge that leads to it; none for a root bus, and for one that holds virtual functions alone.
    pub bridge: Option<FunctionIndex>,
    /// The bus on the other side of that bridge, or that of the physical functions; none for a root bus.
    pub parent: Option<BusIndex>,
    /// Its functions, ascending by device and function.
    pub(crate) functions: Vec<FunctionIndex>,
    /// Whether a function on it has DMA aliases on the same bus.
    pub(crate) has_aliases: bool,
}

/// A root bus that firmware does not describe. Its bridges got numbers; nothing else was done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HiddenRoot {
    /// PCI segment group.
    pub segment: u16,
    /// Number of the root bus.
    pub bus: u8,
    /// The highest bus number that is used behind it.
    pub last_bus: u8,
    /// How many functions are left out.
    pub functions: u32,
}

impl Topology {
    /// The functions in the order in which Linux adds them: a bus as a whole, ascending, then what is
    /// behind its bridges (Linux: `pci_scan_child_bus`); virtual functions come last.
    #[must_use]
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The same order with the index of each.
    pub fn indexed(&self) -> impl Iterator<Item = (FunctionIndex, &Function)> {
        self.functions.iter().enumerate().map(|(index, function)| (FunctionIndex(index as u32), function))
    }

    /// The buses, a bus always after the one that leads to it.
    #[must_use]
    pub fn buses(&self) -> &[Bus] {
        &self.buses
    }

    /// Root buses that firmware does not describe.
    #[must_use]
    pub fn hidden(&self) -> &[HiddenRoot] {
        &self.hidden
    }

    /// What is odd about the machine.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Marks the bridges with a bus behind them for which `leads_out` holds as facing outside; comes before ACS is
    /// enabled.
    ///
    /// Linux: `pci_set_bus_of_node`.
    pub fn mark_external_facing(&mut self, leads_out: impl Fn(FunctionIndex, &Function) -> bool) {
        for index in 0..self.functions.len() {
            let function = &self.functions[index];
            let has_bus = function.bridge.as_ref().is_some_and(|bridge| bridge.buses.is_some());
            let external_facing = has_bus && leads_out(FunctionIndex(index as u32), function);
            self.functions[index].external_facing = external_facing;
        }
    }

    /// Marks everything behind a port that faces outside as untrusted; comes before ACS is enabled.
    ///
    /// Linux: `set_pcie_untrusted`, up to 6.12. Later it asks the architecture, and Arm's answer is that no device
    /// can be removed.
    pub fn mark_untrusted(&mut self) {
        // A function comes after the bridges that lead to it.
        for index in 0..self.functions.len() {
            let above = self.functions[index].parent.map(|parent| &self[parent]);
            let untrusted = above.is_some_and(|above| above.untrusted || above.external_facing);
            self.functions[index].untrusted = untrusted;
        }
    }

    /// The function with this index; none if the index is of another topology.
    #[must_use]
    pub fn get(&self, index: FunctionIndex) -> Option<&Function> {
        self.functions.get(index.0 as usize)
    }

    /// The bus that a function sits on.
    #[must_use]
    pub fn bus_of(&self, function: &Function) -> &Bus {
        &self.buses[function.bus.0 as usize]
    }

    /// The function at `address`.
    #[must_use]
    pub fn find(&self, address: PciAddress) -> Option<FunctionIndex> {
        let bus =
            self.buses.iter().find(|bus| bus.segment == address.segment && bus.number == address.bus)?;
        self.on_bus(bus, address.devfn)
    }

    /// The function with this requester ID in segment `segment`.
    #[must_use]
    pub fn find_requester(&self, segment: u16, id: RequesterId) -> Option<FunctionIndex> {
        self.find(PciAddress { segment, bus: id.bus(), devfn: id.devfn() })
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
}

impl ops::Index<FunctionIndex> for Topology {
    type Output = Function;

    /// # Panics
    ///
    /// If the index is of another topology.
    fn index(&self, index: FunctionIndex) -> &Function {
        &self.functions[index.0 as usize]
    }
}
