//! What enumeration may change, and what is known of the machine beyond its registers.

use alloc::vec::Vec;

use addr::{DeviceFunction, PciAddress};

/// Where bus numbers come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbering {
    /// Every bridge is numbered here: no firmware ran.
    #[default]
    Assign,
    /// What firmware left in the bridges is kept where a whole root bus is consistent.
    Keep,
}

/// Where addresses come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resources {
    /// BARs and bridge windows are placed here: no firmware ran.
    #[default]
    Assign,
    /// BARs and bridge windows that firmware placed stay; what it left without an address is placed here.
    Keep,
}

/// How to go about it.
#[derive(Clone, Debug, Default)]
pub struct EnumerationPolicy {
    /// Where bus numbers come from.
    pub numbering: Numbering,
    /// Where addresses come from.
    pub resources: Resources,
    /// Virtual functions that every physical function gets; with 0, none is switched on.
    pub virtual_functions: u16,
    /// What is known about single functions beyond their config space.
    pub quirks: Quirks,
}

/// What is known about single functions beyond their config space.
#[derive(Clone, Debug, Default)]
pub struct Quirks {
    /// A function does DMA also under another ID of its bus (Linux: `pci_add_dma_alias`).
    pub dma_aliases: Vec<(PciAddress, DeviceFunction)>,
    /// A PCIe-to-PCI bridge that leaves requester IDs alone (Linux: the bridge alias quirks).
    pub keeps_requester_ids: Vec<PciAddress>,
}
