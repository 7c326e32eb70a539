//! PCI host bridges: bus numbers and windows from the namespace, configuration space from the MCFG.
//!
//! Sources: PCI Firmware Specification 3.3, section 4.1; Linux's `acpi_pci_root_add` for bus numbers and
//! `pci_mcfg_lookup` for configuration space.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{PciSpace, PciWindow, PhysAddr, Range};
use probe::Severity;

use super::aml::{AddressSpace, AmlDevice, Namespace, Resource, SpaceKind};
use super::findings::Findings;
use super::gate::Tables;
use super::platform::node;
use super::typed::{Ecam, Typed};
use crate::{HostBridge, LinuxView};

/// PCI Express and conventional host bridges.
const HOST_BRIDGES: [&str; 2] = ["PNP0A08", "PNP0A03"];
/// Configuration space of one bus.
const BUS_SIZE: u64 = 1 << 20;

/// Whether a device of the namespace is a PCI host bridge.
pub(super) fn is_host_bridge(device: &AmlDevice) -> bool {
    HOST_BRIDGES.iter().any(|id| device.has_id(id))
}

/// The segment of a host bridge: `_SEG`, or 0 without it; `None` if it is too large for one.
pub(super) fn segment(device: &AmlDevice) -> Option<u16> {
    u16::try_from(device.seg.unwrap_or(0)).ok()
}

/// All host bridges in the order of the namespace.
pub(super) fn all(
    tables: &Tables,
    typed: &Typed,
    namespace: &Namespace,
    names: &[String],
    findings: &mut Findings,
) -> Vec<HostBridge> {
    check_mcfg(tables, findings);
    let mut bridges: Vec<HostBridge> = Vec::new();
    for (index, (device, name)) in namespace.devices().iter().zip(names).enumerate() {
        if !device.is_reached || !is_host_bridge(device) {
            continue;
        }
        let Some(bridge) = bridge(index, device, name, &typed.ecams, findings) else { continue };
        let clash = bridges.iter().find(|other| {
            let is_apart = other.last_bus < bridge.first_bus || bridge.last_bus < other.first_bus;
            other.segment == bridge.segment && !is_apart
        });
        if let Some(other) = clash {
            let what = format!(
                "buses {:#x} to {:#x} of segment {:#x} are {}'s already, in part or all; the host bridge is left out",
                bridge.first_bus, bridge.last_bus, bridge.segment, other.name
            );
            findings.add("host-bridge-clash", Severity::Error, &device.path, &what);
            continue;
        }
        bridges.push(bridge);
    }
    bridges
}

/// Says if there is no MCFG, or one that ends in the middle of an entry.
fn check_mcfg(tables: &Tables, findings: &mut Findings) {
    const HEADER_SIZE: usize = 44;
    const ENTRY_SIZE: usize = 16;
    let Some(table) = tables.first(*b"MCFG") else {
        let what = "there is no MCFG table: no PCI host bridge can be reached";
        return findings.add("acpi-table-missing", Severity::Warning, "ACPI", what);
    };
    let rest = table.bytes.len().saturating_sub(HEADER_SIZE) % ENTRY_SIZE;
    if rest > 0 {
        let what = format!("{rest} bytes behind the last whole entry are ignored");
        findings.add("mcfg-length", Severity::Warning, "MCFG", &what);
    }
}

