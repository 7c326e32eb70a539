//! The properties by name, and how much is read of them.

pub(in crate::device_tree) const IOMMU_MAP: &str = "iommu-map";
pub(in crate::device_tree) const IOMMU_MAP_MASK: &str = "iommu-map-mask";
pub(in crate::device_tree) const IOMMUS: &str = "iommus";
pub(in crate::device_tree) const IOMMU_CELLS: &str = "#iommu-cells";

/// Most entries of one map, and of one list of `iommus`, that are read.
pub(super) const MAX_ENTRIES: usize = 4_096;
/// Most cells of a specifier (Linux: `MAX_PHANDLE_ARGS`).
pub(super) const MAX_SPECIFIER_CELLS: usize = 16;
