//! `iommu-map`, `iommu-map-mask` and `iommus`: which endpoint of which IOMMU a device is.
//!
//! A map is decided entry by entry in the order of the property, and the first entry that a requester
//! ID falls into decides. So an entry that is malformed costs the IDs that reach it, and no others:
//! parsing ends there with a [`Stop`], which every ID that has not been decided before runs into
//! (Linux 7.2: `of_map_id`). Of `iommus` the entries before the malformed one count
//! (`of_iommu_configure_dev`).

mod cursor;
mod four_cells;
mod iommus;
mod map;
mod property;
mod stop;

pub(super) use iommus::Iommus;
pub(super) use map::{IommuMap, MapEntry, MapLookup};
pub(super) use property::{IOMMU_CELLS, IOMMU_MAP, IOMMU_MAP_MASK, IOMMUS};
pub(super) use stop::Stop;
