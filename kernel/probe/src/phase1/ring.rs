//! IOMMUs that firmware puts behind each other in a ring.
//!
//! An IOMMU never translates itself, directly or through others. If each waited for the next one, none would ever bind,
//! and the first one that gave up waiting would determine which is behind the other. Therefore every reference that is
//! part of a ring is left out, for all IOMMUs in it, in whatever order they arrive.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::data::dma::{DmaState, Ungrouped};
use crate::data::finding::{Finding, Severity};
use crate::data::firmware::{Reference, Translation};
use crate::data::id::{DeviceId, FwNode};
use crate::table::Tables;
use crate::table::device::Device;

/// Whether the IOMMU at `from` is the one at `to`, or behind it through IOMMUs that are in the machine.
pub(crate) fn leads_to<D>(tables: &Tables<D>, from: FwNode, to: FwNode) -> bool {
    let (mut ahead, mut seen) = (Vec::from([from]), BTreeSet::new());
    // Each node is walked once.
    while let Some(node) = ahead.pop() {
        if node == to {
            return true;
        }
        if seen.insert(node) {
            let iommu = tables.devices.iter().find(|device| device.node() == Some(node));
            let references = iommu.into_iter().flat_map(|iommu| references_of(tables, iommu));
            ahead.extend(references.map(|to| to.iommu));
        }
    }
    false
}

/// The finding about the IOMMU `device`, which is behind the one at `node` and in front of it.
pub(crate) fn finding<D>(tables: &Tables<D>, device: DeviceId, node: FwNode) -> Finding {
    let place: String = tables.devices[device].name().into();
    let sentence = format!(
        "this IOMMU is behind {}, which is behind this IOMMU; neither translates the other",
        tables.firmware.name(node)
    );
    Finding { id: "iommu-ring", severity: Severity::Warning, place, sentence }
}

/// IOMMUs other than `added` that the arrival of the IOMMU `added` affects: they wait for another IOMMU, or are behind
/// one that leads back to them from now on.
pub(crate) fn affected_by_iommu<D>(tables: &Tables<D>, added: DeviceId) -> Vec<DeviceId> {
    let this = &tables.devices[added];
    let says_nothing =
        matches!(this.dma(), DmaState::Ungrouped(Ungrouped::Unprobed | Ungrouped::Untranslated(_)));
    if this.node().is_none() || says_nothing {
        return Vec::new();
    }
    let is_affected = |device: &&Device<D>| {
        let Some(own) = device.node().filter(|_| device.id() != added) else { return false };
        match device.dma() {
            DmaState::Ungrouped(Ungrouped::Waiting(_)) => true,
            DmaState::Grouped(membership) => membership.fwspecs().iter().any(|fwspec| {
                tables.instances[fwspec.instance].node().is_some_and(|node| leads_to(tables, node, own))
            }),
            DmaState::Ungrouped(_) => false,
        }
    };
    tables.devices.iter().filter(is_affected).map(Device::id).collect()
}

fn references_of<D>(tables: &Tables<D>, device: &Device<D>) -> Vec<Reference> {
    let bus = &tables.buses[device.bus()];
    let Some(parent) = bus.firmware_parent(device.unit()) else { return Vec::new() };
    match tables.firmware.translate(parent, &bus.input_ids(device.unit())) {
        Ok(Translation::Endpoints(references)) => references,
        Ok(Translation::Nowhere(_)) | Err(_) => Vec::new(),
    }
}
