//! IORT, the I/O Remapping table: nodes, and the mapping of IDs from one to the next (Arm DEN 0049).
//!
//! The rules are those of Linux's `drivers/acpi/arm64/iort.c`, its tolerance of ranges that are one too
//! long included. Only what leads to an IOMMU is followed; interrupts are of no interest here. Nodes that are not
//! used (PMCG, RMR, IWB) are findings that say so.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::PhysAddr;
use probe::Severity;

use super::bytes::Bytes;
use super::spec::iort::{self as spec, DEVICE_ID_VALID, SINGLE_MAPPING, kind};
use crate::findings::Findings;

/// Bytes of the table in front of its nodes.
const HEADER_SIZE: usize = size_of::<spec::Iort>();
/// Bytes of what all nodes begin with.
const NODE_HEADER_SIZE: usize = size_of::<spec::Node>();
/// Bytes of an ID mapping.
const MAPPING_SIZE: usize = size_of::<spec::IdMapping>();
/// Most nodes of a table.
const MAX_NODES: usize = 65_536;
/// Most ID mappings of all nodes.
const MAX_MAPPINGS: usize = 262_144;
/// Longest way from a device to its IOMMU, in nodes; real ones have two or three.
const MAX_DEPTH: usize = 16;

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A device of the namespace, by its path.
    NamedComponent(String),
    /// All host bridges of a segment.
    RootComplex(u32),
    /// An SMMU of version 1 or 2, by its registers.
    Smmu(PhysAddr),
    /// An SMMU of version 3, by its registers.
    SmmuV3(PhysAddr),
    /// Anything at which no way to an IOMMU ends.
    Other,
}

impl Kind {
    /// An IOMMU's name for people; `None` if it is none.
    pub(super) fn iommu_name(&self) -> Option<String> {
        match self {
            Self::Smmu(base) => Some(format!("SMMU at {base}")),
            Self::SmmuV3(base) => Some(format!("SMMUv3 at {base}")),
            _ => None,
        }
    }
}

/// One ID mapping: `length` IDs from `input` become as many from `output` of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mapping {
    input: u32,
    /// The number of IDs minus one, as the table has it.
    count: u32,
    output: u32,
    /// Offset of the node to which it leads.
    reference: u32,
    is_single: bool,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Offset from the start of the table.
    pub(super) offset: usize,
    pub(super) kind: Kind,
    /// Whether a mapping may ignore its input ID.
    may_be_single: bool,
    mappings: Vec<Mapping>,
    /// The mapping that is for the node's own interrupts.
    own_mapping: Option<usize>,
}

/// Where a way through the table ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// At an IOMMU: the index of its node, and the stream ID.
    Iommu { node: usize, stream: u32 },
    /// Before any IOMMU.
    Nowhere,
    /// At something that cannot be: the offset of the node, and what it is.
    Broken { offset: usize, fault: &'static str },
}

/// What an IORT says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Iort {
    /// By offset, rising.
    pub(super) nodes: Vec<Node>,
}

impl Iort {
    /// Reads a table whose common header and length are sound.
    pub(super) fn parse(table: &[u8], findings: &mut Findings) -> Self {
        let nodes = read_nodes(Bytes::new(table), findings);
        let iort = Self { nodes };
        iort.check(findings);
        iort
    }

    /// Whether a device could be behind an IOMMU of this table at all.
    pub(super) fn has_iommu(&self) -> bool {
        self.nodes.iter().any(|node| node.kind.iommu_name().is_some())
    }

    /// Whether a mapping of any host bridge leads to an IOMMU.
    pub(super) fn leads_pci_to_an_iommu(&self) -> bool {
        let bridges = self.nodes.iter().filter(|node| matches!(node.kind, Kind::RootComplex(_)));
        let mut targets = bridges.flat_map(|node| &node.mappings).map(|mapping| self.at(mapping.reference));
        targets.any(|target| target.is_some_and(|node| node.kind.iommu_name().is_some()))
    }

