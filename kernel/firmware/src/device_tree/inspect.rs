//! What a tree says about IOMMUs, property by property and with places in the blob: for a tool that shows it to people.
//!
//! It is read by the same code as [`describe`](super::describe). RAM is not required, because many trees leave it to a
//! boot loader, and consoles and CPUs are not looked at. A kernel needs none of this.

use alloc::format;
use alloc::vec::Vec;

use probe::{Finding, Findings, FwNode, Severity};

use super::address::child_cells;
use super::error::DeviceTreeError;
use super::header::{Mode, total_size, word};
use super::iommu_map::{IOMMU_CELLS, IOMMU_MAP, IOMMUS, IommuMap, Iommus, Stop};
use super::map::{DeviceTreeMap, MapForm};
use super::spec::field;
use super::tree::{NodeIndex, Tree};
use super::{gate, host_bridge, malformed, memory, platform, review};
use crate::findings::TREE;
use crate::{HostBridge, PlatformDevice};

/// The content of a tree, as far as it is about IOMMUs.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Answers for devices, as Linux 7.2 and later would read them.
    pub map: DeviceTreeMap,
    /// The same as Linux 7.1 and older would read them.
    pub map_of_four_cells: DeviceTreeMap,
    /// Bytes of the blob that belong to the tree.
    pub size: usize,
    /// Whether there is nothing below the root but `/chosen`: a tree that only hands over to ACPI (Linux:
    /// `dt_is_stub`).
    pub is_stub: bool,
    /// Every node that is an IOMMU, in the order of the tree.
    pub iommus: Vec<IommuNode>,
    /// Every `iommus` and `iommu-map`, in the order of the tree.
    pub properties: Vec<IommuProperty>,
    /// PCI host bridges with ECAM.
    pub host_bridges: Vec<HostBridge>,
    /// Devices that Linux adds without asking a bus.
    pub platform_devices: Vec<PlatformDevice>,
    /// Every phandle with the first node that has it, ascending.
    pub phandles: Vec<(u32, FwNode)>,
    /// What is malformed or unusual.
    pub findings: Vec<Located>,
}

/// A finding and its place in the blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The finding.
    pub finding: Finding,
    /// Byte of the value, or of the node, that it is about; none for one about the whole tree.
    pub offset: Option<usize>,
}

/// A node that is an IOMMU, usable or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IommuNode {
    /// The node.
    pub node: FwNode,
    /// Byte of the blob where it begins.
    pub offset: usize,
    /// `#iommu-cells`, if it can be read.
    pub cells: Option<u32>,
    /// Whether it and all nodes around it may be used.
    pub is_live: bool,
}

/// One `iommus` or `iommu-map`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IommuProperty {
    /// The node that has it.
    pub node: FwNode,
    /// Its name.
    pub name: &'static str,
    /// Whether the node and all nodes around it may be used.
    pub is_live: bool,
    /// Whether the node is a PCI bus, so that input IDs are requester IDs.
    pub is_pci: bool,
    /// Which bits of an input ID count; for an `iommu-map`.
    pub mask: Option<u32>,
    /// What can be read of it.
    pub entries: Vec<IommuEntry>,
    /// What ends it before its end.
    pub stop: Option<Located>,
}

/// One entry of such a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IommuEntry {
    /// Byte of the blob where it begins.
    pub offset: usize,
    /// First input ID and how many there are; for an `iommu-map`.
    pub input: Option<(u32, u32)>,
    /// The node that it refers to.
    pub iommu: FwNode,
    /// The cells of the specifier, as many as there are.
    pub specifier: Vec<u32>,
}

