//! PCI host bridges with ECAM: configuration space and bus numbers.
//!
//! Sources: Linux bindings `pci/host-generic-pci.yaml` and `pci/pci.txt`, and Linux's `pci_ecam_create` for an
//! ECAM that is too small.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{PciSpace, PhysAddr, Range};
use probe::{Findings, Severity};

use super::address::registers;
use super::segment::{Segment, Segments};
use super::tree::{NodeIndex, Tree};
use super::{functions, windows};
use crate::{HostBridge, LinuxView, PlatformDevice};

/// Host bridges that are driven as such.
pub(super) const ECAM_HOST: [&str; 1] = ["pci-host-ecam-generic"];
/// Configuration space of one bus.
const BUS_SIZE: u64 = 1 << 20;
/// All host bridges among the platform devices, in their order.
pub(super) fn all(
    tree: &Tree,
    devices: &[PlatformDevice],
    ram: &[Range<PhysAddr>],
    findings: &mut Findings,
) -> Vec<HostBridge> {
    let is_host = |node| tree.is_compatible(node, &ECAM_HOST);
    for node in tree.nodes().filter(|node| is_host(*node)) {
        if !tree.is_live(node) {
            let why = "the host bridge or a bus above it has a status other than \"okay\"; its functions are not scanned";
            complain(tree, node, "", findings, "host-bridge-disabled", Severity::Info, why);
        } else if !devices.iter().any(|device| device.node == node.fw_node()) {
            let why = "the host bridge is not on a bus that is entered without a driver; it is left out";
            complain(tree, node, "", findings, "host-bridge-unreached", Severity::Warning, why);
        }
    }
    let mut segments = Segments::new(tree);
    let mut claims = Claims(ram.to_vec());
    let mut bridges: Vec<HostBridge> = Vec::new();
    for device in devices {
        let node = NodeIndex(device.node.0);
        if !is_host(node) {
            continue;
        }
        let Some(mut bridge) = bridge(tree, node, &device.name, findings) else { continue };
        // Linux asks for the number last (`pci_register_host_bridge`): a host bridge that is left out takes none.
        let wanted = segments.take(tree, node);
        match wanted {
            Segment::Free(number) => bridge.segment = number,
            Segment::Taken(number) => {
                (bridge.segment, bridge.in_linux) = (number, LinuxView::Absent);
                let why = format!("{number:#x} belongs to another host bridge; Linux leaves this one out");
                complain(
                    tree,
                    node,
                    ":linux,pci-domain",
                    findings,
                    "pci-domain-shared",
                    Severity::Warning,
                    &why,
                );
            }
            Segment::NoneLeft => {
                let why = "no PCI domain number is left; the host bridge is left out";
                complain(tree, node, "", findings, "pci-domain-missing", Severity::Error, why);
                continue;
            }
        }
        let clash = bridges.iter().find(|other| {
            let is_apart = other.last_bus < bridge.first_bus || bridge.last_bus < other.first_bus;
            other.segment == bridge.segment && !is_apart
        });
        if let Some(other) = clash {
            let why = format!(
                "bus numbers and domain overlap with those of {}; the host bridge is left out",
                tree.path(NodeIndex(other.node.0))
            );
            complain(tree, node, "", findings, "host-bridge-clash", Severity::Error, &why);
            continue;
        }
        if let Some(taken) = claims.conflict(&bridge) {
            let why = format!("{taken} is already in use; Linux leaves the host bridge out");
            complain(tree, node, "", findings, "host-bridge-conflict", Severity::Warning, &why);
            bridge.in_linux = LinuxView::Absent;
        }
        bridges.push(bridge);
    }
    bridges
}

/// Addresses that are taken: by RAM, and by the host bridges before, as Linux claims them (`pci_ecam_create`,
/// `devm_request_pci_bus_resources`). It gives a host bridge up of which one resource is taken.
struct Claims(Vec<Range<PhysAddr>>);

impl Claims {
    /// Claims what Linux claims for a host bridge; returns what of it is claimed already.
    fn conflict(&mut self, bridge: &HostBridge) -> Option<Range<PhysAddr>> {
        let windows = match &bridge.in_linux {
            LinuxView::Same => &bridge.windows,
            LinuxView::Windows(windows) => windows,
            LinuxView::Absent => return None,
        };
        let memory = windows.iter().filter(|window| window.space != PciSpace::Io).map(|window| window.cpu);
        let before = self.0.len();
        for range in core::iter::once(bridge.ecam).chain(memory) {
            if self.0.iter().any(|taken| taken.overlaps(&range)) {
                self.0.truncate(before);
                return Some(range);
            }
            self.0.push(range);
        }
        None
    }
}

