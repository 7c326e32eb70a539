//! Host bridges as firmware describes them.

use alloc::vec::Vec;

use addr::PciWindow;

/// A host bridge as firmware describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootBus {
    /// PCI segment group.
    pub segment: u16,
    /// The number of the root bus, and the first of its range.
    pub first_bus: u8,
    /// The last number of its range.
    pub last_bus: u8,
    /// The addresses that it forwards to its bus.
    pub windows: Vec<PciWindow>,
}
