//! The device tree as the core asks it: which endpoint of which IOMMU is this device?

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{EndpointId, RequesterId};
use probe::{
    Finding, Findings, FirmwareMap, FwNode, InputIds, LinuxFirmware, MapError, Reference, ReservedRegion,
    Severity, Translation, Untranslated,
};

use super::host_bridge::ECAM_HOST;
use super::iommu_map::{IOMMU_CELLS, IOMMU_MAP, IOMMUS, IommuMap, Iommus, MapLookup, Stop};
use super::reserved_iova;
use super::tree::{NodeIndex, Tree, path_of, strings};

/// The IOMMUs in a device tree, and the names of its nodes.
///
/// It owns all that it needs: the blob may be overwritten.
#[derive(Clone, Debug)]
pub struct DeviceTreeMap {
    nodes: Vec<Record>,
    /// `iommu-map` by node, in the order of the nodes.
    pub(super) maps: Vec<(NodeIndex, IommuMap)>,
    /// `iommus` by node, in the order of the nodes.
    pub(super) lists: Vec<(NodeIndex, Iommus)>,
    /// Addresses that must be kept for a device, by its node, in the order of the nodes.
    reserved: Vec<(NodeIndex, Vec<ReservedRegion>)>,
    /// Whether some node is an IOMMU, usable or not.
    has_iommu: bool,
}

/// How the entries of an `iommu-map` are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapForm {
    /// As many output cells as the target's `#iommu-cells` (Linux 7.2 and later).
    #[default]
    BySpecifier,
    /// One output cell, whatever the target specifies (Linux 7.1 and older).
    FourCells,
}

#[derive(Clone, Debug)]
struct Record {
    name: Box<str>,
    parent: Option<NodeIndex>,
    /// As it stands in the tree: strings, each with a NUL behind it.
    compatible: Box<[u8]>,
    is_available: bool,
    is_iommu: bool,
}

impl NodeIndex {
    /// The same node as the rest of the kernel knows it.
    pub(super) fn fw_node(self) -> FwNode {
        FwNode(self.0)
    }
}

impl DeviceTreeMap {
    pub(super) fn read(tree: &Tree, form: MapForm, findings: &mut Findings) -> Self {
        let read_map = match form {
            MapForm::BySpecifier => IommuMap::read,
            MapForm::FourCells => IommuMap::read_four_cells,
        };
        let mut nodes = Vec::with_capacity(tree.len());
        let (mut maps, mut lists) = (Vec::new(), Vec::new());
        for node in tree.nodes() {
            nodes.push(Record {
                name: tree.name(node).into(),
                parent: tree.parent(node),
                compatible: tree.compatible_value(node).into(),
                is_available: tree.is_available(node),
                is_iommu: tree.property(node, IOMMU_CELLS).is_some(),
            });
            if let Some(map) = read_map(tree, node) {
                maps.push((node, map));
            }
            if let Some(list) = Iommus::read(tree, node) {
                lists.push((node, list));
            }
        }
        let reserved = reserved_iova::all(tree, findings);
        let mut map = Self { nodes, maps, lists, reserved, has_iommu: false };
        for (_, target) in map.references() {
            map.nodes[target.0 as usize].is_iommu = true;
        }
        map.has_iommu = map.nodes.iter().any(|node| node.is_iommu);
        map
    }

    /// The nodes with a map or a list, and those to which these lead; each as often as it is named.
    pub(super) fn references(&self) -> Vec<(NodeIndex, NodeIndex)> {
        let mut references = Vec::new();
        for (at, map) in &self.maps {
            for target in map.targets() {
                references.push((*at, target));
            }
        }
        for (at, list) in &self.lists {
            for target in list.targets() {
                references.push((*at, target));
            }
        }
        references
    }

    /// How many nodes the tree has; they are numbered from 0, which is the root.
    #[must_use]
    pub fn node_count(&self) -> u32 {
        self.nodes.len() as u32
    }

    /// The strings of the node's `compatible`, most specific first; none for an unknown node.
    pub fn compatible(&self, node: FwNode) -> impl Iterator<Item = &str> {
        let record = self.record(node);
        strings(record.map_or(&[], |record| &record.compatible))
    }

    /// Whether the node's own `status` lets it be used.
    #[must_use]
    pub fn is_available(&self, node: FwNode) -> bool {
        self.record(node).is_some_and(|record| record.is_available)
    }

    /// Whether the node is an IOMMU, usable or not: it has `#iommu-cells`, or something leads to it.
    #[must_use]
    pub fn is_iommu(&self, node: FwNode) -> bool {
        self.record(node).is_some_and(|record| record.is_iommu)
    }

    fn record(&self, node: FwNode) -> Option<&Record> {
        self.nodes.get(node.0 as usize)
    }

    pub(super) fn path(&self, node: NodeIndex) -> String {
        path_of(node, &|node| {
            let record = &self.nodes[node.0 as usize];
            (&*record.name, record.parent)
        })
    }

    /// Whether `node` is a child of `above`, or of one of its children.
    pub(super) fn is_below(&self, node: NodeIndex, above: NodeIndex) -> bool {
        let parent = |node: &NodeIndex| self.nodes.get(node.0 as usize).and_then(|record| record.parent);
        // A parent comes before its children, so this ends at the root.
        core::iter::successors(parent(&node), parent).any(|node| node == above)
    }

    fn map_of(&self, node: FwNode) -> Option<&IommuMap> {
        let at = self.maps.binary_search_by_key(&node.0, |(node, _)| node.0).ok()?;
        Some(&self.maps[at].1)
    }