fn bridge(
    index: usize,
    device: &AmlDevice,
    name: &str,
    ecams: &[Ecam],
    findings: &mut Findings,
) -> Option<HostBridge> {
    let mut complain = |id, severity, what: &str| findings.add(id, severity, &device.path, what);
    let Some(segment) = segment(device) else {
        let what =
            format!("_SEG is {:#x}, expected 16 bits; the host bridge is left out", device.seg.unwrap_or(0));
        complain("host-bridge-segment", Severity::Error, &what);
        return None;
    };
    for (object, what) in
        [("_SEG", "segment 0 is taken"), ("_BBN", "the bus numbers of _CRS are taken, or 0")]
    {
        if device.unread.contains(&object) {
            complain("host-bridge-unread", Severity::Warning, &format!("{object} cannot be read; {what}"));
        }
    }
    let (first_bus, wanted_last) = match buses(device) {
        Ok(buses) => buses,
        Err(what) => {
            complain("host-bridge-buses", Severity::Error, &format!("{what}; the host bridge is left out"));
            return None;
        }
    };
    let ecam = ecams
        .iter()
        .find(|ecam| ecam.segment == segment && (ecam.first_bus..=ecam.last_bus).contains(&first_bus));
    let Some(ecam) = ecam else {
        let what = format!(
            "no MCFG entry has bus {first_bus:#x} of segment {segment:#x}; the host bridge is left out"
        );
        complain("host-bridge-without-ecam", Severity::Error, &what);
        return None;
    };
    let last_bus = wanted_last.min(ecam.last_bus);
    if last_bus < wanted_last {
        let what = format!(
            "buses {first_bus:#x} to {wanted_last:#x}, but its MCFG entry ends at {last_bus:#x}; the buses behind are \
             not used"
        );
        complain("host-bridge-ecam-short", Severity::Warning, &what);
    }
    let start = ecam.base.checked_add(u64::from(first_bus) * BUS_SIZE).map(PhysAddr);
    let size = (u64::from(last_bus - first_bus) + 1) * BUS_SIZE;
    let Some(space) = start.and_then(|start| Range::from_size(start, size)).filter(|_| ecam.base != 0) else {
        let what =
            format!("ECAM at {:#x} in its MCFG entry cannot be; the host bridge is left out", ecam.base);
        complain("host-bridge-without-ecam", Severity::Error, &what);
        return None;
    };
    let windows = windows(device, &mut |what| complain("host-bridge-window", Severity::Warning, what));
    Some(HostBridge {
        node: node(index),
        name: String::from(name),
        segment,
        first_bus,
        last_bus,
        ecam: space,
        windows,
        functions: Vec::new(),
        in_linux: LinuxView::Same,
    })
}

/// The bus numbers: those of `_CRS`, or else from `_BBN` or 0 to the last one.
fn buses(device: &AmlDevice) -> Result<(u8, u8), String> {
    let is_bus = |space: &&AddressSpace| space.kind == SpaceKind::Bus;
    if let Some(space) = spaces(device).find(is_bus) {
        let (start, end) = (space.range.start(), space.range.end());
        return match (u8::try_from(start), u8::try_from(end)) {
            (Ok(first), Ok(last)) => Ok((first, last)),
            _ => Err(format!("_CRS has bus numbers {start:#x} to {end:#x}, expected at most 0xff")),
        };
    }
    let first = device.bbn.unwrap_or(0);
    let first = u8::try_from(first).map_err(|_| format!("_BBN is {first:#x}, expected at most 0xff"))?;
    Ok((first, u8::MAX))
}

fn spaces(device: &AmlDevice) -> impl Iterator<Item = &AddressSpace> {
    device.crs.iter().filter_map(|resource| match resource {
        Resource::Space(space) => Some(space),
        _ => None,
    })
}

/// Memory and I/O space that the bridge hands on.
///
/// What it keeps for itself is no window (`acpi_pci_probe_root_resources`).
fn windows(device: &AmlDevice, complain: &mut dyn FnMut(&str)) -> Vec<PciWindow> {
    let mut windows = Vec::new();
    for space in spaces(device).filter(|space| space.producer) {
        let (start, end) = (space.range.start(), space.range.end());
        let is_narrow = u32::try_from(end).is_ok();
        let kind = match space.kind {
            SpaceKind::Bus => continue,
            SpaceKind::Io if is_narrow => PciSpace::Io,
            SpaceKind::Io => {
                complain(&format!(
                    "I/O window {start:#x} to {end:#x} of _CRS goes beyond 32 bits; it is left out"
                ));
                continue;
            }
            SpaceKind::Memory { .. } if is_narrow => PciSpace::Memory32,
            SpaceKind::Memory { .. } => PciSpace::Memory64,
        };
        let Some(cpu) = space.cpu_range() else {
            complain(&format!(
                "window {start:#x} to {end:#x} of _CRS leaves the address space; it is left out"
            ));
            continue;
        };
        windows.push(PciWindow { space: kind, prefetchable: space.prefetchable(), bus_start: start, cpu });
    }
    windows
}
