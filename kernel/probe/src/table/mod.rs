//! What there is: devices, groups, IOMMU instances.

pub(crate) mod device;
pub(crate) mod group;
pub(crate) mod instance;
