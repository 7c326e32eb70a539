//! The root buses of the machine, with those windows from firmware that are possible.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{PciSpace, PciWindow, PhysAddr, Range};
use boot::memory;
use firmware::{Description, HostBridge};
use pci::{Occupied, RootBus, WindowFault};
use probe::{Finding, FirmwareMap, Severity};

/// Limit of findings about windows; a map with more repeats the same defect.
const FINDING_LIMIT: usize = 16;

/// A root bus for each of `host_bridges`, and findings about their windows.
///
/// A window must not overlap RAM, configuration space or a device, and must be in the CPU's address
/// space.
pub(crate) fn root_buses(
    description: &Description,
    host_bridges: &[HostBridge],
    map: &dyn FirmwareMap,
) -> (Vec<RootBus>, Vec<Finding>) {
    let mut roots: Vec<RootBus> = host_bridges.iter().map(root_bus).collect();
    let faults = pci::review_windows(&mut roots, &occupied(description), memory::last_address());
    let mut findings: Vec<Finding> = faults
        .iter()
        .take(FINDING_LIMIT)
        .map(|fault| finding(fault, map.name(host_bridges[fault.root].node)))
        .collect();
    if faults.len() > FINDING_LIMIT {
        findings.push(Finding {
            id: "pci-window-unusable",
            severity: Severity::Warning,
            place: String::from("pci"),
            sentence: format!(
                "{} more findings about windows; they are not listed",
                faults.len() - FINDING_LIMIT
            ),
        });
    }
    (roots, findings)
}

fn root_bus(bridge: &HostBridge) -> RootBus {
    RootBus {
        segment: bridge.segment,
        first_bus: bridge.first_bus,
        last_bus: bridge.last_bus,
        windows: bridge.windows.clone(),
    }
}

fn occupied(description: &Description) -> Vec<Occupied<'_>> {
    let is_ecam =
        |range: &Range<PhysAddr>| description.host_bridges.iter().any(|bridge| bridge.ecam.encloses(range));
    let mut occupied = Vec::new();
    for range in &description.memory {
        occupied.push(Occupied { range: *range, by: "RAM" });
    }
    for bridge in &description.host_bridges {
        occupied.push(Occupied { range: bridge.ecam, by: "PCI configuration space" });
    }
    for device in &description.platform_devices {
        for range in device.registers.iter().filter(|range| !is_ecam(range)) {
            occupied.push(Occupied { range: *range, by: &device.name });
        }
    }
    occupied
}

fn finding(fault: &WindowFault, node: String) -> Finding {
    let PciWindow { space, bus_start, cpu, .. } = fault.window;
    let space = if space == PciSpace::Io { "I/O" } else { "memory" };
    let sentence =
        format!("{space} window at bus address {bus_start:#x}, CPU addresses {cpu}: {}", fault.error);
    Finding { id: "pci-window-unusable", severity: Severity::Warning, place: node, sentence }
}