/// Reads a tree.
///
/// # Errors
///
/// The bytes are not a device tree, or its format is broken.
pub fn inspect(blob: &[u8]) -> Result<Inspection, DeviceTreeError> {
    let tree = gate::read(blob, Mode::Strict)?;
    let reader = Reader { tree: &tree, blob };
    let mut findings = Findings::about(&TREE);
    malformed::report(&tree, &mut findings);
    let ram = memory::ram(&tree, &mut findings).unwrap_or_else(|error| {
        if let DeviceTreeError::NoMemory { reason } = error {
            let sentence = format!("no usable RAM: {reason}; a boot loader has to add it");
            findings.add("memory-missing", Severity::Info, "/", sentence);
        }
        Vec::new()
    });
    memory::reserved(&tree, &mut findings);
    let platform_devices = platform::devices(&tree, &mut findings);
    let host_bridges = host_bridge::all(&tree, &platform_devices, &ram, &mut findings);
    let map = DeviceTreeMap::read(&tree, MapForm::BySpecifier, &mut findings);
    review::review(&tree, &map, &host_bridges, &mut findings);
    let map_of_four_cells = DeviceTreeMap::read(&tree, MapForm::FourCells, &mut Findings::about(&TREE));
    let size = total_size(blob)?;
    let is_stub = tree.children(NodeIndex::ROOT).all(|node| tree.name(node) == "chosen");
    let iommus = tree.nodes().filter(|node| map.is_iommu(node.fw_node())).map(|node| reader.iommu(node));
    let iommus = iommus.collect();
    let mut properties: Vec<IommuProperty> =
        map.maps.iter().map(|(node, read)| reader.map(&map, *node, read)).collect();
    properties.extend(map.lists.iter().map(|(node, list)| reader.list(&map, *node, list)));
    properties.sort_by_key(|property| (property.node, property.name));
    let phandles = tree.phandles().map(|(phandle, node)| (phandle, node.fw_node())).collect();
    let findings = findings.into_list().into_iter().map(|finding| reader.located(finding)).collect();
    Ok(Inspection {
        map_of_four_cells,
        size,
        is_stub,
        iommus,
        properties,
        host_bridges,
        platform_devices,
        phandles,
        findings,
        map,
    })
}

/// A tree and the blob that it is a view of.
struct Reader<'t, 'a> {
    tree: &'t Tree<'a>,
    blob: &'a [u8],
}

impl Reader<'_, '_> {
    fn iommu(&self, node: NodeIndex) -> IommuNode {
        IommuNode {
            node: node.fw_node(),
            offset: self.node_offset(node),
            cells: self.tree.number(node, IOMMU_CELLS),
            is_live: self.tree.is_live(node),
        }
    }

    fn map(&self, of: &DeviceTreeMap, node: NodeIndex, map: &IommuMap) -> IommuProperty {
        let mut entries = Vec::with_capacity(map.entries.len());
        let mut at = 0;
        for (entry, cells) in map.entries.iter().zip(map.entry_cells(self.tree, node)) {
            // Base and phandle before the specifier, the length behind it.
            let specifier = self.cells(node, IOMMU_MAP, at + 2, cells - 3);
            let input = Some((entry.base, entry.length));
            entries.push(self.entry(node, IOMMU_MAP, at, input, entry.target, specifier));
            at += cells;
        }
        let stop = map.stop.as_ref();
        self.property(of, node, IOMMU_MAP, Some(map.mask), entries, stop)
    }

    fn list(&self, of: &DeviceTreeMap, node: NodeIndex, list: &Iommus) -> IommuProperty {
        let mut entries = Vec::with_capacity(list.entries.len());
        let mut at = 0;
        for (target, _) in &list.entries {
            let cells = self.tree.number(*target, IOMMU_CELLS).unwrap_or_default() as usize;
            let specifier = self.cells(node, IOMMUS, at + 1, cells);
            entries.push(self.entry(node, IOMMUS, at, None, *target, specifier));
            at += 1 + cells;
        }
        self.property(of, node, IOMMUS, None, entries, list.stop.as_ref())
    }

    fn property(
        &self,
        of: &DeviceTreeMap,
        node: NodeIndex,
        name: &'static str,
        mask: Option<u32>,
        entries: Vec<IommuEntry>,
        stop: Option<&Stop>,
    ) -> IommuProperty {
        let stop = stop.map(|stop| self.located(of.stopped(node, name, stop).finding));
        let is_live = self.tree.is_live(node);
        let is_pci = self.tree.text(node, "device_type") == Some("pci");
        IommuProperty { node: node.fw_node(), name, is_live, is_pci, mask, entries, stop }
    }

