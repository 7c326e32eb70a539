//! Joining and leaving a group. Only here do devices, groups and instances change together.

use alloc::format;
use alloc::string::String;

use crate::data::dma::{Fwspec, Membership};
use crate::data::event::Event;
use crate::data::finding::{Finding, Severity};
use crate::data::id::DeviceId;
use crate::grouping::domain;
use crate::table::Tables;

/// Why a device leaves its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaveCause {
    /// Its own IOMMU refuses it in that group.
    OwnRefusal,
    /// Any other reason: the device or an IOMMU is removed or replaced.
    Other,
}

/// Makes a device a member of its group, and of each instance that translates it.
pub(crate) fn enter<D>(tables: &mut Tables<D>, device: DeviceId, membership: Membership) {
    let group = membership.group();
    for fwspec in membership.fwspecs() {
        tables.instances.add_member(device, fwspec, group);
    }
    tables.groups.add_member(group, device);
    tables.devices.enter(device, membership);
}

/// Removes a device from its group, if it is in one. An empty group is removed; whether the others
/// still belong together is not checked.
pub(crate) fn withdraw<D>(tables: &mut Tables<D>, device: DeviceId, cause: LeaveCause) -> Option<Membership> {
    let (membership, owned) = tables.devices.leave(device)?;
    for fwspec in membership.fwspecs() {
        detach(tables, fwspec);
        tables.instances.remove_member(fwspec.instance, device);
    }
    let group = membership.group();
    let is_empty = tables.groups.remove_member(group, device, owned);
    if cause != LeaveCause::OwnRefusal {
        tables.groups.count_loss();
    }
    tables.log.event(Event::Left { device, group });
    if is_empty {
        domain::free_domains(tables, group);
        tables.groups.remove(group);
    } else {
        // The groups of the remaining members must not keep a domain of a removed IOMMU.
        domain::free_unused_domains(tables, group);
    }
    Some(membership)
}

/// Removes a device as a user of its endpoints; endpoints without another user are detached.
fn detach<D>(tables: &mut Tables<D>, fwspec: &Fwspec) {
    for endpoint in &fwspec.endpoints {
        let Some(domain) = tables.instances.release(fwspec.instance, *endpoint) else { continue };
        let detached = tables.instances.ops_mut(fwspec.instance).detach(domain, *endpoint);
        if let Err(refusal) = detached {
            let place: String = tables.iommu_name(fwspec.instance).into();
            let sentence = format!("{}; the endpoint stays attached", refusal.detail);
            tables.log.find(Finding { id: "detach-refused", severity: Severity::Error, place, sentence });
        }
    }
}
