//! Findings about properties of the wrong length or form: one for each, with the value that is used instead.
//!
//! The rules are Linux's: of a value that is too long the first cell is used, one that is too short is missing
//! (`of_property_read_u32`), and a string without a NUL is not a string (`__of_device_is_status`). A malformed property
//! never costs more than itself.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use probe::{Findings, Severity};

use super::address::child_cells;
use super::iommu_map::IOMMU_CELLS;
use super::tree::{NodeIndex, Tree};

/// Looks at all nodes.
pub(super) fn report(tree: &Tree, findings: &mut Findings) {
    for found in tree.malformed() {
        let value = tree.property(found.node, found.property).unwrap_or_default();
        let what = match (found.property, tree.number(found.node, found.property)) {
            ("status", _) if value.is_empty() => {
                String::from("the value is empty; the node is treated as disabled")
            }
            ("status", _) => String::from("the value is not NUL-terminated; the node is treated as disabled"),
            (_, Some(first)) => {
                format!("{} bytes long, expected 4; the first cell ({first:#x}) is used", value.len())
            }
            (_, None) => format!("{} bytes long, expected 4; it is treated as missing", value.len()),
        };
        // Such a status does not mean that the firmware disabled the IOMMU.
        let is_lost_iommu = found.property == "status" && tree.property(found.node, IOMMU_CELLS).is_some();
        let severity = if is_lost_iommu { Severity::Error } else { Severity::Warning };
        let place = format!("{}:{}", tree.path(found.node), found.property);
        findings.add("property-malformed", severity, place, what);
    }
    for bus in tree.nodes().filter(|bus| is_bus(tree, *bus)) {
        let names = ["#address-cells", "#size-cells"];
        // A property that is too short has a finding already.
        let missing: Vec<_> = names.into_iter().filter(|name| tree.property(bus, name).is_none()).collect();
        if !missing.is_empty() {
            let cells = child_cells(tree, bus);
            let what = format!("{} missing; its children are read with {cells}", missing.join(" and "));
            findings.add("property-malformed", Severity::Warning, tree.path(bus), what);
        }
    }
}

/// Whether addresses of the node's children are translated by it.
fn is_bus(tree: &Tree, node: NodeIndex) -> bool {
    let is_complete = tree.own_cells(node).iter().all(Option::is_some);
    !is_complete
        && (node == NodeIndex::ROOT || tree.property(node, "ranges").is_some())
        && tree.children(node).any(|child| tree.property(child, "reg").is_some())
        && tree.is_live(node)
}
