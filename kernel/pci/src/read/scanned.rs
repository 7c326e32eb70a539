//! Functions found by a scan, before bus numbers are final.

use alloc::vec::Vec;

use addr::PciAddress;

use crate::function::bridge::BusNumbers;
use crate::function::capability::{Capability, ExtendedCapability, id};
use crate::function::kind::FunctionKind;
use crate::function::sriov::Sriov;

/// Base class and sub-class of a host bridge.
pub(crate) const HOST_BRIDGE: u32 = 0x0600;

/// A function that answers, and what has been read of it so far.
#[derive(Clone, Debug)]
pub(crate) struct ScannedFunction {
    pub(crate) address: PciAddress,
    pub(crate) vendor: u16,
    pub(crate) device: u16,
    /// Class in bits 31 to 8, revision in bits 7 to 0.
    pub(crate) class_revision: u32,
    pub(crate) header: Header,
    /// Whether bit 7 of its own header type is set, or it is a function above 0.
    pub(crate) multifunction: bool,
    pub(crate) multifunction_by_header: bool,
    pub(crate) kind: FunctionKind,
    /// Its PCIe port type is impossible at this position.
    pub(crate) impossible_port: bool,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) extended_capabilities: Vec<ExtendedCapability>,
    pub(crate) sriov: Option<Sriov>,
}

/// The header type, with what numbering needs.
#[derive(Clone, Debug)]
pub(crate) enum Header {
    Normal,
    Bridge(ScannedBridge),
    Cardbus,
}

/// A bridge as numbering sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScannedBridge {
    /// The register with its bus numbers; the highest byte is the latency timer.
    pub(crate) register: u32,
    /// The numbers that it has; none if it forwards nothing.
    pub(crate) buses: Option<BusNumbers>,
}

/// The properties of the bridge to a bus that decide which functions exist there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BridgeAbove {
    pub(crate) address: PciAddress,
    pub(crate) kind: FunctionKind,
    /// The offset of its PCIe capability.
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

    /// The offset of its first extended capability with this ID.
    pub(crate) fn extended_capability(&self, id: u16) -> Option<u16> {
        self.extended_capabilities.iter().find(|entry| entry.id == id).map(|entry| entry.offset)
    }

    /// The properties of this bridge that the functions behind it depend on.
    pub(crate) fn as_bridge_above(&self) -> BridgeAbove {
        let express = self.capabilities.iter().find(|entry| entry.id == id::PCIE).map(|entry| entry.offset);
        BridgeAbove { address: self.address, kind: self.kind, express }
    }
}
