//! From the bytes of an IORT to its nodes.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::PhysAddr;
use probe::{Findings, Severity};

use crate::acpi::bytes::Bytes;
use crate::acpi::spec::iort::{self as spec, DEVICE_ID_VALID, SINGLE_MAPPING, kind};

use super::error::NodeError;
use super::node::{Kind, Mapping, Node};
use super::table::Iort;

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

impl Iort {
    /// Reads a table whose common header and length are sound.
    pub(in crate::acpi) fn parse(table: &[u8], findings: &mut Findings) -> Self {
        let nodes = read_nodes(Bytes::new(table), findings);
        let iort = Self { nodes };
        iort.check(findings);
        iort
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
            Err(NodeError::TooMany { limit: MAX_NODES })
        } else if at < HEADER_SIZE {
            Err(NodeError::InsideHeader { header: HEADER_SIZE })
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
) -> Result<(Node, usize), NodeError> {
    let cut = NodeError::Cut { table: table.len() };
    let header = table.read::<spec::Node>(at).ok_or(cut)?;
    let length = usize::from(header.length);
    if length < NODE_HEADER_SIZE {
        return Err(NodeError::TooShort { length, expected: NODE_HEADER_SIZE });
    }
    let node = table.part(at, length).ok_or(cut)?;
    let kind_number = header.kind;
    let kind = read_kind(kind_number, node);
    let kind = kind.ok_or(NodeError::TooShortForType { length, kind: kind_number })?;
    let count = usize::try_from(header.mapping_count.get()).unwrap_or(usize::MAX);
    let first = usize::try_from(header.mapping_offset.get()).unwrap_or(usize::MAX);
    let mut mappings = Vec::new();
    // Linux reads an offset of 0 as no mappings, whatever the count is.
    if count > 0 && first > 0 {
        let bytes = count.checked_mul(MAPPING_SIZE).filter(|_| count <= *mappings_left);
        let list = bytes.and_then(|bytes| node.part(first, bytes)).and_then(|part| part.list());
        let list = list.ok_or(NodeError::MappingsCut { count, at: first })?;
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
fn unpadded(path: &str) -> String {
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
