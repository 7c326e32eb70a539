//! One function, as config space describes it.

pub(crate) mod bridge;

use alloc::vec::Vec;
use core::fmt;

use addr::PciAddress;

use crate::function::bridge::BridgeInfo;
use crate::read::bar::{Bar, BarRegister};
use crate::read::capability::{Capability, ExtendedCapability};
use crate::read::sriov::Sriov;
use crate::rules::acs::AcsRegisters;
use crate::rules::alias::AliasMask;
use crate::topology::{BusIndex, FunctionIndex};

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
    /// BARs 0 to 5, those that are implemented; a 64-bit one is one entry.
    pub bars: Vec<Bar>,
    /// The expansion ROM: sized and placed, its decoding off.
    pub rom: Option<Bar>,
    /// The capability list, in its own order.
    pub capabilities: Vec<Capability>,
    /// The extended capability list, in its own order.
    pub extended_capabilities: Vec<ExtendedCapability>,
    /// ACS registers, if there is that capability.
    pub acs: Option<AcsRegisters>,
    /// The virtual functions that it can have, if it is a physical function.
    pub sriov: Option<Sriov>,
    /// The BARs of its virtual functions, each for all that it can have.
    pub virtual_bars: Vec<Bar>,
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
    /// The BAR whose register is, or whose lower half is, BAR `number`.
    #[must_use]
    pub fn bar(&self, number: u8) -> Option<&Bar> {
        self.bars.iter().find(|bar| bar.register == BarRegister::Bar(number))
    }

    /// All that needs addresses: the BARs, the ROM, then what virtual functions need.
    pub(crate) fn all_bars(&self) -> impl Iterator<Item = &Bar> {
        self.bars.iter().chain(&self.rom).chain(&self.virtual_bars)
    }

    /// The same, to be changed.
    pub(crate) fn all_bars_mut(&mut self) -> impl Iterator<Item = &mut Bar> {
        self.bars.iter_mut().chain(&mut self.rom).chain(&mut self.virtual_bars)
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

/// What a function is in the PCIe hierarchy (PCIe 5.0, section 7.5.3.2, device/port type).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FunctionKind {
    /// No PCIe capability: conventional PCI, host bridges, virtio on a root bus.
    Conventional,
    /// Type 0.
    Endpoint,
    /// Type 1.
    LegacyEndpoint,
    /// Type 4.
    RootPort,
    /// Type 5, the switch port towards the root.
    UpstreamPort,
    /// Type 6, a switch port away from the root.
    DownstreamPort,
    /// Type 7.
    PcieToPciBridge,
    /// Type 8.
    PciToPcieBridge,
    /// Type 9, an endpoint integrated in the root complex.
    RcEndpoint,
    /// Type 10.
    RcEventCollector,
    /// A type that the specification leaves reserved.
    Reserved(u8),
}

impl FunctionKind {
    /// From the type field of the PCIe capability.
    #[must_use]
    pub const fn from_port_type(value: u8) -> Self {
        match value {
            0 => Self::Endpoint,
            1 => Self::LegacyEndpoint,
            4 => Self::RootPort,
            5 => Self::UpstreamPort,
            6 => Self::DownstreamPort,
            7 => Self::PcieToPciBridge,
            8 => Self::PciToPcieBridge,
            9 => Self::RcEndpoint,
            10 => Self::RcEventCollector,
            other => Self::Reserved(other),
        }
    }

    /// Whether the bus behind it is a PCIe link, on which only device 0 exists (PCIe 5.0, section 7.3.1).
    #[must_use]
    pub const fn leads_to_a_link(self) -> bool {
        matches!(self, Self::RootPort | Self::DownstreamPort | Self::PciToPcieBridge)
    }
}

impl fmt::Display for FunctionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conventional => "conventional",
            Self::Endpoint => "endpoint",
            Self::LegacyEndpoint => "legacy-endpoint",
            Self::RootPort => "root-port",
            Self::UpstreamPort => "upstream-port",
            Self::DownstreamPort => "downstream-port",
            Self::PcieToPciBridge => "pcie-to-pci-bridge",
            Self::PciToPcieBridge => "pci-to-pcie-bridge",
            Self::RcEndpoint => "rc-endpoint",
            Self::RcEventCollector => "rc-event-collector",
            Self::Reserved(value) => return write!(f, "reserved-type-{value}"),
        })
    }
}
