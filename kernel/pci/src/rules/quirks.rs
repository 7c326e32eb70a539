//! Devices whose config space is wrong about isolation or requester IDs.
//!
//! Linux has long tables. Here are the devices that QEMU can emulate; tests inject others through [`Quirks`].

use crate::function::Function;
use crate::function::kind::FunctionKind;
use crate::policy::Quirks;
use crate::topology::Topology;

const INTEL: u16 = 0x8086;
/// 82576 (igb): its functions do not access each other.
const INTEL_82576: u16 = 0x10c9;
/// 82801 mobile PCI bridge: a PCIe-to-PCI bridge without a PCIe capability.
const INTEL_82801: u16 = 0x244e;

/// Records the properties of single functions in the topology, before anything depends on them.
pub(crate) fn apply(quirks: &Quirks, topology: &mut Topology) {
    for index in topology.indices() {
        let function = &topology[index];
        let address = function.address;
        let parent = function.parent.map(|parent| topology[parent].kind);
        // Linux: `quirk_use_pcie_bridge_dma_alias`. Behind a PCIe port only: there its bus is a PCIe link.
        let hides_pcie = (function.vendor, function.device) == (INTEL, INTEL_82801)
            && function.bridge.is_some()
            && function.kind == FunctionKind::Conventional
            && parent.is_some_and(|kind| {
                !matches!(kind, FunctionKind::Conventional | FunctionKind::PcieToPciBridge)
            });
        let function = topology.function_mut(index);
        function.hides_pcie = hides_pcie;
        function.keeps_requester_ids = quirks.keeps_requester_ids.contains(&address);
        for (_, devfn) in quirks.dma_aliases.iter().filter(|(at, _)| *at == address) {
            topology.add_alias(index, *devfn);
        }
    }
}

/// The number of virtual functions that `function` supports, if that is fewer than its capability contains.
pub(crate) fn virtual_functions(function: &Function) -> Option<u16> {
    // The physical function uses the queues of the eighth (Linux: `igb_enable_sriov`).
    ((function.vendor, function.device) == (INTEL, INTEL_82576)).then_some(7)
}

/// Whether `function` isolates, for devices where the registers do not decide.
///
/// Linux: `pci_dev_acs_enabled`, entries `pci_quirk_rciep_acs` and `pci_quirk_mf_endpoint_acs`.
pub(crate) fn acs(function: &Function) -> Option<bool> {
    if function.vendor != INTEL {
        return None;
    }
    let no_peer_to_peer = function.device == INTEL_82576 || function.kind == FunctionKind::RcEndpoint;
    no_peer_to_peer.then_some(true)
}
