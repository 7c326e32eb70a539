//! ACPI as the core asks it: which endpoint of which IOMMU is this device?
//!
//! The IORT is asked first, and the VIOT only where that leads to no IOMMU (Linux:
//! `acpi_iommu_configure_id`).
//!
//! A function has several requester IDs if bridges on its way put their own in place of it. Those of them
//! that no entry has are left out, and those that some entry has count, as in Linux, which keeps a
//! device's state as it is when an alias has no translation. The IOMMU then refuses what it does not know.
//! [`AcpiMap::missing`] says which ones were left out.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{DeviceFunction, EndpointId, PciAddress, PhysAddr, Range, RequesterId};
use probe::{
    Finding, FirmwareMap, FwNode, InputIds, LinuxFirmware, LinuxQuirks, MapError, Reference, Severity,
    Translation, Untranslated,
};

use super::aml::{AmlDevice, Namespace};
use super::gate::Tables;
use super::host_bridge;
use super::iort::{Iort, Node, Way};
use super::node::node;
use super::platform::registers;
use super::viot::{IommuPlace, Viot, node_place};
use crate::findings::Findings;
use crate::{FunctionBus, FunctionNode, HostBridge};

/// The table that decided, as the report shows it.
const IORT: &str = "iort";
const VIOT: &str = "viot";

/// What ACPI says about IOMMUs, and the names of its nodes.
///
/// It owns all that it needs: the tables may be overwritten. Nodes are numbered: first the devices of the
/// namespace in its order, then IOMMUs that are no such devices.
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

/// A device of the namespace.
#[derive(Clone, Debug)]
struct Record {
    path: String,
    segment: Option<u16>,
    /// Bus numbers of a host bridge that is used.
    buses: Option<(u8, u8)>,
    /// Where its first registers begin.
    base: Option<PhysAddr>,
    /// Whether it can do DMA: it or something around it has `_CCA`.
    has_dma: bool,
    is_cca_unread: bool,
}

/// An IOMMU that is no device of the namespace.
#[derive(Clone, Debug)]
struct Iommu {
    name: String,
    function: Option<PciAddress>,
}

/// What one table says of one device.
enum TableLookup {
    Endpoints(Vec<Reference>),
    Nothing,
    Broken(MapError),
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

    /// Whether there is a VIOT, whatever it says, or an IORT that leads a host bridge to an SMMU.
    pub(super) fn requests_acs(&self) -> bool {
        self.viot.is_some() || self.iort.as_ref().is_some_and(Iort::leads_pci_to_an_iommu)
    }

    fn has_iommu(&self) -> bool {
        self.viot.as_ref().is_some_and(|viot| !viot.iommus.is_empty())
            || self.iort.as_ref().is_some_and(Iort::has_iommu)
    }

    fn requesters_by_iort(&self, segment: u16, requesters: &[RequesterId]) -> TableLookup {
        let Some(iort) = &self.iort else { return TableLookup::Nothing };
        let Some(root) = iort.root_complex(segment) else { return TableLookup::Nothing };
        let ways = requesters.iter().map(|id| (Some(*id), iort.map(root, u32::from(id.0)))).collect();
        self.by_iort(root, ways)
    }

    fn device_by_iort(&self, path: &str) -> TableLookup {
        let Some(iort) = &self.iort else { return TableLookup::Nothing };
        let Some(component) = iort.named_component(path) else { return TableLookup::Nothing };
        self.by_iort(component, iort.map_component(component).into_iter().map(|way| (None, way)).collect())
    }

    fn by_iort(&self, start: &Node, ways: Vec<(Option<RequesterId>, Way)>) -> TableLookup {
        let mut references = Vec::with_capacity(ways.len());
        let mut broken = None;
        for (input, way) in ways {
            match way {
                Way::Iommu { node, stream } => {
                    let Some(iommu) = self.iort_nodes.get(&node).copied() else { continue };
                    references.push(Reference { iommu, endpoint: EndpointId(stream), input, source: IORT });
                }
                Way::Nowhere => {}
                Way::Broken { offset, fault } => {
                    broken.get_or_insert((offset, fault));
                }
            }
        }
        if !references.is_empty() {
            return TableLookup::Endpoints(references);
        }
        broken.map_or(TableLookup::Nothing, |(offset, fault)| {
            let sentence = format!(
                "{fault}, on the path from the node at {:#x}; devices on this path are not translated",
                start.offset
            );
            let subject = format!("IORT node at {offset:#x}");
            let finding = Finding { id: "iort-way-broken", severity: Severity::Error, subject, sentence };
            TableLookup::Broken(MapError { finding })
        })
    }

