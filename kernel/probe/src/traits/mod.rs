//! What buses, drivers, firmware and IOMMUs have to be to the core.

pub(crate) mod bus;
pub(crate) mod driver;
pub(crate) mod firmware;
pub(crate) mod iommu;
