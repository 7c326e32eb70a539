//! Buses, and root buses that firmware does not describe.

use alloc::vec::Vec;

use crate::function::index::{BusIndex, FunctionIndex};

/// A bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bus {
    /// PCI segment group.
    pub segment: u16,
    /// The bus number.
    pub number: u8,
    /// The root bus that it is behind: an index into the list given to [`enumerate`](crate::enumerate).
    pub root: usize,
    /// The bridge that leads to it; none for a root bus, and for a bus with virtual functions only.
    pub bridge: Option<FunctionIndex>,
    /// The bus above: that of the bridge, or that of the physical functions; none for a root bus.
    pub parent: Option<BusIndex>,
    /// Its functions, ascending by device and function.
    pub(crate) functions: Vec<FunctionIndex>,
    /// Whether a function on it has DMA aliases on the same bus.
    pub(crate) has_aliases: bool,
}

/// A root bus that firmware does not describe. Its bridges got numbers; its functions are not in the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HiddenRoot {
    /// PCI segment group.
    pub segment: u16,
    /// The number of the root bus.
    pub bus: u8,
    /// The highest bus number behind it.
    pub last_bus: u8,
    /// The number of functions that were left out.
    pub functions: u32,
}
