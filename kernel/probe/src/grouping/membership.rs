//! Entering a group and leaving it: the one place where devices, groups and instances change together.

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
    /// Its own IOMMU refuses to have it there.
    OwnRefusal,
    /// Anything else: the device, or an IOMMU, goes, or is replaced.
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

/// Takes a device out of its group, if it is in one. The last member takes the group along; whether the others still
/// belong together is not looked at.
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
        // Of an IOMMU that goes, nothing may stay behind in the groups of the remaining members.
        domain::free_unused_domains(tables, group);
    }
    Some(membership)
}

/// Gives up a device's share in its endpoints; those without another user are detached.
fn detach<D>(tables: &mut Tables<D>, fwspec: &Fwspec) {
    for endpoint in &fwspec.endpoints {
        if let Some(domain) = tables.instances.release(fwspec.instance, *endpoint)
            && let Err(refusal) = tables.instances.ops_mut(fwspec.instance).detach(domain, *endpoint)
        {
            let subject: String = tables.iommu_name(fwspec.instance).into();
            let sentence = format!("{}; the endpoint stays attached", refusal.detail);
            tables.log.find(Finding { id: "detach-refused", severity: Severity::Error, subject, sentence });
        }
    }
}
