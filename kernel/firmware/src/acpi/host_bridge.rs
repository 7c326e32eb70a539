//! PCI host bridges: bus numbers and windows from the namespace, configuration space from `_CBA` or the MCFG.
//!
//! Sources: PCI Firmware Specification 3.3, section 4.1; Linux's `acpi_pci_root_add` for segment and bus numbers and
//! `pci_mcfg_lookup` for configuration space. What of a host bridge cannot be evaluated costs the bridge, as there.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{PciSpace, PciWindow, PhysAddr, Range};
use probe::{Findings, Severity};

use super::aml::{AddressSpace, AmlDevice, Namespace, Resource, SpaceKind};
use super::gate::Tables;
use super::node::node;
use super::typed::Typed;
use crate::{HostBridge, LinuxView};

/// The ID of all PCI host bridges, `_HID` of conventional ones and `_CID` of those for PCI Express. Linux knows no other
/// (`root_device_ids`).
const HOST_BRIDGE: &str = "PNP0A03";
/// `_HID` of a host bridge for PCI Express.
const EXPRESS: &str = "PNP0A08";
/// Configuration space of one bus.
const BUS_SIZE: u64 = 1 << 20;

/// Whether a device of the namespace is a PCI host bridge.
pub(super) fn is_host_bridge(device: &AmlDevice) -> bool {
    device.has_id(HOST_BRIDGE)
}

/// The segment of a host bridge: the low 16 bits of `_SEG`, or 0 without it.
pub(super) fn segment(device: &AmlDevice) -> u16 {
    device.seg.unwrap_or(0) as u16
}

/// What decides which host bridges there are.
pub(super) struct Selection<'s> {
    pub(super) typed: &'s Typed,
    /// Linux's names of the devices of the namespace.
    pub(super) names: &'s [String],
}

impl Selection<'_> {
    /// All host bridges in the order of the namespace.
    pub(super) fn host_bridges(
        &self,
        tables: &Tables,
        namespace: &Namespace,
        findings: &mut Findings,
    ) -> Vec<HostBridge> {
        let is_used = |device: &AmlDevice| device.is_reached && is_host_bridge(device);
        let needs_mcfg = namespace.devices().iter().any(|device| is_used(device) && device.cba.is_none());
        check_mcfg(tables, needs_mcfg, findings);
        let mut bridges: Vec<HostBridge> = Vec::new();
        for (index, device) in namespace.devices().iter().enumerate().filter(|(_, device)| device.is_reached)
        {
            if !is_host_bridge(device) {
                if device.has_id(EXPRESS) {
                    let what = "PNP0A08 without PNP0A03 in _CID, which Linux does not accept as a host bridge; it is \
                                left out";
                    findings.add("host-bridge-id", Severity::Error, &device.path, what);
                }
                continue;
            }
            let bridge = self.bridge(index, device, findings);
            let clash =
                bridges.iter().find(|other| bridge.as_ref().is_some_and(|bridge| overlap(bridge, other)));
            match (bridge, clash) {
                (None, _) => {}
                (Some(bridge), None) => bridges.push(bridge),
                (Some(bridge), Some(other)) => {
                    let what = format!(
                        "buses {:#x} to {:#x} of segment {:#x} overlap with those of {}; the host bridge is left out",
                        bridge.first_bus, bridge.last_bus, bridge.segment, other.name
                    );
                    findings.add("host-bridge-clash", Severity::Error, &device.path, &what);
                }
            }
        }
        bridges
    }

    fn bridge(&self, index: usize, device: &AmlDevice, findings: &mut Findings) -> Option<HostBridge> {
        let mut complain = |id, severity, what: &str| findings.add(id, severity, &device.path, what);
        let buses = known(device).and_then(|()| buses(device));
        let (first_bus, wanted_last) = match buses {
            Ok(buses) => buses,
            Err((id, what)) => {
                complain(id, Severity::Error, &format!("{what}; the host bridge is left out"));
                return None;
            }
        };
        let segment = segment(device);
        if let Some(wide) = device.seg.filter(|wide| *wide != u64::from(segment)) {
            let what =
                format!("_SEG is {wide:#x}, expected 16 bits; segment {segment:#x} is used, as in Linux");
            complain("host-bridge-segment", Severity::Warning, &what);
        }
        let wanted = (segment, first_bus, wanted_last);
        let Some((base, last_bus)) = self.configuration_space(device, wanted) else {
            let what = format!(
                "no _CBA, and no MCFG entry for bus {first_bus:#x} of segment {segment:#x}; the host bridge is left out"
            );
            complain("host-bridge-without-ecam", Severity::Error, &what);
            return None;
        };
        if last_bus < wanted_last {
            let what = format!(
                "the MCFG entry ends at bus {last_bus:#x}, expected buses {first_bus:#x} to {wanted_last:#x}; later buses \
                 are not used, and Linux does not use the host bridge at all"
            );
            complain("host-bridge-ecam-short", Severity::Warning, &what);
        }
        let start = base.checked_add(u64::from(first_bus) * BUS_SIZE).map(PhysAddr);
        let size = (u64::from(last_bus - first_bus) + 1) * BUS_SIZE;
        let Some(space) = start.and_then(|start| Range::from_size(start, size)).filter(|_| base != 0) else {
            let what = format!("the configuration space cannot be at {base:#x}; the host bridge is left out");
            complain("host-bridge-without-ecam", Severity::Error, &what);
            return None;
        };
        let windows = windows(device, &mut |what| complain("host-bridge-window", Severity::Warning, what));
        Some(HostBridge {
            node: node(index),
            name: self.names.get(index).cloned().unwrap_or_default(),
            segment,
            first_bus,
            last_bus,
            ecam: space,
            windows,
            functions: Vec::new(),
            in_linux: if last_bus < wanted_last { LinuxView::Absent } else { LinuxView::Same },
        })
    }

    /// Where bus 0 is in memory, and the last bus that can be used: `_CBA` comes first (`acpi_pci_root_get_mcfg_addr`),
    /// then the first MCFG entry that has all buses, and then, which Linux does not do, the first one that has the first
    /// bus.
    fn configuration_space(&self, device: &AmlDevice, wanted: (u16, u8, u8)) -> Option<(u64, u8)> {
        let (segment, first_bus, last_bus) = wanted;
        if let Some(base) = device.cba.filter(|base| *base != 0) {
            return Some((base, last_bus));
        }
        let mut entries =
            self.typed.ecams.iter().filter(|ecam| {
                ecam.segment == segment && (ecam.first_bus..=ecam.last_bus).contains(&first_bus)
            });
        let whole = entries.clone().find(|ecam| ecam.last_bus >= last_bus);
        let entry = whole.or_else(|| entries.next())?;
        Some((entry.base, entry.last_bus.min(last_bus)))
    }
}

