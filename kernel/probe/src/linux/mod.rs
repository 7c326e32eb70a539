//! How Linux probes: the common part of its paths, and one file with the specifics of each.
//!
//! Linux has one piece of state for "this device is being probed" and "this device was probed"
//! (`dev->iommu`), and infers the caller from it. It is modelled as it is, defects included, and
//! divided into pieces where Linux releases `iommu_probe_device_lock` or where another CPU is not
//! excluded.

pub(crate) mod activity;
pub(crate) mod adapter;
mod bind;
pub(crate) mod check;
mod configure;
pub(crate) mod group;
mod legacy;
mod probe;
pub(crate) mod reason;
mod register;
mod regressed;
pub(crate) mod release;
mod rules;
pub(crate) mod state;
mod upstream;

use crate::data::path::Path;
use crate::linux::rules::LinuxPath;

/// The specifics of a path's Linux; `None` for `fixed`.
pub(crate) fn rules_of(path: Path) -> Option<&'static dyn LinuxPath> {
    match path {
        Path::Fixed => None,
        Path::Upstream => Some(&upstream::Upstream),
        Path::Regressed => Some(&regressed::Regressed),
        Path::Legacy => Some(&legacy::Legacy),
    }
}
