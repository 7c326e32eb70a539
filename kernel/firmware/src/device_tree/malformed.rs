//! Properties that are not what their name says: what they are read as, said once for each.
//!
//! Linux's readers decide: one cell is the first of a longer value and is missing in a shorter one
//! (`of_property_read_u32`), a text without its NUL is not a text (`__of_device_is_status`). A property costs
//! itself, never the tree.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use probe::Severity;

use super::address::child_cells;
use super::findings::Findings;
use super::iommu_map::IOMMU_CELLS;
use super::tree::{NodeIndex, Tree};

/// Looks at all nodes.
pub(super) fn report(tree: &Tree, findings: &mut Findings) {
    for found in tree.malformed() {
        let value = tree.property(found.node, found.property).unwrap_or_default();
        let what = match (found.property, tree.number(found.node, found.property)) {
            ("status", _) if value.is_empty() => String::from("it is empty; the node counts as disabled"),
            ("status", _) => String::from("it does not end with a zero byte; the node counts as disabled"),
            (_, Some(first)) => {
                format!("it has {} bytes, expected 4; the first cell, {first:#x}, counts", value.len())
            }
            (_, None) => format!("it has {} bytes, expected 4; it counts as missing", value.len()),
        };
        // Firmware that writes such a status does not say that the IOMMU is not to be used.
        let is_lost_iommu = found.property == "status" && tree.property(found.node, IOMMU_CELLS).is_some();
        let severity = if is_lost_iommu { Severity::Error } else { Severity::Warning };
        say(tree, findings, severity, found.node, found.property, &what);
    }
    for bus in tree.nodes().filter(|bus| is_bus(tree, *bus)) {
        let names = ["#address-cells", "#size-cells"];
        // One that is too short has been named above.
        let missing: Vec<_> = names.into_iter().filter(|name| tree.property(bus, name).is_none()).collect();
        if !missing.is_empty() {
            let what = format!("missing; its children are read with {}", child_cells(tree, bus));
            say(tree, findings, Severity::Warning, bus, &missing.join(" and "), &what);
        }
    }
}

fn say(
    tree: &Tree,
    findings: &mut Findings,
    severity: Severity,
    node: NodeIndex,
    property: &str,
    what: &str,
) {
    let path = tree.path(node);
    let sentence = format!("{property} of {path}: {what}");
    findings.add("property-malformed", severity, path, sentence);
}

/// Whether addresses of the node's children are translated by it.
fn is_bus(tree: &Tree, node: NodeIndex) -> bool {
    let is_complete = tree.own_cells(node).iter().all(Option::is_some);
    !is_complete
        && (node == NodeIndex::ROOT || tree.property(node, "ranges").is_some())
        && tree.children(node).any(|child| tree.property(child, "reg").is_some())
        && tree.is_live(node)
}
