//! How Linux probes: what its paths have in common, and in a file each what is particular to one of them.
//!
//! Linux has one piece of state for "this device is being looked at" and "this device was looked at"
//! (`dev->iommu`), and infers from it what is asking. It is modelled as it is, defects included, and cut into
//! pieces where Linux lets go of `iommu_probe_device_lock` or where nothing holds off another CPU.

pub(crate) mod activity;
pub(crate) mod adapter;
mod bind;
pub(crate) mod check;
mod configure;
mod group;
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

/// What is particular to the Linux of a path; none for `fixed`.
pub(crate) fn rules_of(path: Path) -> Option<&'static dyn LinuxPath> {
    match path {
        Path::Fixed => None,
        Path::Upstream => Some(&upstream::Upstream),
        Path::Regressed => Some(&regressed::Regressed),
        Path::Legacy => Some(&legacy::Legacy),
    }
}
