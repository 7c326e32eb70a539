//! What enumeration may change, and knowledge about single functions that their config space does not contain.

use alloc::vec::Vec;

use addr::{DeviceFunction, PciAddress};

/// Which bus numbers are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbering {
    /// All bridges get new numbers: no firmware ran.
    #[default]
    Assign,
    /// Firmware's numbers are kept on each root bus where they are consistent.
    Keep,
}

/// Which addresses are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resources {
    /// All BARs and bridge windows get new addresses: no firmware ran.
    #[default]
    Assign,
    /// Firmware's addresses are kept; only BARs without an address are placed.
    Keep,
}

/// How a machine is enumerated.
#[derive(Clone, Debug, Default)]
pub struct EnumerationPolicy {
    /// Which bus numbers are used.
    pub numbering: Numbering,
    /// Which addresses are used.
    pub resources: Resources,
    /// How many virtual functions each physical function gets; with 0, none is enabled.
    pub virtual_functions: u16,
    /// Whether slots with hot-plug get room in the windows of their ports.
    pub room_for_hot_plug: bool,
    /// Properties of single functions that their config space does not contain.
    pub quirks: Quirks,
}

/// Properties of single functions that their config space does not contain.
#[derive(Clone, Debug, Default)]
pub struct Quirks {
    /// Functions that also do DMA under another ID of their bus (Linux: `pci_add_dma_alias`).
    pub dma_aliases: Vec<(PciAddress, DeviceFunction)>,
    /// PCIe-to-PCI bridges that do not change requester IDs (Linux: the bridge alias quirks).
    pub keeps_requester_ids: Vec<PciAddress>,
}
