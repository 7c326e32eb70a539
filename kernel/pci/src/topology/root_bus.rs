//! Host bridges as firmware describes them.

use alloc::vec::Vec;

use addr::PciWindow;

/// One host bridge as firmware describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootBus {
    /// PCI segment group.
    pub segment: u16,
    /// The root bus, and the first number that it may give out.
    pub first_bus: u8,
    /// The last number that it may give out.
    pub last_bus: u8,
    /// What it forwards to its bus.
    pub windows: Vec<PciWindow>,
}
