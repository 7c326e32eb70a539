//! Reasons for not having a group that occur only on Linux's paths.

use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::data::id::{DeviceId, FwNode};
use crate::linux::state::{DevIommu, Linux};
use crate::table::Tables;

/// Why a device has no group, on one of Linux's paths. In each case isolation is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinuxReason {
    /// Firmware's map was not read for it, because no driver was bound to it.
    NotProbed,
    /// It is behind this IOMMU, and was not probed there.
    NeverProbedAt(String),
    /// Its IOMMU was present and did not accept it.
    Abandoned(String),
}

impl fmt::Display for LinuxReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotProbed => f.write_str("not probed: no driver was bound"),
            Self::NeverProbedAt(node) => write!(f, "translated by firmware, never probed: {node}"),
            Self::Abandoned(why) => write!(f, "not grouped: {why}"),
        }
    }
}

/// The reason that is in the state of a device.
pub(crate) fn of_state<D>(linux: &Linux, tables: &Tables<D>, device: DeviceId) -> Option<LinuxReason> {
    Some(match linux.iommu(device)? {
        DevIommu::Probing => match linux.oops() {
            Some(oops) => LinuxReason::Abandoned(oops.into()),
            None => LinuxReason::NotProbed,
        },
        DevIommu::Translated(fwspec) => LinuxReason::NeverProbedAt(tables.firmware.name(fwspec.node)),
        DevIommu::Abandoned(why) => LinuxReason::Abandoned(why.clone()),
    })
}

/// The reason for which it waits for nodes in vain: an IOMMU's registration has failed, or it became ready after the
/// device was last asked about.
pub(crate) fn of_waiting<D>(
    linux: &Linux,
    tables: &Tables<D>,
    device: DeviceId,
    nodes: &[FwNode],
) -> Option<LinuxReason> {
    let failed = |node: &FwNode| {
        let mut failed = tables.instances.iter().filter(|instance| linux.is_unregistered(instance.id()));
        failed.find(|instance| instance.node() == Some(*node))
    };
    if let Some(instance) = nodes.iter().find_map(failed) {
        let name = tables.iommu_name(instance.id());
        return Some(LinuxReason::Abandoned(format!("the registration of {name} failed")));
    }
    let names = tables.node_names(nodes);
    match nodes.iter().all(|node| tables.instances.is_ready(*node)) {
        true if linux.has_driver(tables, device) => {
            Some(LinuxReason::Abandoned(format!("{names} became ready only after the device was bound")))
        }
        true => Some(LinuxReason::NeverProbedAt(names)),
        false => None,
    }
}
