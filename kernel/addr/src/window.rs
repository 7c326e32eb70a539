//! Windows of a PCI host bridge: the same range as CPU addresses and as bus addresses.

use crate::{PhysAddr, Range};

/// A window through which the CPU reaches addresses on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PciWindow {
    /// The address space on the bus.
    pub space: PciSpace,
    /// Whether reads have no side effects.
    pub prefetchable: bool,
    /// First address on the bus.
    pub bus_start: u64,
    /// The same range as CPU addresses.
    pub cpu: Range<PhysAddr>,
}

/// The address space of a [`PciWindow`], as `ranges` has it (Open Firmware PCI binding, section 2.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PciSpace {
    /// I/O space.
    Io,
    /// Memory space, 32-bit addresses.
    Memory32,
    /// Memory space, 64-bit addresses.
    Memory64,
}
