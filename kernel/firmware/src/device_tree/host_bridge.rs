//! PCI host bridges with ECAM: configuration space, bus numbers, windows, and nodes of functions.
//!
//! Sources: Linux bindings `pci/host-generic-pci.yaml` and `pci/pci.txt`, the Open Firmware PCI bus
//! binding for `ranges` and `reg`, and Linux's `pci_ecam_create` for an ECAM that is too small.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{DeviceFunction, PciSpace, PciWindow, Range};
use probe::Severity;

use super::address::{Cells, MAX_RANGES, Reg, child_cells, number, registers, translate};
use super::findings::Findings;
use super::iommu_map::IOMMU_CELLS;
use super::tree::{NodeIndex, Tree};
use crate::{FunctionNode, HostBridge, PlatformDevice};

/// Host bridges that are driven as such.
pub(super) const ECAM_HOST: [&str; 1] = ["pci-host-ecam-generic"];
/// A virtio-iommu (virtio 1.2, section 5.13.1, with the PCI IDs of section 4.1.2).
const IOMMU_FUNCTION: [&str; 1] = ["pci1af4,1057"];
/// Configuration space of one bus.
const BUS_SIZE: u64 = 1 << 20;
/// Cells of an address on a PCI bus: one with flags, and 64 bits.
const PCI_CELLS: Cells = Cells { address: 3, size: 2 };

/// All host bridges among the platform devices, in their order.
pub(super) fn all(tree: &Tree, devices: &[PlatformDevice], findings: &mut Findings) -> Vec<HostBridge> {
    let is_host = |node| tree.is_compatible(node, &ECAM_HOST);
    let hosts: Vec<_> = devices.iter().filter(|device| is_host(NodeIndex(device.node.0))).collect();
    for node in tree.nodes().filter(|node| is_host(*node) && tree.is_live(*node)) {
        if !hosts.iter().any(|host| host.node == node.fw_node()) {
            let why = "the host bridge is on no bus that is entered without a driver; it is left out";
            complain(tree, node, findings, "host-bridge-unreached", Severity::Warning, why);
        }
    }
    for node in tree.nodes().filter(|node| is_host(*node) && !tree.is_live(*node)) {
        let why = "the host bridge, or a bus above it, has a status other than \"okay\": its functions are not looked for";
        complain(tree, node, findings, "host-bridge-disabled", Severity::Info, why);
    }
    let segments = segments(tree, &hosts, findings);
    let mut bridges: Vec<HostBridge> = Vec::new();
    for (device, segment) in hosts.into_iter().zip(segments) {
        let node = NodeIndex(device.node.0);
        let bridge = segment.and_then(|segment| bridge(tree, node, &device.name, segment, findings));
        let Some(bridge) = bridge else { continue };
        let clash = bridges.iter().find(|other| {
            let is_apart = other.last_bus < bridge.first_bus || bridge.last_bus < other.first_bus;
            other.segment == bridge.segment && !is_apart
        });
        if let Some(other) = clash {
            let why = format!(
                "linux,pci-domain and bus-range give bus numbers that {} has already; the host bridge is left out",
                tree.path(NodeIndex(other.node.0))
            );
            complain(tree, node, findings, "host-bridge-clash", Severity::Error, &why);
            continue;
        }
        bridges.push(bridge);
    }
    bridges
}

fn complain(
    tree: &Tree,
    node: NodeIndex,
    findings: &mut Findings,
    id: &'static str,
    severity: Severity,
    what: &str,
) {
    let path = tree.path(node);
    findings.add(id, severity, path, String::from(what));
}

/// A segment for each host: what `linux,pci-domain` says, or else the lowest number that is free.
///
/// Linux sets the given ones aside before it hands out others (`of_pci_reserve_static_domain_nr`).
fn segments(tree: &Tree, hosts: &[&PlatformDevice], findings: &mut Findings) -> Vec<Option<u16>> {
    const DOMAIN: &str = "linux,pci-domain";
    let given = |host: &PlatformDevice| tree.number(NodeIndex(host.node.0), DOMAIN);
    let taken: Vec<u32> = hosts.iter().filter_map(|host| given(host)).collect();
    let mut free = (0..=u16::MAX).filter(|segment| !taken.contains(&u32::from(*segment)));
    let mut choose = |host: &&PlatformDevice| {
        let node = NodeIndex(host.node.0);
        if tree.property(node, DOMAIN).is_none() {
            return free.next();
        }
        let segment = given(host).and_then(|segment| u16::try_from(segment).ok());
        if segment.is_none() {
            let why = "linux,pci-domain is no number below 0x10000; the host bridge is left out";
            complain(tree, node, findings, "pci-domain-malformed", Severity::Error, why);
        }
        segment
    };
    hosts.iter().map(&mut choose).collect()
}