/// `property` is the property after a colon; empty for the node itself.
fn complain(
    tree: &Tree,
    node: NodeIndex,
    property: &str,
    findings: &mut Findings,
    id: &'static str,
    severity: Severity,
    what: &str,
) {
    findings.add(id, severity, tree.path(node) + property, String::from(what));
}

fn bridge(tree: &Tree, node: NodeIndex, name: &str, findings: &mut Findings) -> Option<HostBridge> {
    let (first_bus, wanted_last) = bus_range(tree, node, findings)?;
    let ecam = match registers(tree, node) {
        Ok(entries) => entries.into_iter().next().and_then(Result::ok),
        Err(_) => None,
    };
    let room = ecam.map_or(0, |ecam| ecam.size() / BUS_SIZE);
    let Some(ecam) = ecam.filter(|_| room > 0) else {
        let why = "no ECAM that the CPU can reach with room for one bus (1 MiB); the host bridge is left out";
        complain(tree, node, ":reg", findings, "ecam-missing", Severity::Error, why);
        return None;
    };
    if !ecam.start().0.is_multiple_of(BUS_SIZE) {
        let why = format!(
            "the ECAM at {} is not aligned to 1 MiB (one bus); the host bridge is left out",
            ecam.start()
        );
        complain(tree, node, ":reg", findings, "ecam-misaligned", Severity::Error, &why);
        return None;
    }
    let wanted = u64::from(wanted_last - first_bus) + 1;
    let buses = wanted.min(room);
    // At most `wanted_last`, so it fits.
    let last_bus = first_bus + (buses - 1) as u8;
    if buses < wanted {
        let why = format!(
            "room for {room} buses, expected {wanted}; bus numbers end at {last_bus:#x} instead of {wanted_last:#x}"
        );
        complain(tree, node, ":reg", findings, "ecam-too-small", Severity::Warning, &why);
    }
    let ecam = Range::from_size(ecam.start(), buses * BUS_SIZE)?;
    let (windows, in_linux) = windows::read(tree, node, findings);
    let functions = functions::read(tree, node, first_bus, findings);
    let name = String::from(name);
    Some(HostBridge {
        node: node.fw_node(),
        name,
        segment: 0,
        first_bus,
        last_bus,
        ecam,
        windows,
        functions,
        in_linux: in_linux.map_or(LinuxView::Same, LinuxView::Windows),
    })
}

/// First and last bus number; all of them if `bus-range` is missing or unreadable, as in Linux.
fn bus_range(tree: &Tree, node: NodeIndex, findings: &mut Findings) -> Option<(u8, u8)> {
    let Some(value) = tree.property(node, "bus-range") else { return Some((0, u8::MAX)) };
    let cells = value.as_chunks::<4>().0;
    let [first, last, ..] = cells else {
        let why = format!("{} bytes long, expected 8; buses 0x0 to 0xff are used", value.len());
        complain(tree, node, ":bus-range", findings, "bus-range-malformed", Severity::Warning, &why);
        return Some((0, u8::MAX));
    };
    if value.len() != 8 {
        let why = format!("{} bytes long, expected 8; the first two cells are used", value.len());
        complain(tree, node, ":bus-range", findings, "bus-range-malformed", Severity::Warning, &why);
    }
    let (first, last) = (u32::from_be_bytes(*first), u32::from_be_bytes(*last));
    let Some(start) = u8::try_from(first).ok().filter(|_| first <= last) else {
        let why =
            format!("{first:#x} to {last:#x} is not a range of bus numbers; the host bridge is left out");
        complain(tree, node, ":bus-range", findings, "bus-range-malformed", Severity::Error, &why);
        return None;
    };
    let end = u8::try_from(last).unwrap_or_else(|_| {
        let why = format!("the last bus is {last:#x}, expected at most 0xff; 0xff is used");
        complain(tree, node, ":bus-range", findings, "bus-range-malformed", Severity::Warning, &why);
        u8::MAX
    });
    Some((start, end))
}
