//! A function and its properties: what config space contains about it, and what enumeration decided.

pub(crate) mod acs;
pub(crate) mod alias_mask;
pub(crate) mod bar;
pub(crate) mod bridge;
pub(crate) mod capability;
pub(crate) mod index;
pub(crate) mod kind;
pub(crate) mod sriov;

use alloc::vec::Vec;

use addr::PciAddress;

use crate::function::acs::AcsRegisters;
use crate::function::alias_mask::AliasMask;
use crate::function::bar::{Bar, BarRegister};
use crate::function::bridge::BridgeInfo;
use crate::function::capability::{Capability, ExtendedCapability};
use crate::function::index::{BusIndex, FunctionIndex};
use crate::function::kind::FunctionKind;
use crate::function::sriov::Sriov;

/// A function and its properties: what config space contains about it, and what enumeration decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Segment, bus, device and function number.
    pub address: PciAddress,
    /// The bus that it is on.
    pub bus: BusIndex,
    /// The bridge to its bus; none on a root bus.
    pub parent: Option<FunctionIndex>,
    /// Vendor ID.
    pub vendor: u16,
    /// Device ID.
    pub device: u16,
    /// Revision ID.
    pub revision: u8,
    /// Base class, sub-class and programming interface, 24 bits.
    pub class: u32,
    /// Header type without the multifunction bit.
    pub header_type: u8,
    /// Whether its slot may have more functions. Always true for a function above 0, whatever its own header
    /// contains: this is known before any function is grouped.
    pub multifunction: bool,
    /// The multifunction bit of its own header: all that Linux knows of a function while adding it (`pci_scan_slot`
    /// sets `multifunction` later).
    pub multifunction_by_header: bool,
    /// PCIe device or port type; for a port in an impossible position, the type as which it is treated.
    pub kind: FunctionKind,
    /// Whether the port type in its config space is impossible at this position.
    pub impossible_port: bool,
    /// Subsystem IDs; those of bridges are in a capability that is not read.
    pub subsystem: Option<SubsystemId>,
    /// The implemented BARs, a 64-bit BAR as one entry: 0 to 5, then the expansion ROM, which stays disabled, then
    /// those for all virtual functions together.
    pub(crate) all_bars: Vec<Bar>,
    /// The capabilities, in the order of the list.
    pub capabilities: Vec<Capability>,
    /// The extended capabilities, in the order of the list.
    pub extended_capabilities: Vec<ExtendedCapability>,
    /// The ACS registers, if it has that capability.
    pub acs: Option<AcsRegisters>,
    /// Its SR-IOV capability, if it is a physical function.
    pub sriov: Option<Sriov>,
    /// Its physical function, if it is a virtual function.
    pub physical: Option<FunctionIndex>,
    /// Its bridge registers, if it is a bridge.
    pub bridge: Option<BridgeInfo>,
    /// Other functions of its bus under whose IDs it also does DMA.
    pub aliases: AliasMask,
    /// Whether this port leads out of the machine, by firmware's description.
    pub external_facing: bool,
    /// Whether it is behind a port that leads out of the machine, and so may be controlled by anyone.
    pub untrusted: bool,
    /// Whether requests from behind this bridge keep their requester IDs although its kind suggests otherwise.
    pub keeps_requester_ids: bool,
    /// Whether it is treated as a PCIe-to-PCI bridge although it has no PCIe capability.
    pub hides_pcie: bool,
}

impl Function {
    /// BARs 0 to 5 as far as they are implemented; a 64-bit BAR is one entry.
    #[must_use]
    pub fn bars(&self) -> &[Bar] {
        let count =
            self.all_bars.iter().take_while(|bar| matches!(bar.register, BarRegister::Bar(_))).count();
        &self.all_bars[..count]
    }

    /// BAR `number`; for a 64-bit BAR, the number of its lower half.
    #[must_use]
    pub fn bar(&self, number: u8) -> Option<&Bar> {
        self.all_bars.iter().find(|bar| bar.register == BarRegister::Bar(number))
    }

    /// The offset of the first capability with this ID.
    #[must_use]
    pub fn capability(&self, id: u8) -> Option<u8> {
        self.capabilities.iter().find(|entry| entry.id == id).map(|entry| entry.offset)
    }

    /// The offset of the first extended capability with this ID.
    #[must_use]
    pub fn extended_capability(&self, id: u16) -> Option<u16> {
        self.extended_capabilities.iter().find(|entry| entry.id == id).map(|entry| entry.offset)
    }
}

/// Subsystem vendor and device ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubsystemId {
    /// Vendor ID of the subsystem.
    pub vendor: u16,
    /// Device ID of the subsystem; for a transitional virtio device, the virtio device type.
    pub device: u16,
}
