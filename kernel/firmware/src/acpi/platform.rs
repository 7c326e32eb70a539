//! Devices that the namespace describes by themselves, as Linux makes them of it.
//!
//! `acpi_bus_attach` walks the namespace; a device that has a hardware ID and that no scan handler takes
//! becomes a platform device under its ACPI name, `LNRO0005:00`: hardware ID and a number that counts the
//! devices of that ID, the absent ones included. A device that is not there hides its children.
//!
//! IDs that make no device or an AMBA device are those of Linux's `acpi_platform.c` and `arm64/amba.c`; those
//! that scan handlers take are the handlers' on arm64, with the PNP IDs that are met there.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use probe::{FwNode, Severity};

use super::aml::{AmlDevice, Namespace, Resource, SpaceKind};
use super::findings::Findings;
use super::host_bridge;
use crate::{PlatformBus, PlatformDevice};

/// IDs whose devices are PrimeCells on the AMBA bus (`acpi_amba_init`).
const AMBA: [&str; 2] = ["ARMH0061", "ARMH0330"];
/// IDs whose devices belong to a scan handler or to the PNP bus, or that Linux refuses to make devices of.
const TAKEN: [&str; 18] = [
    // Processors and containers of them.
    "ACPI0007", "ACPI0010", // Containers (`container.c`).
    "ACPI0004", "PNP0A05", "PNP0A06", // PCI interrupt links, memory devices.
    "PNP0C0F", "PNP0C80", // Resources of the motherboard, 16550 UARTs and clocks of the PNP bus.
    "PNP0C01", "PNP0C02", "PNP0500", "PNP0501", "PNP0B00",
    // `forbidden_id_list`: interrupt controllers, timer, DMA controller, SMBus.
    "ACPI0009", "ACPI000A", "PNP0000", "PNP0100", "PNP0200", "SMB0001",
];

/// The node of the device with this number in the namespace.
pub(super) fn node(index: usize) -> FwNode {
    FwNode(u32::try_from(index).unwrap_or(u32::MAX))
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
    let is_reached = reached(namespace);
    let mut devices = Vec::new();
    for (index, (device, name)) in namespace.devices().iter().zip(names).enumerate() {
        let has_id = |ids: &[&str]| ids.iter().any(|id| device.has_id(id));
        let is_device = device.hid.is_some() && !host_bridge::is_host_bridge(device) && !has_id(&TAKEN);
        if !is_device || !is_reached[index] {
            continue;
        }
        let registers: Vec<_> = registers(device).collect();
        let bus = if has_id(&AMBA) { PlatformBus::Amba } else { PlatformBus::Platform };
        if bus == PlatformBus::Amba && registers.is_empty() {
            let what = "a PrimeCell without registers in _CRS is no device";
            findings.add("primecell-without-registers", Severity::Warning, &device.path, what);
            continue;
        }
        let compatible = device.ids().map(ToString::to_string).collect();
        devices.push(PlatformDevice { node: node(index), name: name.clone(), bus, compatible, registers });
    }
    devices
}

/// For each device, whether it and all that enclose it are there.
pub(super) fn reached(namespace: &Namespace) -> Vec<bool> {
    let mut reached: Vec<bool> = Vec::with_capacity(namespace.devices().len());
    for device in namespace.devices() {
        // A device comes behind the one that encloses it.
        let parent = device.parent.is_none_or(|parent| reached.get(parent).copied().unwrap_or(true));
        reached.push(parent && device.is_present());
    }
    reached
}

/// The memory among a device's resources, as the CPU sees it, in the order of `_CRS`.
pub(super) fn registers(device: &AmlDevice) -> impl Iterator<Item = Range<PhysAddr>> {
    device.crs.iter().filter_map(|resource| match resource {
        Resource::Memory { range, .. } => Some(*range),
        Resource::Space(space) if matches!(space.kind, SpaceKind::Memory { .. }) => space.cpu_range(),
        _ => None,
    })
}
