//! What the core asks of firmware: which endpoint of which IOMMU is this device?

use alloc::string::String;
use alloc::vec::Vec;

use crate::data::finding::Finding;
use crate::data::firmware::{InputIds, MapError, Translation};
use crate::data::id::FwNode;
use crate::data::reserved::ReservedRegion;

/// All that the core has to know about firmware.
///
/// The answers must depend on the arguments alone: the core asks again after a deferral.
pub trait FirmwareMap {
    /// Where `ids` lead, read from the properties or table entries of node `at`.
    ///
    /// Every ID is translated. The target of a reference is not checked for having a driver or a
    /// device: that is the core's part.
    ///
    /// # Errors
    ///
    /// The description itself is malformed where these IDs need it.
    fn translate(&self, at: FwNode, ids: &InputIds) -> Result<Translation, MapError>;

    /// Addresses that must be kept for the device whose own node this is (Linux: `iommu_dma_get_resv_regions`).
    fn reserved(&self, node: FwNode) -> Vec<ReservedRegion> {
        let _ = node;
        Vec::new()
    }

    /// Whether firmware says of `node` itself that it is an IOMMU, driven or not.
    fn is_iommu(&self, node: FwNode) -> bool {
        let _ = node;
        false
    }

    /// Whether the IOMMU `iommu` is behind the host bridge `device`: there is no such IOMMU before that is bound.
    fn is_behind(&self, iommu: FwNode, device: FwNode) -> bool {
        let _ = (iommu, device);
        false
    }

    /// What is odd about an answer that [`translate`](Self::translate) gave all the same.
    fn remark(&self, at: FwNode, ids: &InputIds) -> Option<Finding> {
        let _ = (at, ids);
        None
    }

    /// The node's name for people: a device tree path, an ACPI path, `VIOT node at 0x30`.
    fn name(&self, node: FwNode) -> String;
}
