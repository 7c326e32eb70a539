//! ACPI as the core asks it: which endpoint of which IOMMU is this device?
//!
//! The IORT is asked first, and the VIOT only where that leads to no IOMMU (Linux:
//! `acpi_iommu_configure_id`).
//!
//! A function has several requester IDs if bridges on its way put their own in place of it. Those of them
//! that no entry has are left out, and those that some entry has count, as in Linux, which keeps a
//! device's state as it is when an alias has no translation. The IOMMU then refuses what it does not know.
//! [`AcpiMap::remark`](probe::FirmwareMap::remark) names those that were left out.

mod entries;
mod record;
mod review;
mod translate;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::PciAddress;
use probe::{Findings, FwNode, Severity};

use super::aml::Namespace;
use super::gate::Tables;
use super::iort::Iort;
use super::node::node;
use super::viot::{IommuPlace, Viot, node_place};
use crate::{FunctionBus, FunctionNode, HostBridge};

pub use entries::{EntrySubject, TableEntry};
use record::{Record, device_at, records};

/// The IOMMUs in ACPI tables, and the names of their nodes.
///
/// It owns all that it needs: the tables may be overwritten. Nodes are numbered: first the devices of the
/// namespace in its order, then IOMMUs that are not such devices.
#[derive(Clone, Debug)]
pub struct AcpiMap {
    devices: Vec<Record>,
    iommus: Vec<Iommu>,
    viot: Option<Viot>,
    /// By the index of the VIOT's IOMMU: its node; `None` if there is no such device.
    viot_nodes: Vec<Option<FwNode>>,
    iort: Option<Iort>,
    /// By the index of the IORT's node.
    iort_nodes: BTreeMap<usize, FwNode>,
}

/// An IOMMU that is not a device of the namespace.
#[derive(Clone, Debug)]
struct Iommu {
    name: String,
    function: Option<PciAddress>,
}

impl AcpiMap {
    pub(super) fn read(tables: &Tables, namespace: &Namespace, findings: &mut Findings) -> Self {
        let devices = records(namespace);
        let mut map = Self {
            devices,
            iommus: Vec::new(),
            viot: None,
            viot_nodes: Vec::new(),
            iort: None,
            iort_nodes: BTreeMap::new(),
        };
        if let Some(table) = tables.first(*b"VIOT") {
            let viot = Viot::parse(&table.bytes, findings);
            map.name_viot(&viot, namespace, findings);
            map.viot = Some(viot);
        }
        if let Some(table) = tables.first(*b"IORT") {
            let iort = Iort::parse(&table.bytes, findings);
            for (index, node) in iort.nodes.iter().enumerate() {
                if let Some(name) = node.kind.iommu_name() {
                    let name = format!("{name} (IORT node at {:#x})", node.offset);
                    let node = map.add(Iommu { name, function: None });
                    map.iort_nodes.insert(index, node);
                }
            }
            map.iort = Some(iort);
        }
        map.review(findings);
        map
    }

    fn add(&mut self, iommu: Iommu) -> FwNode {
        self.iommus.push(iommu);
        node(self.devices.len() + self.iommus.len() - 1)
    }

    /// Gives each IOMMU of the VIOT its node: of a PCI function one of its own, else that of the device.
    fn name_viot(&mut self, viot: &Viot, namespace: &Namespace, findings: &mut Findings) {
        let mut by_function: BTreeMap<PciAddress, (FwNode, usize)> = BTreeMap::new();
        for iommu in &viot.iommus {
            let offset = iommu.offset;
            let found = match iommu.place {
                IommuPlace::Pci(function) => Some(match by_function.get(&function) {
                    Some((node, other)) => {
                        let place = format!("{} ({function})", node_place(offset));
                        let what =
                            format!("the node at {other:#x} is the same IOMMU; both are treated as one");
                        findings.add("viot-iommu-repeated", Severity::Warning, &place, &what);
                        *node
                    }
                    None => {
                        let name = format!("{} ({function})", node_place(offset));
                        let node = self.add(Iommu { name, function: Some(function) });
                        by_function.insert(function, (node, offset));
                        node
                    }
                }),
                IommuPlace::Mmio(base) => device_at(namespace, base),
            };
            if found.is_none() {
                let place = format!("{} ({})", node_place(offset), iommu.place);
                let what = "no device of the namespace has these registers; devices behind the IOMMU are not translated";
                findings.add("viot-iommu-missing", Severity::Error, &place, what);
            }
            self.viot_nodes.push(found);
        }
    }

    /// Gives host bridges the nodes of functions on their buses, and learns their bus numbers.
    pub(super) fn attach(&mut self, bridges: &mut [HostBridge], findings: &mut Findings) {
        for bridge in &*bridges {
            if let Some(record) = self.devices.get_mut(bridge.node.0 as usize) {
                record.buses = Some((bridge.first_bus, bridge.last_bus));
            }
        }
        for (index, iommu) in self.iommus.iter().enumerate() {
            let Some(function) = iommu.function else { continue };
            let owner = bridges.iter_mut().find(|bridge| {
                bridge.segment == function.segment
                    && (bridge.first_bus..=bridge.last_bus).contains(&function.bus)
            });
            match owner {
                Some(bridge) => bridge.functions.push(FunctionNode {
                    bus: FunctionBus::Number(function.bus),
                    place: function.devfn,
                    node: node(self.devices.len() + index),
                    enabled: true,
                    is_iommu: true,
                    external_facing: false,
                }),
                None => {
                    let what = format!(
                        "no host bridge has bus {:#x} of segment {:#x}; the IOMMU is not found",
                        function.bus, function.segment
                    );
                    // Where firmware has switched off the host bridge, nothing is left to be translated.
                    let is_missed = bridges.iter().any(|bridge| bridge.segment == function.segment)
                        || self.has_platform_endpoints(node(self.devices.len() + index));
                    let severity = if is_missed { Severity::Error } else { Severity::Warning };
                    findings.add("viot-iommu-missing", severity, &iommu.name, &what);
                }
            }
        }
    }

    /// Whether the VIOT leads an endpoint on MMIO to this IOMMU.
    fn has_platform_endpoints(&self, iommu: FwNode) -> bool {
        let endpoints = self.viot.as_ref().map(|viot| viot.endpoints.as_slice()).unwrap_or_default();
        endpoints.iter().any(|endpoint| self.viot_nodes.get(endpoint.iommu) == Some(&Some(iommu)))
    }

    /// How many nodes there are; they are numbered from 0.
    #[must_use]
    pub fn node_count(&self) -> u32 {
        node(self.devices.len() + self.iommus.len()).0
    }

    fn device(&self, at: FwNode) -> Option<&Record> {
        self.devices.get(at.0 as usize)
    }

    /// Whether there is a VIOT, whatever it contains, or an IORT that leads a host bridge to an SMMU.
    pub(super) fn requests_acs(&self) -> bool {
        self.viot.is_some() || self.iort.as_ref().is_some_and(Iort::leads_pci_to_an_iommu)
    }

    fn has_iommu(&self) -> bool {
        self.viot.as_ref().is_some_and(|viot| !viot.iommus.is_empty())
            || self.iort.as_ref().is_some_and(Iort::has_iommu)
    }
}
