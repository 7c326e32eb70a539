//! From firmware's description to the hardware: reads configuration space, assigns addresses, sets ACS.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::mem;

use firmware::{Description, HostBridge, LinuxView};
use pci::{ConfigAcs, EnumerationPolicy};
use probe::{InputIds, LinuxFirmware, LinuxQuirks, Path, Translation};

use super::devices::Hardware;
use super::topology_now::TopologyNow;
use super::{firmware_checks, root_buses, virtio_slot};
use crate::machine::config_space::ConfigSpace;

/// Numbers all buses, reads all functions and assigns addresses as `policy` says, sets ACS as
/// `config_acs` says, and enables ACS elsewhere if the path does not do that itself.
///
/// If a host bridge or slot is not at the address that firmware gives, only this one is left
/// out, with a finding. The bridges and devices are taken out of `description`.
pub(crate) fn enumerate(
    description: &mut Description,
    map: &dyn LinuxFirmware,
    policy: &EnumerationPolicy,
    config_acs: &ConfigAcs,
    path: Path,
) -> Rc<Hardware> {
    let mut findings = Vec::new();
    let mut config = ConfigSpace::default();
    let mut host_bridges = Vec::new();
    let ecams: Vec<_> = description.host_bridges.iter().map(|bridge| bridge.ecam).collect();
    for bridge in mem::take(&mut description.host_bridges) {
        let Some(bridge) = as_seen_by(path, bridge) else { continue };
        match config.add(bridge.ecam, bridge.segment, bridge.first_bus, bridge.last_bus) {
            Ok(()) => host_bridges.push(bridge),
            Err(error) => findings.push(firmware_checks::ecam(&bridge.name, &map.name(bridge.node), error)),
        }
    }
    let (roots, faults) = root_buses::root_buses(description, &ecams, &host_bridges);
    root_buses::report(&faults, &host_bridges, map, &mut findings);
    let topology = pci::enumerate_with(&mut config, &roots, policy);

    let platform = mem::take(&mut description.platform_devices);
    let mut virtio_mmio = Vec::new();
    for device in &platform {
        virtio_mmio.push(virtio_slot::device_type(device).unwrap_or_else(|error| {
            findings.push(firmware_checks::registers(&device.name, &map.name(device.node), error));
            None
        }));
    }
    let mut hardware = Hardware {
        config: RefCell::new(config),
        topology: TopologyNow::new(topology),
        roots,
        requests_acs: description.requests_acs,
        waiting_bridges: waiting_bridges(&host_bridges, map),
        bridge_nodes: host_bridges.iter().map(|bridge| map.name(bridge.node)).collect(),
        host_bridges,
        platform,
        virtio_mmio,
        findings: Vec::new(),
    };
    mark_ports_that_lead_out(&mut hardware, path);
    let topology = hardware.topology.set_up();
    for unused in pci::config_acs(hardware.config.get_mut(), topology, config_acs) {
        findings.push(firmware_checks::config_acs(&unused));
    }
    // This precedes all grouping: a port's isolation is read from its control register.
    if description.requests_acs && path == Path::Fixed {
        pci::enable_acs(hardware.config.get_mut(), topology);
    }
    firmware_checks::of_host_bridges(&hardware, map, &mut findings);
    firmware_checks::of_slots(&hardware, map, &mut findings);
    firmware_checks::of_buses(&hardware, map, &mut findings);
    hardware.findings = findings;
    Rc::new(hardware)
}

/// Marks the external-facing ports in the topology, as firmware describes them and if the path
/// knows them when it enables ACS.
///
/// Observed with `external-facing` in a tree: Linux 7.3.4 sets TB in the port, and devices
/// behind it are trusted. 6.16.3 and 6.12.95 enable ACS when the port is found, before its bus
/// is there and the property is read.
fn mark_ports_that_lead_out(hardware: &mut Hardware, path: Path) {
    if matches!(path, Path::Regressed | Path::Legacy) {
        return;
    }
    let mut external = Vec::new();
    for (index, _) in hardware.topology.indexed() {
        if hardware.node_of(index).is_some_and(|node| node.external_facing) {
            external.push(index);
        }
    }
    let topology = hardware.topology.set_up();
    topology.mark_external_facing(&external);
    if path == Path::Fixed {
        topology.mark_untrusted();
    }
}

/// The host bridges of a device tree whose own DMA is behind an IOMMU (`iommus`). With ACPI tables
/// there are none: Linux does not set up DMA for a host bridge there.
fn waiting_bridges(bridges: &[HostBridge], map: &dyn LinuxFirmware) -> Vec<usize> {
    if map.linux_quirks() != LinuxQuirks::DEVICE_TREE {
        return Vec::new();
    }
    let waits = |bridge: &HostBridge| {
        matches!(map.translate(bridge.node, &InputIds::Node), Ok(Translation::Endpoints(_)))
    };
    let mut waiting = Vec::new();
    for (root, bridge) in bridges.iter().enumerate() {
        if waits(bridge) {
            waiting.push(root);
        }
    }
    waiting
}

/// A host bridge as on Linux's paths, or on `fixed`.
fn as_seen_by(path: Path, mut bridge: HostBridge) -> Option<HostBridge> {
    if path != Path::Fixed {
        match mem::replace(&mut bridge.in_linux, LinuxView::Same) {
            LinuxView::Same => {}
            LinuxView::Absent => return None,
            LinuxView::Windows(windows) => bridge.windows = windows,
        }
    }
    Some(bridge)
}