    fn requesters_by_viot(&self, segment: u16, requesters: &[RequesterId]) -> Vec<Reference> {
        let Some(viot) = &self.viot else { return Vec::new() };
        let reference = |id: &RequesterId| {
            let (endpoint, iommu) = viot.look_up(segment, *id)?;
            let iommu = (*self.viot_nodes.get(iommu)?)?;
            Some(Reference { iommu, endpoint, input: Some(*id), source: VIOT })
        };
        requesters.iter().filter_map(reference).collect()
    }

    fn device_by_viot(&self, base: PhysAddr) -> Option<Reference> {
        let (endpoint, iommu) = self.viot.as_ref()?.look_up_mmio(base)?;
        Some(Reference { iommu: (*self.viot_nodes.get(iommu)?)?, endpoint, input: None, source: VIOT })
    }

    /// What is odd about the tables and the namespace together.
    fn review(&self, findings: &mut Findings) {
        let Some(viot) = &self.viot else { return };
        let mut by_base = BTreeMap::new();
        if !viot.endpoints.is_empty() {
            for device in &self.devices {
                by_base.extend(device.base.map(|base| (base, device)));
            }
        }
        for endpoint in &viot.endpoints {
            let what = match by_base.get(&endpoint.base) {
                None => format!("no device of the namespace has its first registers at {}", endpoint.base),
                Some(device) if !device.has_dma => {
                    format!("{} has no _CCA and therefore does no DMA", device.path)
                }
                Some(_) => continue,
            };
            let what = format!("{what}; the endpoint is not used");
            findings.add("viot-endpoint-unused", Severity::Warning, node_place(endpoint.offset), &what);
        }
        for device in &self.devices {
            if let (Some(segment), false) = (device.segment, device.has_dma)
                && viot.covers_bus(segment, 0, u8::MAX)
            {
                let why = if device.is_cca_unread {
                    "_CCA cannot be evaluated"
                } else {
                    "neither it nor an enclosing device has a _CCA"
                };
                let what = format!("{why}; its functions do no DMA and are not translated");
                findings.add("cca-missing", Severity::Error, &device.path, &what);
            }
        }
    }
}

impl FirmwareMap for AcpiMap {
    fn translate(&self, at: FwNode, ids: &InputIds) -> Result<Translation, MapError> {
        let nowhere = |why| Ok(Translation::Nowhere(why));
        if !self.has_iommu() {
            return nowhere(Untranslated::NoIommu);
        }
        // Without DMA nothing is configured, and Linux looks into no table.
        let Some(device) = self.device(at).filter(|device| device.has_dma) else {
            return nowhere(Untranslated::NotInMap);
        };
        let (by_iort, by_viot) = match ids {
            InputIds::Node => {
                let by_viot = device.base.and_then(|base| self.device_by_viot(base));
                (self.device_by_iort(&device.path), by_viot.into_iter().collect())
            }
            InputIds::Requesters(requesters) => {
                let Some(segment) = device.segment else { return nowhere(Untranslated::NotInMap) };
                (self.requesters_by_iort(segment, requesters), self.requesters_by_viot(segment, requesters))
            }
        };
        match (by_iort, by_viot) {
            (TableLookup::Endpoints(references), _) => Ok(Translation::Endpoints(references)),
            (_, references) if !references.is_empty() => Ok(Translation::Endpoints(references)),
            (TableLookup::Broken(error), _) => Err(error),
            (TableLookup::Nothing, _) => nowhere(self.without(device, ids)),
        }
    }

