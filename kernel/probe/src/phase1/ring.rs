//! IOMMUs that firmware puts behind each other, round in a ring.
//!
//! An IOMMU never translates itself, and neither does it by way of others: where each waits for the next, none
//! would ever come, and whichever gave up waiting first would decide who is behind whom. So every reference
//! that is part of a ring is left out, for all IOMMUs in it alike, whatever the order of their arrival.
//!
//! Linux has no such check: such IOMMUs defer until the timeout, and then go on as it happens.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use crate::core::Core;
use crate::data::finding::{Finding, Severity};
use crate::table::device::{Device, DeviceId, DmaState};
use crate::traits::firmware::{FwNode, Reference, Translation};

impl<D> Core<D> {
    /// Whether the IOMMU at `from` is the one at `to`, or behind it by way of IOMMUs that are in the machine.
    pub(crate) fn leads_to(&self, from: FwNode, to: FwNode) -> bool {
        let (mut ahead, mut seen) = (Vec::from([from]), BTreeSet::new());
        // Each node is walked once.
        while let Some(node) = ahead.pop() {
            if node == to {
                return true;
            }
            if seen.insert(node) {
                let iommu = self.devices().find(|device| device.node == Some(node));
                ahead
                    .extend(iommu.into_iter().flat_map(|iommu| self.references_of(iommu)).map(|to| to.iommu));
            }
        }
        false
    }

    /// Says that the IOMMU `device`, which is behind the one at `node`, is also in front of it.
    pub(crate) fn find_ring(&mut self, device: DeviceId, node: FwNode) {
        let subject = self.device(device).name.clone();
        let sentence = format!(
            "firmware puts the IOMMU {subject} behind {}, and that one behind {subject}: neither translates the other",
            self.firmware.name(node)
        );
        self.find(Finding { id: "iommu-ring", severity: Severity::Warning, subject, sentence });
    }

    /// IOMMUs other than `added` for which it makes a difference that the IOMMU `added` is in the machine: they
    /// wait for another one, or are behind one that leads back to them from now on.
    pub(crate) fn affected_by_iommu(&self, added: DeviceId) -> Vec<DeviceId> {
        let this = self.device(added);
        if this.node.is_none() || matches!(this.dma, DmaState::Unprobed | DmaState::Untranslated(_)) {
            return Vec::new();
        }
        let is_affected = |device: &&Device<D>| {
            let Some(own) = device.node.filter(|_| device.id != added) else { return false };
            match &device.dma {
                DmaState::Waiting(_) => true,
                DmaState::Grouped(membership) => membership.fwspecs.iter().any(|fwspec| {
                    self.instance(fwspec.instance).node.is_some_and(|node| self.leads_to(node, own))
                }),
                _ => false,
            }
        };
        self.devices().filter(is_affected).map(|device| device.id).collect()
    }

    fn references_of(&self, device: &Device<D>) -> Vec<Reference> {
        let bus = &self.buses[device.bus.0 as usize].bus;
        let Some(parent) = bus.firmware_parent(device.unit) else { return Vec::new() };
        match self.firmware.translate(parent, &bus.input_ids(device.unit)) {
            Ok(Translation::Endpoints(references)) => references,
            Ok(Translation::Nowhere(_)) | Err(_) => Vec::new(),
        }
    }
}
