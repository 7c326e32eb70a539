//! The content of an IORT, and the way from a device to its IOMMU.

use alloc::vec::Vec;

use super::node::{Kind, Node};

/// Longest way from a device to its IOMMU, in nodes; real ones have two or three.
pub(super) const MAX_DEPTH: usize = 16;

/// Where a way through the table ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::acpi) enum Way {
    /// At an IOMMU: the index of its node, and the stream ID.
    Iommu { node: usize, stream: u32 },
    /// Before any IOMMU.
    Nowhere,
    /// At something that cannot be: the offset of the node, and what it is.
    Broken { offset: usize, fault: &'static str },
}

/// The content of an IORT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::acpi) struct Iort {
    /// By offset, rising.
    pub(in crate::acpi) nodes: Vec<Node>,
}

impl Iort {
    /// Whether a device could be behind an IOMMU of this table at all.
    pub(in crate::acpi) fn has_iommu(&self) -> bool {
        self.nodes.iter().any(|node| node.kind.iommu_name().is_some())
    }

    /// Whether a mapping of any host bridge leads to an IOMMU.
    pub(in crate::acpi) fn leads_pci_to_an_iommu(&self) -> bool {
        let bridges = self.nodes.iter().filter(|node| matches!(node.kind, Kind::RootComplex(_)));
        let mut targets = bridges.flat_map(|node| &node.mappings).map(|mapping| self.at(mapping.reference));
        targets.any(|target| target.is_some_and(|node| node.kind.iommu_name().is_some()))
    }

    /// The node of all host bridges of a segment: the first one, as in Linux.
    pub(in crate::acpi) fn root_complex(&self, segment: u16) -> Option<&Node> {
        self.nodes.iter().find(|node| node.kind == Kind::RootComplex(segment.into()))
    }

    /// The node of the device with this path, which has no padding: `\_SB.COM0`.
    pub(in crate::acpi) fn named_component(&self, path: &str) -> Option<&Node> {
        let is_it = |kind: &Kind| matches!(kind, Kind::NamedComponent(name) if name == path);
        self.nodes.iter().find(|node| is_it(&node.kind))
    }

    /// Where requester ID `id` of a root complex leads.
    pub(in crate::acpi) fn map(&self, start: &Node, id: u32) -> Way {
        let (mut node, mut id) = (start, id);
        for _ in 0..MAX_DEPTH {
            if node.kind.iommu_name().is_some() {
                return self.end(node, id);
            }
            let Some((reference, output)) = node.step(id) else { return Way::Nowhere };
            node = match self.at(reference) {
                Some(next) => next,
                None => return Way::Broken { offset: node.offset, fault: DANGLING },
            };
            id = output;
        }
        Way::Broken { offset: start.offset, fault: "the ID mappings form a loop or a chain that is too long" }
    }

    /// Where the IDs of a named component lead: one way for each mapping, up to the first that leads to
    /// no IOMMU (`iort_nc_iommu_map`).
    pub(in crate::acpi) fn map_component(&self, node: &Node) -> Vec<Way> {
        let mut ways = Vec::new();
        for mapping in &node.mappings {
            let way = match self.at(mapping.reference) {
                None => Way::Broken { offset: node.offset, fault: DANGLING },
                Some(_) if !mapping.is_single => Way::Nowhere,
                Some(next) => self.map(next, mapping.output),
            };
            let is_end = !matches!(way, Way::Iommu { .. });
            ways.push(way);
            if is_end {
                break;
            }
        }
        ways
    }

    fn end(&self, node: &Node, stream: u32) -> Way {
        match self.nodes.binary_search_by_key(&node.offset, |node| node.offset) {
            Ok(node) => Way::Iommu { node, stream },
            Err(_) => Way::Nowhere,
        }
    }

    pub(super) fn at(&self, reference: u32) -> Option<&Node> {
        let offset = usize::try_from(reference).ok()?;
        let index = self.nodes.binary_search_by_key(&offset, |node| node.offset).ok()?;
        self.nodes.get(index)
    }
}

const DANGLING: &str = "an ID mapping does not refer to a node of the table";
