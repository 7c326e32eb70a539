//! One bus, and root buses that firmware does not describe.

use alloc::vec::Vec;

use crate::function::index::{BusIndex, FunctionIndex};

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
