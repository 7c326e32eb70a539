//! A function that answers, before its bus has its final number.

use alloc::vec::Vec;

use addr::PciAddress;

use crate::function::bridge::BusNumbers;
use crate::function::capability::{Capability, ExtendedCapability, id};
use crate::function::kind::FunctionKind;
use crate::function::sriov::Sriov;

/// A function that answers, with what has been read of it so far.
#[derive(Clone, Debug)]
pub(crate) struct ScannedFunction {
    pub(crate) address: PciAddress,
    pub(crate) vendor: u16,
    pub(crate) device: u16,
    /// Class in the upper 24 bits, revision in the lowest 8.
    pub(crate) class_revision: u32,
    pub(crate) header: Header,
    /// Bit 7 of its own header type, or a function above 0.
    pub(crate) multifunction: bool,
    pub(crate) multifunction_by_header: bool,
    pub(crate) kind: FunctionKind,
    /// Its PCIe type cannot be true where it is.
    pub(crate) impossible_port: bool,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) extended_capabilities: Vec<ExtendedCapability>,
    pub(crate) sriov: Option<Sriov>,
}

/// Header types that exist, with what numbering needs of each.
#[derive(Clone, Debug)]
pub(crate) enum Header {
    Normal,
    Bridge(ScannedBridge),
    Cardbus,
}

/// What has to be known of a bridge before it is numbered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScannedBridge {
    /// The register with its bus numbers as found; the highest byte is the latency timer.
    pub(crate) register: u32,
    /// What it got, or keeps.
    pub(crate) buses: Option<BusNumbers>,
}

/// The bridge to a bus, as far as it decides which functions exist there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BridgeAbove {
    pub(crate) address: PciAddress,
    pub(crate) kind: FunctionKind,
    /// Where its PCIe capability begins.
    pub(crate) express: Option<u8>,
}

impl Header {
    pub(crate) fn number(&self) -> u8 {
        match self {
            Self::Normal => 0,
            Self::Bridge(_) => 1,
            Self::Cardbus => 2,
        }
    }
}

impl ScannedFunction {
    pub(crate) fn bridge(&self) -> Option<&ScannedBridge> {
        if let Header::Bridge(bridge) = &self.header { Some(bridge) } else { None }
    }

    pub(crate) fn bridge_mut(&mut self) -> Option<&mut ScannedBridge> {
        if let Header::Bridge(bridge) = &mut self.header { Some(bridge) } else { None }
    }

    /// Where its first extended capability with this ID begins.
    pub(crate) fn extended_capability(&self, id: u16) -> Option<u16> {
        self.extended_capabilities.iter().find(|entry| entry.id == id).map(|entry| entry.offset)
    }

    /// This bridge, as the functions behind it depend on it.
    pub(crate) fn as_bridge_above(&self) -> BridgeAbove {
        let express = self.capabilities.iter().find(|entry| entry.id == id::PCIE).map(|entry| entry.offset);
        BridgeAbove { address: self.address, kind: self.kind, express }
    }
}
