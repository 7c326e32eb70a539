//! Devices that the namespace describes by themselves, as Linux makes them of it.
//!
//! `acpi_bus_attach` walks the namespace; a device that has a hardware ID and that no scan handler takes
//! becomes a platform device under its ACPI name, `LNRO0005:00`: hardware ID and a number that counts the
//! devices of that ID, the absent ones included. A device that is not there hides its children.
//!
//! Which IDs make an AMBA device, or no device, are facts of Linux: `amba_id_list` (`drivers/acpi/arm64/amba.c`),
//! the scan handlers that `acpi_scan_init` adds on arm64 (`scan.c`), `acpi_pnp_device_ids` (`acpi_pnp.c`) and
//! `forbidden_id_list` of `acpi_create_platform_device` (`acpi_platform.c`). They were compared with mainline
//! files of 6.5, and the first and the last with what later patches made of them. An ID counts whether it is the
//! device's `_HID` or among its `_CID`s.
//!
//! Deliberately missing: the PNP list's IDs of single products (ISA modems, sound cards, touch screens); `PRP0001`,
//! whose devices Linux makes by the `compatible` in their `_DSD`, and which is a platform device here; `_DEP`.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use probe::{Findings, Severity};

use super::aml::{AmlDevice, Namespace, Resource, SpaceKind};
use super::host_bridge;
use super::node::node;
use crate::{PlatformBus, PlatformDevice};

/// IDs whose devices are PrimeCells on the AMBA bus (`amba_id_list`, which CoreSight devices have left).
const AMBA: [&str; 2] = ["ARMH0061", "ARMH0330"];
/// IDs whose devices a scan handler takes, so that they are no platform devices: processors and their
/// containers, containers, PCI interrupt links, memory (`processor_handler`, `processor_container_handler`,
/// `container_handler`, `pci_link_handler`, `memory_device_handler`).
const HANDLED: [&str; 7] = ["ACPI0007", "ACPI0010", "ACPI0004", "PNP0A05", "PNP0A06", "PNP0C0F", "PNP0C80"];
/// IDs whose devices go to the PNP bus (`acpi_pnp_device_ids`), whichever case their digits have: keyboards and
/// mice, parallel and serial ports, disk and floppy controllers, clocks, resources of the motherboard, a TPM.
const PNP: [&str; 33] = [
    "PNP0300", "PNP0301", "PNP0302", "PNP0303", "PNP0304", "PNP0305", "PNP0306", "PNP0309", "PNP030A",
    "PNP030B", "PNP0320", "PNP0343", "PNP0344", "PNP0345", "PNP0F03", "PNP0F0B", "PNP0F0E", "PNP0F12",
    "PNP0F13", "PNP0F19", "PNP0F1C", "PNP0400", "PNP0401", "PNP0500", "PNP0501", "PNP0600", "PNP0700",
    "PNP0B00", "PNP0B01", "PNP0B02", "PNP0C01", "PNP0C02", "PNP0C31",
];
/// IDs of which Linux makes no device (`forbidden_id_list`): interrupt controllers, a timer, a DMA controller.
const FORBIDDEN: [&str; 5] = ["ACPI0009", "ACPI000A", "PNP0000", "PNP0100", "PNP0200"];
/// The same if the device has resources (`ACPI_ALLOW_WO_RESOURCES`): an SMBus in AML.
const FORBIDDEN_WITH_RESOURCES: &str = "SMB0001";

/// Whether other code in Linux claims the device, or Linux never makes a platform device of it.
fn is_taken(device: &AmlDevice) -> bool {
    let has_id = |ids: &[&str]| ids.iter().any(|id| device.has_id(id));
    let is_pnp = device.ids().any(|own| PNP.iter().any(|id| id.eq_ignore_ascii_case(own)));
    let is_smbus = device.has_id(FORBIDDEN_WITH_RESOURCES) && !device.crs.is_empty();
    has_id(&HANDLED) || has_id(&FORBIDDEN) || is_pnp || is_smbus
}

/// Linux's name of each device of the namespace, in its order (`acpi_device_set_name`).
pub(super) fn names(namespace: &Namespace) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut names = Vec::with_capacity(namespace.devices().len());
    for device in namespace.devices() {
        let id = device.ids().next().unwrap_or("device");
        let count = counts.entry(id).or_insert(0);
        names.push(format!("{id}:{count:02x}"));
        *count += 1;
    }
    names
}

/// All devices in Linux's order.
pub(super) fn devices(
    namespace: &Namespace,
    names: &[String],
    findings: &mut Findings,
) -> Vec<PlatformDevice> {
    let mut devices = Vec::new();
    for (index, (device, name)) in namespace.devices().iter().zip(names).enumerate() {
        let is_device = device.hid.is_some() && !host_bridge::is_host_bridge(device) && !is_taken(device);
        if !is_device || !device.is_reached {
            continue;
        }
        let registers: Vec<_> = registers(device).collect();
        let is_primecell = AMBA.iter().any(|id| device.has_id(id));
        let bus = if is_primecell { PlatformBus::Amba } else { PlatformBus::Platform };
        if bus == PlatformBus::Amba && registers.is_empty() {
            let what = "a PrimeCell without registers in _CRS; it is left out";
            findings.add("primecell-without-registers", Severity::Warning, &device.path, what);
            continue;
        }
        let compatible = device.ids().map(ToString::to_string).collect();
        devices.push(PlatformDevice { node: node(index), name: name.clone(), bus, compatible, registers });
    }
    devices
}

/// The memory among a device's resources, as the CPU sees it, in the order of `_CRS`.
pub(super) fn registers(device: &AmlDevice) -> impl Iterator<Item = Range<PhysAddr>> {
    device.crs.iter().filter_map(|resource| match resource {
        Resource::Memory { range, .. } => Some(*range),
        Resource::Space(space) if matches!(space.kind, SpaceKind::Memory { .. }) => space.cpu_range(),
        _ => None,
    })
}
