//! Devices of the namespace as nodes of the firmware.

use probe::FwNode;

/// The node of the device with this number in the namespace.
pub(super) fn node(index: usize) -> FwNode {
    FwNode(u32::try_from(index).unwrap_or(u32::MAX))
}
