//! The interface of firmware: from a device to its endpoints at IOMMUs.

use alloc::string::String;
use alloc::vec::Vec;

use crate::data::finding::Finding;
use crate::data::firmware::{InputIds, MapError, Translation};
use crate::data::id::FwNode;
use crate::data::reserved::ReservedRegion;

/// Everything that the core has to know about firmware.
///
/// The results must depend on the arguments alone, because the core calls again after a deferral.
pub trait FirmwareMap {
    /// The endpoints to which the properties or table entries of node `at` translate `ids`.
    ///
    /// Every ID is translated. The core checks whether the target of a reference has a device and a driver.
    ///
    /// # Errors
    ///
    /// The description of these IDs is malformed.
    fn translate(&self, at: FwNode, ids: &InputIds) -> Result<Translation, MapError>;

    /// Addresses that are reserved for the device with this node (Linux: `iommu_dma_get_resv_regions`).
    fn reserved(&self, node: FwNode) -> Vec<ReservedRegion> {
        let _ = node;
        Vec::new()
    }

    /// Whether firmware describes `node` as an IOMMU, with or without a driver.
    fn is_iommu(&self, node: FwNode) -> bool {
        let _ = node;
        false
    }

    /// Whether the IOMMU `iommu` is behind the host bridge `device`: it does not exist before the bridge is bound.
    fn is_behind(&self, iommu: FwNode, device: FwNode) -> bool {
        let _ = (iommu, device);
        false
    }

    /// A finding about a translation that succeeds in spite of it.
    fn remark(&self, at: FwNode, ids: &InputIds) -> Option<Finding> {
        let _ = (at, ids);
        None
    }

    /// The node's name in messages: a device tree path, an ACPI path, `VIOT node at 0x30`.
    fn name(&self, node: FwNode) -> String;
}
