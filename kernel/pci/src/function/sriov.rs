//! The SR-IOV capability of a physical function, and why its virtual functions cannot be enabled.

use crate::function::bar::BarRegister;

/// The SR-IOV capability of a physical function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sriov {
    /// The offset of the extended capability.
    pub offset: u16,
    /// The number of virtual functions that it supports.
    pub total: u16,
    /// The number of virtual functions that are enabled.
    pub enabled: u16,
    /// The device ID of its virtual functions; they have the vendor ID of the physical function.
    pub device: u16,
    /// The highest bus number that a virtual function can have with any number of them; above 255 if there is no such
    /// bus.
    pub(crate) last_bus: u16,
}

/// Why no virtual function of a physical function is enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("at most {0} are supported")]
    TooMany(u16),
    #[error("InitialVFs is {initial} and TotalVFs is {total}")]
    Initial { initial: u16, total: u16 },
    #[error("function {0} of its bus, on which they depend, has no SR-IOV capability")]
    Dependency(u8),
    #[error("the last one would be on bus {bus:#x}, beyond the last bus number {last:#04x}")]
    Bus { bus: u32, last: u8 },
    #[error("First VF Offset or VF Stride is 0")]
    Ids,
    #[error("{0} has no address")]
    Address(BarRegister),
}