    /// Requester IDs of a function that no entry has though others of it are translated.
    fn remark(&self, at: FwNode, ids: &InputIds) -> Option<Finding> {
        let (InputIds::Requesters(requesters), Ok(Translation::Endpoints(references))) =
            (ids, self.translate(at, ids))
        else {
            return None;
        };
        let is_missing = |id: &&RequesterId| !references.iter().any(|found| found.input == Some(**id));
        if !requesters.iter().any(|id| is_missing(&id)) {
            return None;
        }
        let missing: Vec<String> = requesters.iter().filter(is_missing).map(|id| format!("{id}")).collect();
        let (first, source) = (requesters.first()?, references.first()?.source);
        let segment = self.device(at)?.segment?;
        let subject = format!("{}", PciAddress { segment, bus: first.bus(), devfn: first.devfn() });
        let sentence = format!(
            "the {} has no entry for requester ID {}, but one for {}; only the latter is translated",
            source.to_ascii_uppercase(),
            missing.join(", "),
            references
                .iter()
                .filter_map(|found| found.input)
                .map(|id| format!("{id}"))
                .collect::<Vec<_>>()
                .join(", ")
        );
        let (id, severity) = ("alias-not-in-map", Severity::Warning);
        Some(Finding { id, severity, subject, sentence })
    }

    /// Nodes behind those of the devices are VIOT's and IORT's IOMMUs; VIOT's IOMMUs on MMIO are among the devices.
    fn is_iommu(&self, node: FwNode) -> bool {
        node.0 as usize >= self.devices.len() || self.viot_nodes.contains(&Some(node))
    }

    fn name(&self, node: FwNode) -> String {
        let index = node.0 as usize;
        if let Some(device) = self.devices.get(index) {
            return device.path.clone();
        }
        match index.checked_sub(self.devices.len()).and_then(|index| self.iommus.get(index)) {
            Some(iommu) => iommu.name.clone(),
            None => format!("unknown node {}", node.0),
        }
    }
}

impl AcpiMap {
    /// Why no table leads a device to an IOMMU: none of its host bridge's buses is in any table, or it alone
    /// is not.
    fn without(&self, bridge: &Record, ids: &InputIds) -> Untranslated {
        let (InputIds::Requesters(_), Some(segment)) = (ids, bridge.segment) else {
            return Untranslated::NotInMap;
        };
        let (first, last) = bridge.buses.unwrap_or((0, u8::MAX));
        let in_viot = self.viot.as_ref().is_some_and(|viot| viot.covers_bus(segment, first, last));
        let in_iort = || {
            let iort = self.iort.as_ref()?;
            let root = iort.root_complex(segment)?;
            let leads = |bus: u8| {
                let id = RequesterId::new(bus, DeviceFunction::from_bits(0));
                matches!(iort.map(root, u32::from(id.0)), Way::Iommu { .. })
            };
            (first..=last).any(leads).then_some(())
        };
        if in_viot || in_iort().is_some() { Untranslated::NotInMap } else { Untranslated::BusBypasses }
    }
}

impl LinuxFirmware for AcpiMap {
    fn linux_quirks(&self) -> LinuxQuirks {
        LinuxQuirks { unknown_iommus: self.unreferenced_iommus(), ..LinuxQuirks::acpi(self.requests_acs()) }
    }
}

impl AcpiMap {
    /// IOMMUs of the VIOT that no entry leads to: a function that is an IOMMU gets its node from the first entry that does.
    fn unreferenced_iommus(&self) -> Vec<FwNode> {
        let Some(viot) = &self.viot else { return Vec::new() };
        let is_referenced = |place: usize| {
            let mut ranges = viot.ranges.iter().map(|range| range.iommu);
            let mut endpoints = viot.endpoints.iter().map(|endpoint| endpoint.iommu);
            let is_it = |iommu: usize| self.viot_nodes.get(iommu) == self.viot_nodes.get(place);
            ranges.any(is_it) || endpoints.any(is_it)
        };
        let nodes = self.viot_nodes.iter().enumerate().filter(|(place, _)| !is_referenced(*place));
        nodes.filter_map(|(_, node)| *node).collect()
    }
}

fn records(namespace: &Namespace) -> Vec<Record> {
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
fn device_at(namespace: &Namespace, address: PhysAddr) -> Option<FwNode> {
    let has = |device: &AmlDevice| registers(device).any(|range| range.contains(address));
    namespace.devices().iter().position(|device| device.is_reached && has(device)).map(node)
}