    /// The node of all host bridges of a segment: the first one, as in Linux.
    pub(super) fn root_complex(&self, segment: u16) -> Option<&Node> {
        self.nodes.iter().find(|node| node.kind == Kind::RootComplex(segment.into()))
    }

    /// The node of the device with this path, which has no padding: `\_SB.COM0`.
    pub(super) fn named_component(&self, path: &str) -> Option<&Node> {
        let is_it = |kind: &Kind| matches!(kind, Kind::NamedComponent(name) if name == path);
        self.nodes.iter().find(|node| is_it(&node.kind))
    }

    /// Where requester ID `id` of a root complex leads.
    pub(super) fn map(&self, start: &Node, id: u32) -> Way {
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
    pub(super) fn map_component(&self, node: &Node) -> Vec<Way> {
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

    fn at(&self, reference: u32) -> Option<&Node> {
        let offset = usize::try_from(reference).ok()?;
        let index = self.nodes.binary_search_by_key(&offset, |node| node.offset).ok()?;
        self.nodes.get(index)
    }

    /// Findings about nodes that are valid by themselves.
    fn check(&self, findings: &mut Findings) {
        let mut used = alloc::vec![false; self.nodes.len()];
        for node in &self.nodes {
            for (number, mapping) in node.mappings.iter().enumerate() {
                let place = format!("IORT node at {:#x}, ID mapping {number}", node.offset);
                let mut complain = |id, severity, what: &str| {
                    findings.add(id, severity, &place, what);
                };
                match self.nodes.binary_search_by_key(&(mapping.reference as usize), |node| node.offset) {
                    Ok(target) => used[target] = true,
                    Err(_) => {
                        let what = format!(
                            "output reference {:#x} does not refer to a node; devices behind it are not translated",
                            mapping.reference
                        );
                        complain("iort-output-invalid", Severity::Error, &what);
                    }
                }
                if mapping.is_single && !node.may_be_single && node.own_mapping != Some(number) {
                    let what = "a single mapping, which this type of node cannot have; it is ignored";
                    complain("iort-single-mapping", Severity::Warning, what);
                } else if !mapping.is_single
                    && (mapping.input.checked_add(mapping.count).is_none()
                        || mapping.output.checked_add(mapping.count).is_none())
                {
                    complain(
                        "iort-mapping-wraps",
                        Severity::Warning,
                        "the IDs exceed 32 bits; they wrap around to 0",
                    );
                }
            }
        }
        for (node, is_used) in self.nodes.iter().zip(used) {
            if let Some(name) = node.kind.iommu_name()
                && !is_used
            {
                let place = format!("{name} (IORT node at {:#x})", node.offset);
                let what = "no ID mapping refers to this IOMMU; it translates no device";
                findings.add("iommu-unreferenced", Severity::Warning, &place, what);
            }
        }
        self.segments(findings);
    }

    /// Segments that several root complexes claim.
    fn segments(&self, findings: &mut Findings) {
        let mut first: BTreeMap<u32, usize> = BTreeMap::new();
        for node in &self.nodes {
            let Kind::RootComplex(segment) = node.kind else { continue };
            let taken = *first.entry(segment).or_insert(node.offset);
            if taken != node.offset {
                let place = format!("IORT node at {:#x}", node.offset);
                let what = format!(
                    "segment {segment:#x} already has the root complex at {taken:#x}; this node is ignored"
                );
                findings.add("iort-segment-repeated", Severity::Warning, &place, &what);
            }
        }
    }
}

const DANGLING: &str = "an ID mapping does not refer to a node of the table";

impl Node {
    /// The next node's offset and the ID there (`iort_node_map_id`).
    ///
    /// A hit on the last ID of a range of several is provisional: some firmware counts IDs instead of IDs
    /// minus one, so that a range ends where the next begins. A later range that begins there counts.
    fn step(&self, id: u32) -> Option<(u32, u32)> {
        let mut provisional: Option<(u32, u32)> = None;
        for (number, mapping) in self.mappings.iter().enumerate() {
            if self.own_mapping == Some(number) {
                continue;
            }
            if mapping.is_single {
                if self.may_be_single {
                    return Some((mapping.reference, mapping.output));
                }
                continue;
            }
            let Some(distance) = id.checked_sub(mapping.input).filter(|distance| *distance <= mapping.count)
            else {
                continue;
            };
            if provisional.is_some() && distance != 0 {
                continue;
            }
            let hit = (mapping.reference, mapping.output.wrapping_add(distance));
            if distance == 0 || distance < mapping.count {
                return Some(hit);
            }
            provisional = Some(hit);
        }
        provisional
    }
}

/// The nodes of the table; an invalid one ends the walk, and those before it are used.
fn read_nodes(table: Bytes<'_>, findings: &mut Findings) -> Vec<Node> {
    let Some(header) = table.read::<spec::Iort>(0) else { return Vec::new() };
    let count = header.node_count.get();
    let mut at = usize::try_from(header.node_offset.get()).unwrap_or(usize::MAX);
    let mut nodes = Vec::new();
    let mut mappings_left = MAX_MAPPINGS;
    for number in 0..count {
        let read = if nodes.len() >= MAX_NODES {
            Err(format!("there are more than {MAX_NODES} nodes"))
        } else if at < HEADER_SIZE {
            Err(format!("the offset is below {HEADER_SIZE:#x}"))
        } else {
            read_node(table, at, &mut mappings_left, findings)
        };
        match read {
            Ok((node, length)) => {
                nodes.push(node);
                at += length;
            }
            Err(fault) => {
                let place = format!("IORT node at {at:#x}");
                let what = format!("node {number} of {count}: {fault}; the rest of the table is not read");
                findings.add("iort-node-broken", Severity::Error, &place, &what);
                break;
            }
        }
    }
    nodes
}

fn read_node(
    table: Bytes<'_>,
    at: usize,
    mappings_left: &mut usize,
    findings: &mut Findings,
) -> Result<(Node, usize), String> {
    let cut = || format!("it exceeds the table of {:#x} bytes", table.len());
    let header = table.read::<spec::Node>(at).ok_or_else(cut)?;
    let length = usize::from(header.length);
    if length < NODE_HEADER_SIZE {
        return Err(format!("length is {length:#x}, expected at least {NODE_HEADER_SIZE:#x}"));
    }
    let node = table.part(at, length).ok_or_else(cut)?;
    let kind_number = header.kind;
    let kind = read_kind(kind_number, node);
    let kind =
        kind.ok_or_else(|| format!("length {length:#x} is too short for a node of type {kind_number}"))?;
    let count = usize::try_from(header.mapping_count.get()).unwrap_or(usize::MAX);
    let first = usize::try_from(header.mapping_offset.get()).unwrap_or(usize::MAX);
    let mut mappings = Vec::new();
    // No offset is Linux's sign for no mappings, whatever the count says.
    if count > 0 && first > 0 {
        let bytes = count.checked_mul(MAPPING_SIZE).filter(|_| count <= *mappings_left);
        let list = bytes.and_then(|bytes| node.part(first, bytes)).and_then(|part| part.list());
        let list =
            list.ok_or_else(|| format!("{count} ID mappings at {first:#x} do not fit into the node"))?;
        *mappings_left -= count;
        mappings = list.iter().map(mapping).collect();
    }
    if let Some((id, severity, what)) = unread(kind_number) {
        findings.add(id, severity, format!("IORT node at {at:#x}"), &what);
    }
    let own_mapping = own_mapping(kind_number, node, count);
    let may_be_single = matches!(kind_number, kind::NAMED_COMPONENT | kind::ROOT_COMPLEX | kind::IWB);
    Ok((Node { offset: at, kind, may_be_single, mappings, own_mapping }, length))
}

fn mapping(mapping: &spec::IdMapping) -> Mapping {
    Mapping {
        input: mapping.input_base.get(),
        count: mapping.id_count.get(),
        output: mapping.output_base.get(),
        reference: mapping.output_reference.get(),
        is_single: mapping.flags.get() & SINGLE_MAPPING != 0,
    }
}

/// What there is to say of a node that is not read beyond its mappings; nothing of an ITS group, which has no more
/// to do with IOMMUs than that.
fn unread(kind: u8) -> Option<(&'static str, Severity, String)> {
    let (unused, unknown) = ("iort-node-unused", "iort-node-unknown");
    let what = match kind {
        kind::PMCG => "type 5 (PMCG: performance counters); it is not used",
        kind::RMR => {
            "type 6 (RMR: memory that devices behind an SMMU keep using); it is not mapped, because there is no SMMU driver"
        }
        kind::IWB => "type 7 (IWB: wired interrupts); it is not used",
        kind::ITS_GROUP..=kind::SMMU_V3 => return None,
        _ => {
            let what = format!("unknown type {kind}; it is ignored");
            return Some((unknown, Severity::Warning, what));
        }
    };
    Some((unused, Severity::Info, String::from(what)))
}

/// What a node is; `None` if it is too short for that.
fn read_kind(kind: u8, node: Bytes<'_>) -> Option<Kind> {
    Some(match kind {
        kind::NAMED_COMPONENT => {
            let name = node.from(size_of::<spec::NamedComponent>())?;
            let end = name.iter().position(|byte| *byte == 0)?;
            Kind::NamedComponent(unpadded(&String::from_utf8_lossy(name.get(..end)?)))
        }
        kind::ROOT_COMPLEX => Kind::RootComplex(node.read::<spec::RootComplex>(0)?.segment.get()),
        kind::SMMU => Kind::Smmu(base_address(node)?),
        kind::SMMU_V3 => Kind::SmmuV3(base_address(node)?),
        kind::ITS_GROUP | kind::PMCG | kind::RMR | kind::IWB => Kind::Other,
        _ => Kind::Other,
    })
}

/// Where the registers of an SMMU of any version begin.
fn base_address(node: Bytes<'_>) -> Option<PhysAddr> {
    node.read::<spec::Smmu>(0).map(|smmu| PhysAddr(smmu.base_address.get()))
}

/// The index of the mapping for a node's own interrupts (`iort_get_id_mapping_index`).
fn own_mapping(kind: u8, node: Bytes<'_>, count: usize) -> Option<usize> {
    match kind {
        kind::SMMU_V3 => {
            let smmu: &spec::SmmuV3 = node.read(0)?;
            let is_valid = match smmu.smmu.node.revision {
                0 => false,
                // Before revision 5: unless all interrupts are wired.
                1..=4 => smmu.interrupts.iter().any(|interrupt| interrupt.get() == 0),
                _ => smmu.flags.get() & DEVICE_ID_VALID != 0,
            };
            let index = usize::try_from(smmu.device_id_mapping.get()).ok()?;
            (is_valid && index < count).then_some(index)
        }
        kind::PMCG => {
            let is_message = node.read::<spec::Pmcg>(0)?.overflow_interrupt.get() == 0;
            (is_message && count > 0).then_some(0)
        }
        _ => None,
    }
}

/// A path without the underscores that fill its parts up to four letters.
pub(super) fn unpadded(path: &str) -> String {
    let (root, rest) = path.strip_prefix('\\').map_or(("", path), |rest| ("\\", rest));
    let mut text = String::from(root);
    for (number, part) in rest.split('.').enumerate() {
        if number > 0 {
            text.push('.');
        }
        text.push_str(part.trim_end_matches('_'));
    }
    text
}
