//! Findings about contradictions between the machine and its description by the firmware.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::PciAddress;
use firmware::{FunctionBus, FunctionNode, HostBridge};
use pci::FunctionIndex;
use probe::{Finding, FirmwareMap, InputIds, Severity, Translation, Untranslated};

use super::devices::{Handle, Hardware, IOMMU_TYPE};
use crate::machine::registers::RegistersError;

/// A host bridge whose configuration space is not at the address in `reg` of its node: all its
/// functions are lost.
pub(crate) fn ecam(bridge: &str, node: &str, error: RegistersError) -> Finding {
    Finding { severity: Severity::Error, ..registers(bridge, node, error) }
}

/// A device whose registers are not at the address in `reg` of its node; only this device is left
/// out.
pub(crate) fn registers(device: &str, node: &str, error: RegistersError) -> Finding {
    Finding {
        id: error.id(),
        severity: Severity::Warning,
        place: format!("{device} ({node})"),
        sentence: format!("{error}; it is left out"),
    }
}

/// An entry of `pci=config_acs=` that does not apply to any function.
pub(crate) fn config_acs(entry: &str) -> Finding {
    Finding {
        id: "config-acs-unused",
        severity: Severity::Warning,
        place: format!("pci=config_acs={entry}"),
        sentence: "no function with ACS is left for this entry; it has no effect".to_string(),
    }
}

/// virtio-mmio slots that firmware describes as an IOMMU and that do not contain one.
pub(crate) fn of_slots(hardware: &Hardware, map: &dyn FirmwareMap, findings: &mut Vec<Finding>) {
    for (device, kind) in hardware.virtio_mmio_slots().filter(|(device, _)| map.is_iommu(device.node)) {
        let what = match kind {
            None => String::from("the slot has no virtio device"),
            Some(IOMMU_TYPE) => continue,
            Some(kind) => format!("the virtio device has type {kind}"),
        };
        findings.push(no_iommu(map.name(device.node), &what));
    }
}

/// Contradictions about host bridges whose configuration space answers.
pub(crate) fn of_host_bridges(hardware: &Hardware, map: &dyn FirmwareMap, findings: &mut Vec<Finding>) {
    for (root, bridge) in hardware.host_bridges.iter().enumerate() {
        // An expander bridge (QEMU: `pxb-pcie`) has no function on its own bus, so the bus may be
        // empty.
        let is_near = |bus: &pci::Bus| bus.root == root || bus.segment == bridge.segment;
        let functions = hardware.topology.functions();
        if !functions.iter().any(|function| is_near(hardware.topology.bus_of(function))) {
            findings.push(empty(bridge, &map.name(bridge.node)));
        }
        for entry in bridge.functions.iter().filter(|entry| entry.is_iommu && entry.enabled) {
            if let Some(finding) = mismatch(hardware, bridge, entry, map) {
                findings.push(finding);
            }
        }
    }
}

/// Buses that are missing from firmware's map although the bridge that leads to them is in it.
///
/// The buses were unknown when the map was made: QEMU writes VIOT with the current bus numbers of
/// bridges; if bridges have no numbers yet, functions behind them are not in any range.
pub(crate) fn of_buses(hardware: &Hardware, map: &dyn FirmwareMap, findings: &mut Vec<Finding>) {
    let topology = &hardware.topology;
    let translate = |function: FunctionIndex| {
        let root = topology.bus_of(&topology[function]).root;
        let node = hardware.host_bridges.get(root)?.node;
        map.translate(node, &InputIds::Requesters(topology.requesters(function))).ok()
    };
    for bus in topology.buses() {
        let Some(bridge) = bus.bridge else { continue };
        let mut functions = topology.functions_of(bus).peekable();
        let is_left_out = functions.peek().is_some()
            && functions.all(|one| translate(one) == Some(Translation::Nowhere(Untranslated::NotInMap)));
        if is_left_out && let Some(Translation::Endpoints(references)) = translate(bridge) {
            let at = topology[bridge].address;
            let source = references.first().map_or("map", |reference| reference.source);
            let sentence = format!(
                "{source} contains this bridge but not the functions on bus {:#04x} behind it; they are not translated \
                 (was the bus numbered after the firmware described it?)",
                bus.number
            );
            let (id, severity) = ("bus-not-in-map", Severity::Warning);
            findings.push(Finding { id, severity, place: at.to_string(), sentence });
        }
    }
}

fn empty(bridge: &HostBridge, node: &str) -> Finding {
    let HostBridge { first_bus, last_bus, .. } = bridge;
    Finding {
        id: "host-bridge-empty",
        severity: Severity::Warning,
        place: format!("{} ({node})", bridge.name),
        sentence: format!(
            "no function on buses {first_bus:#x} to {last_bus:#x}, whose configuration space is described at {}",
            bridge.ecam
        ),
    }
}

/// The node of an IOMMU for a slot that does not contain one.
fn mismatch(
    hardware: &Hardware,
    bridge: &HostBridge,
    entry: &FunctionNode,
    map: &dyn FirmwareMap,
) -> Option<Finding> {
    let mut functions = hardware.topology.indexed().map(|(index, _)| index);
    let is_meant = |index: &FunctionIndex| hardware.node_of(*index).is_some_and(|it| it.node == entry.node);
    let found = functions.find(is_meant);
    if found.is_some_and(|index| hardware.is_iommu(Handle::Function(index))) {
        return None;
    }
    let claim = match (found, entry.bus) {
        (Some(index), _) => {
            let function = &hardware.topology[index];
            let (vendor, device) = (function.vendor, function.device);
            format!("function {} is {vendor:04x}:{device:04x}", function.address)
        }
        (None, FunctionBus::Number(bus)) => {
            let address = PciAddress { segment: bridge.segment, bus, devfn: entry.place };
            format!("there is no function at {address}")
        }
        (None, FunctionBus::Behind(port)) => {
            let port = map.name(port);
            format!("there is no function {} behind {port}", entry.place)
        }
    };
    Some(no_iommu(map.name(entry.node), &claim))
}

fn no_iommu(node: String, found: &str) -> Finding {
    Finding {
        id: "iommu-node-mismatch",
        severity: Severity::Error,
        place: node,
        sentence: format!("described as an IOMMU, but {found}; devices behind it are not translated"),
    }
}