fn overlap(one: &HostBridge, other: &HostBridge) -> bool {
    let is_apart = other.last_bus < one.first_bus || one.last_bus < other.first_bus;
    other.segment == one.segment && !is_apart
}

/// Why a host bridge is left out: a finding's id, and what is wrong.
type Obstacle = (&'static str, String);

/// Whether all is known of a host bridge that Linux does not go on without.
fn known(device: &AmlDevice) -> Result<(), Obstacle> {
    match ["_SEG", "_CRS"].into_iter().find(|object| device.unread.contains(object)) {
        Some(object) => Err(("host-bridge-unread", format!("{object} cannot be evaluated"))),
        None => Ok(()),
    }
}

/// Says if there is no MCFG where one is needed, or one that ends in the middle of an entry.
fn check_mcfg(tables: &Tables, is_needed: bool, findings: &mut Findings) {
    const HEADER_SIZE: usize = 44;
    const ENTRY_SIZE: usize = 16;
    let Some(table) = tables.first(*b"MCFG") else {
        let what = "the table is missing; PCI host bridges without _CBA are not used";
        if is_needed {
            findings.add("acpi-table-missing", Severity::Warning, "MCFG", what);
        }
        return;
    };
    let rest = table.bytes.len().saturating_sub(HEADER_SIZE) % ENTRY_SIZE;
    if rest > 0 {
        let what = format!("{rest} bytes after the last whole entry; they are ignored");
        findings.add("mcfg-length", Severity::Warning, "MCFG", &what);
    }
}

/// The bus numbers: those of the last range in `_CRS`, or else from `_BBN` or 0 to the last one
/// (`try_get_root_bridge_busnr`).
fn buses(device: &AmlDevice) -> Result<(u8, u8), Obstacle> {
    let fault = |what| ("host-bridge-buses", what);
    if let Some(space) = spaces(device).filter(|space| space.kind == SpaceKind::Bus).last() {
        let (start, end) = (space.range.start(), space.range.end());
        return match (u8::try_from(start), u8::try_from(end)) {
            (Ok(first), Ok(last)) => Ok((first, last)),
            _ => Err(fault(format!("_CRS has bus numbers {start:#x} to {end:#x}, expected at most 0xff"))),
        };
    }
    if device.unread.contains(&"_BBN") {
        return Err((
            "host-bridge-unread",
            String::from("_CRS has no bus numbers, and _BBN cannot be evaluated"),
        ));
    }
    let first = device.bbn.unwrap_or(0);
    let first =
        u8::try_from(first).map_err(|_| fault(format!("_BBN is {first:#x}, expected at most 0xff")))?;
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
/// Resources that it keeps for itself are not windows (`acpi_pci_probe_root_resources`).
fn windows(device: &AmlDevice, complain: &mut dyn FnMut(&str)) -> Vec<PciWindow> {
    let mut windows = Vec::new();
    for space in spaces(device).filter(|space| space.producer) {
        let (start, end) = (space.range.start(), space.range.end());
        let is_narrow = u32::try_from(end).is_ok();
        let kind = match space.kind {
            SpaceKind::Bus => continue,
            SpaceKind::Io if is_narrow => PciSpace::Io,
            SpaceKind::Io => {
                complain(&format!("_CRS: I/O window {start:#x} to {end:#x} exceeds 32 bits; it is left out"));
                continue;
            }
            SpaceKind::Memory { .. } if is_narrow => PciSpace::Memory32,
            SpaceKind::Memory { .. } => PciSpace::Memory64,
        };
        let Some(cpu) = space.cpu_range() else {
            complain(&format!(
                "_CRS: window {start:#x} to {end:#x} exceeds the address space; it is left out"
            ));
            continue;
        };
        windows.push(PciWindow { space: kind, prefetchable: space.prefetchable(), bus_start: start, cpu });
    }
    windows
}