fn bridge(
    tree: &Tree,
    node: NodeIndex,
    name: &str,
    segment: u16,
    findings: &mut Findings,
) -> Option<HostBridge> {
    let (first_bus, wanted_last) = bus_range(tree, node, findings)?;
    let ecam = match registers(tree, node) {
        Ok(entries) => entries.into_iter().next().and_then(Result::ok),
        Err(_) => None,
    };
    let room = ecam.map_or(0, |ecam| ecam.size() / BUS_SIZE);
    let Some(ecam) = ecam.filter(|_| room > 0) else {
        let why = "reg has no ECAM that the CPU can reach and that has room for one bus (1 MiB); the host bridge is \
                   left out";
        complain(tree, node, findings, "ecam-missing", Severity::Error, why);
        return None;
    };
    if !ecam.start().0.is_multiple_of(BUS_SIZE) {
        let why = format!(
            "reg has the ECAM at {}, which is not aligned to the 1 MiB of a bus; the host bridge is left out",
            ecam.start()
        );
        complain(tree, node, findings, "ecam-misaligned", Severity::Error, &why);
        return None;
    }
    let wanted = u64::from(wanted_last - first_bus) + 1;
    let buses = wanted.min(room);
    // At most `wanted_last`, so it fits.
    let last_bus = first_bus + (buses - 1) as u8;
    if buses < wanted {
        let why = format!(
            "reg has room for {room} buses, bus-range asks for {wanted}: bus numbers end at {last_bus:#x} instead of \
             {wanted_last:#x}"
        );
        complain(tree, node, findings, "ecam-too-small", Severity::Warning, &why);
    }
    let ecam = Range::from_size(ecam.start(), buses * BUS_SIZE)?;
    let windows = windows(tree, node, findings);
    let functions = functions(tree, node, first_bus, findings);
    let name = String::from(name);
    Some(HostBridge { node: node.fw_node(), name, segment, first_bus, last_bus, ecam, windows, functions })
}

/// First and last bus number; all of them if `bus-range` is missing or unreadable, as in Linux.
fn bus_range(tree: &Tree, node: NodeIndex, findings: &mut Findings) -> Option<(u8, u8)> {
    let Some(value) = tree.property(node, "bus-range") else { return Some((0, u8::MAX)) };
    let ([first, last], []) = value.as_chunks::<4>() else {
        let why = format!("bus-range has {} bytes, expected 8; buses 0x0 to 0xff are taken", value.len());
        complain(tree, node, findings, "bus-range-malformed", Severity::Warning, &why);
        return Some((0, u8::MAX));
    };
    let (first, last) = (u32::from_be_bytes(*first), u32::from_be_bytes(*last));
    let Some(start) = u8::try_from(first).ok().filter(|_| first <= last) else {
        let why =
            format!("bus-range is {first:#x} to {last:#x}: no bus numbers; the host bridge is left out");
        complain(tree, node, findings, "bus-range-malformed", Severity::Error, &why);
        return None;
    };
    let end = u8::try_from(last).unwrap_or_else(|_| {
        let why = format!("bus-range ends at {last:#x}, expected at most 0xff, which is taken");
        complain(tree, node, findings, "bus-range-malformed", Severity::Warning, &why);
        u8::MAX
    });
    Some((start, end))
}

/// Flags in the first cell of a PCI address (Open Firmware PCI binding, section 2.2.1.1).
mod phys_hi {
    pub(super) const PREFETCHABLE: u32 = 1 << 30;
    pub(super) const SPACE_SHIFT: u32 = 24;
    pub(super) const SPACE_MASK: u32 = 3;
    pub(super) const SPACE_IO: u32 = 1;
    pub(super) const SPACE_MEMORY_32: u32 = 2;
    pub(super) const SPACE_MEMORY_64: u32 = 3;
    pub(super) const DEVFN_SHIFT: u32 = 8;
}

