//! Devices whose config space does not tell the truth about isolation or requester IDs.
//!
//! Linux has long tables; here is what QEMU can emulate, and a way for tests to inject the rest.

use alloc::vec::Vec;

use addr::{DeviceFunction, PciAddress};

use crate::function::{Function, FunctionKind};

const INTEL: u16 = 0x8086;
/// 82576 (igb): its functions do not talk to each other.
const INTEL_82576: u16 = 0x10c9;
/// 82801 mobile PCI bridge: a PCIe-to-PCI bridge that does not say so.
const INTEL_82801: u16 = 0x244e;

/// What is known about single functions beyond their config space.
#[derive(Clone, Debug, Default)]
pub struct Quirks {
    /// A function does DMA also under another ID of its bus (Linux: `pci_add_dma_alias`).
    pub dma_aliases: Vec<(PciAddress, DeviceFunction)>,
    /// A PCIe-to-PCI bridge that leaves requester IDs alone (Linux: the bridge alias quirks).
    pub keeps_requester_ids: Vec<PciAddress>,
}

impl Quirks {
    /// Writes what is known of `function` into it, before anything is decided on it.
    pub(crate) fn apply(&self, function: &mut Function, parent: Option<FunctionKind>) {
        let address = function.address;
        for (_, devfn) in self.dma_aliases.iter().filter(|(at, _)| *at == address) {
            function.aliases.insert(*devfn);
        }
        function.keeps_requester_ids = self.keeps_requester_ids.contains(&address);
        // Linux: quirk_use_pcie_bridge_dma_alias; behind a PCIe port only, for there its bus is really a link.
        function.hides_pcie = (function.vendor, function.device) == (INTEL, INTEL_82801)
            && function.bridge.is_some()
            && function.kind == FunctionKind::Conventional
            && parent.is_some_and(|kind| {
                !matches!(kind, FunctionKind::Conventional | FunctionKind::PcieToPciBridge)
            });
    }
}

/// How many virtual functions `function` can really have, if that is fewer than it says.
pub(crate) fn virtual_functions(function: &Function) -> Option<u16> {
    // Its own queues are those of the eighth (Linux: igb_enable_sriov).
    ((function.vendor, function.device) == (INTEL, INTEL_82576)).then_some(7)
}

/// The final answer to whether `function` isolates, where its kind of device has one.
///
/// Linux: `pci_dev_acs_enabled`, entries `pci_quirk_rciep_acs` and `pci_quirk_mf_endpoint_acs`.
pub(crate) fn acs(function: &Function) -> Option<bool> {
    if function.vendor != INTEL {
        return None;
    }
    let no_peer_to_peer = function.device == INTEL_82576 || function.kind == FunctionKind::RcEndpoint;
    no_peer_to_peer.then_some(true)
}
