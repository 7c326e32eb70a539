//! What the map keeps of each device of the namespace.

use alloc::string::String;
use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use probe::FwNode;

use crate::acpi::aml::{AmlDevice, Namespace};
use crate::acpi::host_bridge;
use crate::acpi::node::node;
use crate::acpi::platform::registers;

/// A device of the namespace.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) path: String,
    pub(super) segment: Option<u16>,
    /// Bus numbers of a host bridge that is used.
    pub(super) buses: Option<(u8, u8)>,
    /// Where its first registers begin.
    pub(super) base: Option<PhysAddr>,
    /// Whether it can do DMA: it or something around it has `_CCA`.
    pub(super) has_dma: bool,
    pub(super) is_cca_unread: bool,
}

pub(super) fn records(namespace: &Namespace) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::with_capacity(namespace.devices().len());
    for device in namespace.devices() {
        // On arm64 there is no DMA without any `_CCA` (`acpi_init_coherency`).
        let has_dma = device.coherency.is_some();
        let is_host_bridge = host_bridge::is_host_bridge(device);
        records.push(Record {
            path: device.path.clone(),
            segment: is_host_bridge.then(|| host_bridge::segment(device)),
            buses: None,
            base: first_base(device),
            has_dma,
            is_cca_unread: device.unread.contains(&"_CCA"),
        });
    }
    records
}

fn first_base(device: &AmlDevice) -> Option<PhysAddr> {
    registers(device).next().map(|range: Range<PhysAddr>| range.start())
}

/// The device whose registers contain `address`: the first one, as in Linux.
pub(super) fn device_at(namespace: &Namespace, address: PhysAddr) -> Option<FwNode> {
    let has = |device: &AmlDevice| registers(device).any(|range| range.contains(address));
    namespace.devices().iter().position(|device| device.is_reached && has(device)).map(node)
}