/// The windows that `ranges` describes; what cannot be one is left out with a finding.
fn windows(tree: &Tree, node: NodeIndex, findings: &mut Findings) -> Vec<PciWindow> {
    let mut windows: Vec<PciWindow> = Vec::new();
    let mut refuse =
        |why: &str| complain(tree, node, findings, "pci-ranges-malformed", Severity::Warning, why);
    let (Some(ranges), Some(bus)) = (tree.property(node, "ranges"), tree.parent(node)) else {
        refuse("there is no ranges; no memory of its devices can be reached");
        return windows;
    };
    let (inner, outer) = (child_cells(tree, node), child_cells(tree, bus));
    if inner != PCI_CELLS {
        refuse("#address-cells and #size-cells are not 3 and 2, as on a PCI bus; no ranges are read");
        return windows;
    }
    let entry = 4 * (inner.address + outer.address + inner.size);
    if !ranges.len().is_multiple_of(entry) || ranges.len() / entry > MAX_RANGES {
        refuse(&format!(
            "ranges has {} bytes, expected at most {MAX_RANGES} entries of {entry} bytes; none is read",
            ranges.len()
        ));
        return windows;
    }
    for (number_of_entry, entry) in ranges.chunks_exact(entry).enumerate() {
        match window(tree, bus, entry, outer) {
            Ok(None) => {}
            Ok(Some(window)) => match windows.last_mut() {
                Some(last) if joins(last, &window) => {
                    if let Some(cpu) = Range::new(last.cpu.start(), window.cpu.end()) {
                        last.cpu = cpu;
                    }
                }
                _ => windows.push(window),
            },
            Err(why) => refuse(&format!("ranges, entry {number_of_entry}: {why}; the entry is left out")),
        }
    }
    windows
}

/// One entry of `ranges`; none for an empty one.
fn window(tree: &Tree, bus: NodeIndex, entry: &[u8], outer: Cells) -> Result<Option<PciWindow>, String> {
    let (child, rest) = entry.split_at(4 * PCI_CELLS.address);
    let (parent, length) = rest.split_at(4 * outer.address);
    let (flags, bus_start) = child.split_at(4);
    let (flags, bus_start) = (number(flags) as u32, number(bus_start) as u64);
    let size = number(length);
    if size == 0 {
        return Ok(None);
    }
    let (space, bits) = match flags >> phys_hi::SPACE_SHIFT & phys_hi::SPACE_MASK {
        phys_hi::SPACE_IO => (PciSpace::Io, 32),
        phys_hi::SPACE_MEMORY_32 => (PciSpace::Memory32, 32),
        phys_hi::SPACE_MEMORY_64 => (PciSpace::Memory64, 64),
        _ => return Err(format!("first cell {flags:#x} names configuration space, which has no window")),
    };
    let bus_end = u128::from(bus_start) + size;
    if bus_end > 1 << bits {
        return Err(format!("{size:#x} bytes at {bus_start:#x} on the bus do not fit into {bits} bits"));
    }
    let cpu = translate(tree, bus, Reg { address: number(parent), size });
    let cpu = cpu.map_err(|error| format!("CPU address {:#x}: {error}", number(parent)))?;
    Ok(Some(PciWindow { space, prefetchable: flags & phys_hi::PREFETCHABLE != 0, bus_start, cpu }))
}

/// Whether `next` goes on where `last` ends, on both sides (Linux: `of_pci_range_parser_one`).
fn joins(last: &PciWindow, next: &PciWindow) -> bool {
    last.space == next.space
        && last.prefetchable == next.prefetchable
        && last.cpu.end().checked_add(1) == Some(next.cpu.start())
        && last.bus_start.checked_add(last.cpu.size()) == Some(next.bus_start)
}

/// Nodes of functions on the root bus, by the device and function in their `reg`, whatever their status.
fn functions(tree: &Tree, node: NodeIndex, bus: u8, findings: &mut Findings) -> Vec<FunctionNode> {
    let mut functions: Vec<FunctionNode> = Vec::new();
    for child in tree.children(node) {
        let Some(reg) = tree.property(child, "reg") else { continue };
        let Some(first) = reg.first_chunk::<4>() else {
            let why = "reg is shorter than a PCI address; the node is no function's";
            complain(tree, child, findings, "pci-child-malformed", Severity::Warning, why);
            continue;
        };
        let place = (u32::from_be_bytes(*first) >> phys_hi::DEVFN_SHIFT) as u8;
        let place = DeviceFunction::from_bits(place);
        if functions.iter().any(|other| other.place == place) {
            let why =
                format!("reg names function {place}, which another node has already; this one is ignored");
            complain(tree, child, findings, "pci-child-malformed", Severity::Warning, &why);
            continue;
        }
        let is_iommu =
            tree.property(child, IOMMU_CELLS).is_some() || tree.is_compatible(child, &IOMMU_FUNCTION);
        let enabled = tree.is_available(child);
        functions.push(FunctionNode { bus, place, node: child.fw_node(), enabled, is_iommu });
    }
    functions
}
