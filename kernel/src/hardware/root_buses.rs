//! The root buses of the machine, with those windows from firmware that are possible.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{PciSpace, PciWindow, PhysAddr, Range};
use boot::memory;
use firmware::{Description, HostBridge};
use pci::{RootBus, WindowFault};
use probe::{Finding, FirmwareMap, Severity};

/// Limit of findings about windows; a map with more repeats the same defect.
const FINDING_LIMIT: usize = 16;

/// A root bus for each of `host_bridges`, and what is wrong with their windows.
///
/// A window must not overlap RAM, configuration space (`ecams`, those of all host bridges) or a device, and must be in
/// the CPU's address space.
pub(crate) fn root_buses(
    description: &Description,
    ecams: &[Range<PhysAddr>],
    host_bridges: &[HostBridge],
) -> (Vec<RootBus>, Vec<WindowFault>) {
    let mut roots: Vec<RootBus> = host_bridges.iter().map(root_bus).collect();
    let is_ecam = |range: &Range<PhysAddr>| ecams.iter().any(|ecam| ecam.encloses(range));
    let occupied = |check: &mut dyn FnMut(Range<PhysAddr>, &str)| {
        for range in &description.memory {
            check(*range, "RAM");
        }
        for ecam in ecams {
            check(*ecam, "PCI configuration space");
        }
        for device in &description.platform_devices {
            for range in device.registers.iter().filter(|range| !is_ecam(range)) {
                check(*range, &device.name);
            }
        }
    };
    let faults = pci::review_windows(&mut roots, &occupied, memory::last_address());
    (roots, faults)
}

/// Adds a finding for each of `faults`, up to a limit.
pub(crate) fn report(
    faults: &[WindowFault],
    host_bridges: &[HostBridge],
    map: &dyn FirmwareMap,
    findings: &mut Vec<Finding>,
) {
    for fault in faults.iter().take(FINDING_LIMIT) {
        findings.push(finding(fault, map.name(host_bridges[fault.root].node)));
    }
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
}

fn root_bus(bridge: &HostBridge) -> RootBus {
    RootBus {
        segment: bridge.segment,
        first_bus: bridge.first_bus,
        last_bus: bridge.last_bus,
        windows: bridge.windows.clone(),
    }
}

fn finding(fault: &WindowFault, node: String) -> Finding {
    let PciWindow { space, bus_start, cpu, .. } = fault.window;
    let space = if space == PciSpace::Io { "I/O" } else { "memory" };
    let sentence =
        format!("{space} window at bus address {bus_start:#x}, CPU addresses {cpu}: {}", fault.error);
    Finding { id: "pci-window-unusable", severity: Severity::Warning, place: node, sentence }
}
