//! The interfaces that buses, drivers, firmware and IOMMUs implement.

pub(crate) mod bus;
pub(crate) mod driver;
pub(crate) mod firmware;
pub(crate) mod iommu;