    /// An entry that begins at cell `at` of a property.
    fn entry(
        &self,
        node: NodeIndex,
        property: &str,
        at: usize,
        input: Option<(u32, u32)>,
        target: NodeIndex,
        specifier: Vec<u32>,
    ) -> IommuEntry {
        let offset = self.value_offset(node, property).unwrap_or_default() + 4 * at;
        IommuEntry { offset, input, iommu: target.fw_node(), specifier }
    }

    /// Cells of a property, as far as it has them.
    fn cells(&self, node: NodeIndex, property: &str, first: usize, count: usize) -> Vec<u32> {
        let cells = self.tree.property(node, property).unwrap_or_default().as_chunks::<4>().0;
        cells.iter().skip(first).take(count).map(|cell| u32::from_be_bytes(*cell)).collect()
    }

    fn located(&self, finding: Finding) -> Located {
        let offset = self.offset(&finding.place);
        Located { finding, offset }
    }

    /// The byte that a place is about: `/node`, `/node:property` or `/node:property[entry]`.
    fn offset(&self, place: &str) -> Option<usize> {
        if let Some(node) = self.exactly(place) {
            return Some(self.node_offset(node));
        }
        let (path, property) = place.rsplit_once(':')?;
        let node = self.exactly(path)?;
        let entry = property.split_once('[').and_then(|(name, rest)| {
            let number: usize = rest.strip_suffix(']')?.parse().ok()?;
            Some((name, number))
        });
        let (name, number) = entry.unwrap_or((property, 0));
        // A property that is missing has no place of its own.
        let Some(value) = self.value_offset(node, name) else { return Some(self.node_offset(node)) };
        Some(value.saturating_add(self.cells_before(node, name, number).saturating_mul(4)))
    }

    /// How many cells of a property come before the entry with this number.
    fn cells_before(&self, node: NodeIndex, name: &str, number: usize) -> usize {
        match name {
            IOMMU_MAP => {
                let cells = IommuMap::read(self.tree, node).map(|map| map.entry_cells(self.tree, node));
                cells.unwrap_or_default().iter().take(number).sum()
            }
            IOMMUS => {
                let targets = Iommus::read(self.tree, node).map(|list| list.entries).unwrap_or_default();
                let cells = targets.iter().take(number).map(|(target, _)| {
                    1 + self.tree.number(*target, IOMMU_CELLS).unwrap_or_default() as usize
                });
                cells.sum()
            }
            "reg" => {
                let bus = self.tree.parent(node).unwrap_or(NodeIndex::ROOT);
                child_cells(self.tree, bus).bytes().saturating_mul(number) / 4
            }
            _ => 0,
        }
    }

    /// The node whose path this is, letter by letter.
    fn exactly(&self, path: &str) -> Option<NodeIndex> {
        self.tree.by_path(path).filter(|node| self.tree.path(*node) == path)
    }

    /// Where the value of a property begins.
    fn value_offset(&self, node: NodeIndex, property: &str) -> Option<usize> {
        self.offset_of(self.tree.property(node, property)?)
    }

    /// Where a node's first token is: four bytes before its name.
    fn node_offset(&self, node: NodeIndex) -> usize {
        let name = self.offset_of(self.tree.name(node).as_bytes()).filter(|_| node != NodeIndex::ROOT);
        let structure = || word(self.blob, field::STRUCTURE).map_or(0, |offset| offset as usize);
        name.map_or_else(structure, |name| name.saturating_sub(4))
    }

    /// Where in the blob a part of it is.
    fn offset_of(&self, part: &[u8]) -> Option<usize> {
        let offset = part.as_ptr().addr().checked_sub(self.blob.as_ptr().addr());
        offset.filter(|offset| *offset <= self.blob.len())
    }
}
