//! Physical functions: how many virtual functions one can have, and why it gets none.

use crate::function::bar::BarRegister;

/// What a physical function offers, and how much of it is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sriov {
    /// Where its extended capability begins.
    pub offset: u16,
    /// How many virtual functions it can have.
    pub total: u16,
    /// How many it has.
    pub enabled: u16,
    /// Their device ID; the vendor is that of the physical function.
    pub device: u16,
    /// The highest bus number of a virtual function, whatever their number; beyond 255 if there is no such bus.
    pub(crate) last_bus: u16,
}

/// Why a physical function gets no virtual functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("it can have {0}")]
    TooMany(u16),
    #[error("InitialVFs is {initial} and TotalVFs {total}")]
    Initial { initial: u16, total: u16 },
    #[error("function {0} of its bus, on which it depends, has no SR-IOV capability")]
    Dependency(u8),
    #[error("the last one would be on bus {bus:#x}, and its bus numbers end at {last:#04x}")]
    Bus { bus: u32, last: u8 },
    #[error("First VF Offset or VF Stride is 0")]
    Ids,
    #[error("{0} has no address")]
    Address(BarRegister),
}
