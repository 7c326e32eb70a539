//! The answer to the core: from a device's IDs to endpoints, by the IORT or else by the VIOT.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{DeviceFunction, EndpointId, PciAddress, PhysAddr, RequesterId};
use probe::{
    Finding, FirmwareMap, FwNode, InputIds, LinuxFirmware, LinuxQuirks, MapError, Reference, Severity,
    Translation, Untranslated,
};

use crate::acpi::iort::{Node, Way};

use super::AcpiMap;
use super::record::Record;

/// The table that decided, as the report shows it.
pub(super) const IORT: &str = "iort";
pub(super) const VIOT: &str = "viot";

/// The result of one table for one device.
enum TableLookup {
    Endpoints(Vec<Reference>),
    Nothing,
    Broken(MapError),
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
        let place = format!("{}", PciAddress { segment, bus: first.bus(), devfn: first.devfn() });
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
        Some(Finding { id, severity, place, sentence })
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

impl LinuxFirmware for AcpiMap {
    fn linux_quirks(&self) -> LinuxQuirks {
        LinuxQuirks { unknown_iommus: self.unreferenced_iommus(), ..LinuxQuirks::acpi(self.requests_acs()) }
    }
}

impl AcpiMap {
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
            let place = format!("IORT node at {offset:#x}");
            let finding = Finding { id: "iort-way-broken", severity: Severity::Error, place, sentence };
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
