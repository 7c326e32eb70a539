//! One function, as config space describes it.

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

/// One function, as config space describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its place.
    pub address: PciAddress,
    /// The bus that it sits on.
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
    /// Whether its slot has, or may have, more functions. Always true for a function above 0, whatever
    /// its own header says: that is known here before anything is grouped.
    pub multifunction: bool,
    /// The same as far as its own header says; Linux knows no more of a function that is being added
    /// (`pci_scan_slot` sets `multifunction` afterwards).
    pub multifunction_by_header: bool,
    /// PCIe device or port type; for a port in an impossible place, the type that it acts as.
    pub kind: FunctionKind,
    /// Whether its config space claims a port type that cannot be true where it is.
    pub impossible_port: bool,
    /// Subsystem IDs; bridges have them in a capability, which is not read.
    pub subsystem: Option<SubsystemId>,
    /// The BARs that are implemented, a 64-bit one as one entry: 0 to 5, then the expansion ROM's, which is not decoded,
    /// then those of all virtual functions together.
    pub(crate) all_bars: Vec<Bar>,
    /// The capability list, in its own order.
    pub capabilities: Vec<Capability>,
    /// The extended capability list, in its own order.
    pub extended_capabilities: Vec<ExtendedCapability>,
    /// ACS registers, if there is that capability.
    pub acs: Option<AcsRegisters>,
    /// The virtual functions that it can have, if it is a physical function.
    pub sriov: Option<Sriov>,
    /// Its physical function, if it is a virtual function.
    pub physical: Option<FunctionIndex>,
    /// What it forwards, if it is a bridge.
    pub bridge: Option<BridgeInfo>,
    /// Devices and functions of the same bus under whose IDs it does DMA as well.
    pub aliases: AliasMask,
    /// Whether firmware says that this port leads out of the machine.
    pub external_facing: bool,
    /// Whether it is behind a port that leads out of the machine: it may be anybody's.
    pub untrusted: bool,
    /// Whether requests from behind this bridge keep their own IDs although its kind says otherwise.
    pub keeps_requester_ids: bool,
    /// Whether it acts as a PCIe-to-PCI bridge although it has no PCIe capability.
    pub hides_pcie: bool,
}

impl Function {
    /// BARs 0 to 5, as far as they are implemented; a 64-bit one is one entry.
    #[must_use]
    pub fn bars(&self) -> &[Bar] {
        let count =
            self.all_bars.iter().take_while(|bar| matches!(bar.register, BarRegister::Bar(_))).count();
        &self.all_bars[..count]
    }

    /// The BAR whose register is, or whose lower half is, BAR `number`.
    #[must_use]
    pub fn bar(&self, number: u8) -> Option<&Bar> {
        self.all_bars.iter().find(|bar| bar.register == BarRegister::Bar(number))
    }

    /// Where the first capability with this ID begins.
    #[must_use]
    pub fn capability(&self, id: u8) -> Option<u8> {
        self.capabilities.iter().find(|entry| entry.id == id).map(|entry| entry.offset)
    }

    /// Where the first extended capability with this ID begins.
    #[must_use]
    pub fn extended_capability(&self, id: u16) -> Option<u16> {
        self.extended_capabilities.iter().find(|entry| entry.id == id).map(|entry| entry.offset)
    }
}

/// Subsystem vendor and device ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubsystemId {
    /// Who made the card.
    pub vendor: u16,
    /// Which card; for virtio, the transitional device type.
    pub device: u16,
}