    fn list_of(&self, node: FwNode) -> Option<&Iommus> {
        let at = self.lists.binary_search_by_key(&node.0, |(node, _)| node.0).ok()?;
        Some(&self.lists[at].1)
    }

    /// Translates requester IDs by the map of a host bridge, in their order, until one of them ends it.
    fn by_map(&self, at: FwNode, requesters: &[RequesterId]) -> Result<Translation, MapError> {
        let Some(map) = self.map_of(at) else {
            return Ok(Translation::Nowhere(self.without(Untranslated::BusBypasses)));
        };
        let mut references = Vec::with_capacity(requesters.len());
        for requester in requesters {
            match map.look_up(u32::from(requester.0)) {
                MapLookup::Endpoint { target, endpoint } => {
                    let iommu = target.fw_node();
                    if !self.is_available(iommu) {
                        return Ok(Translation::Nowhere(Untranslated::Disabled(iommu)));
                    }
                    references.push(Reference {
                        iommu,
                        endpoint: EndpointId(endpoint),
                        input: Some(*requester),
                        source: IOMMU_MAP,
                    });
                }
                MapLookup::NotInMap => return Ok(Translation::Nowhere(self.without(Untranslated::NotInMap))),
                MapLookup::Stopped(stop) => return Err(self.stopped(NodeIndex(at.0), IOMMU_MAP, stop)),
                MapLookup::WideRange(entry) => return Err(self.wide_range(NodeIndex(at.0), entry)),
            }
        }
        Ok(self.endpoints(references))
    }

    /// Translates by the node's own list, in its order, up to an entry that ends it.
    fn by_list(&self, at: FwNode) -> Result<Translation, MapError> {
        let Some(list) = self.list_of(at) else {
            return Ok(Translation::Nowhere(self.without(Untranslated::NotInMap)));
        };
        let mut references = Vec::with_capacity(list.entries.len());
        for (target, endpoint) in &list.entries {
            let iommu = target.fw_node();
            if !self.is_available(iommu) {
                return Ok(Translation::Nowhere(Untranslated::Disabled(iommu)));
            }
            let endpoint = EndpointId(*endpoint);
            references.push(Reference { iommu, endpoint, input: None, source: IOMMUS });
        }
        match &list.stop {
            // What stands before it counts (Linux: `of_iommu_configure_dev`).
            Some(stop) if references.is_empty() => Err(self.stopped(NodeIndex(at.0), IOMMUS, stop)),
            _ => Ok(self.endpoints(references)),
        }
    }

    fn endpoints(&self, references: Vec<Reference>) -> Translation {
        if references.is_empty() {
            Translation::Nowhere(self.without(Untranslated::NotInMap))
        } else {
            Translation::Endpoints(references)
        }
    }

    /// `reason`, unless there is no IOMMU at all, which is the better answer.
    fn without(&self, reason: Untranslated) -> Untranslated {
        if self.has_iommu { reason } else { Untranslated::NoIommu }
    }

    /// The same text for every device that reaches `stop`, so that a report can show it once.
    pub(super) fn stopped(&self, node: NodeIndex, property: &str, stop: &Stop) -> MapError {
        let place = format!("{}:{property}[{}]", self.path(node), stop.entry);
        let what = stop.cause.sentence(|node| self.path(node));
        let (severity, effect) = match property {
            IOMMUS if stop.entry > 0 => (Severity::Warning, "only the entries before it are used"),
            IOMMUS => (Severity::Error, "the device is not translated"),
            _ => (Severity::Error, "devices behind this entry are not translated"),
        };
        let sentence = format!("{what}; {effect}");
        MapError { finding: Finding { id: stop.cause.id(property), severity, place, sentence } }
    }

    pub(super) fn wide_range(&self, node: NodeIndex, entry: usize) -> MapError {
        let place = format!("{}:{IOMMU_MAP}[{entry}]", self.path(node));
        let sentence = String::from(
            "the length is not 1 although the target has more than one #iommu-cells, so only the first requester ID is \
             defined; devices behind this entry are not translated",
        );
        let id = "iommu-map-wide-range";
        MapError { finding: Finding { id, severity: Severity::Error, place, sentence } }
    }
}

impl LinuxFirmware for DeviceTreeMap {}

impl FirmwareMap for DeviceTreeMap {
    fn translate(&self, at: FwNode, ids: &InputIds) -> Result<Translation, MapError> {
        match ids {
            InputIds::Node => self.by_list(at),
            InputIds::Requesters(requesters) => self.by_map(at, requesters),
        }
    }

    fn reserved(&self, node: FwNode) -> Vec<ReservedRegion> {
        let at = self.reserved.binary_search_by_key(&node.0, |(node, _)| node.0);
        at.map_or(Vec::new(), |at| self.reserved[at].1.clone())
    }

    fn is_iommu(&self, node: FwNode) -> bool {
        Self::is_iommu(self, node)
    }

    fn is_behind(&self, iommu: FwNode, device: FwNode) -> bool {
        let is_host_bridge = self.compatible(device).any(|text| ECAM_HOST.contains(&text));
        is_host_bridge && self.is_below(NodeIndex(iommu.0), NodeIndex(device.0))
    }

    fn name(&self, node: FwNode) -> String {
        match self.record(node) {
            Some(_) => self.path(NodeIndex(node.0)),
            None => format!("unknown node {}", node.0),
        }
    }
}
