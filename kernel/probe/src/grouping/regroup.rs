//! Consequences of adding or removing a device that connects others: groups are merged or split,
//! members move to other domains, and drivers restart.
//!
//! Isolation classes never change; but firmware may give devices of two classes the same endpoint,
//! and then an IOMMU cannot distinguish them. At every moment, groups are the sets of devices that
//! classes and shared endpoints connect.
//!
//! It is one file because each of these can cause each other one: a member that moves may be
//! refused and leave, and when an IOMMU leaves its group, its users leave theirs.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::data::dma::Ungrouped;
use crate::data::event::Event;
use crate::data::id::{DeviceId, GroupId};
use crate::data::refusal::JoinError;
use crate::grouping::connected::connected;
use crate::grouping::membership::{LeaveCause, withdraw};
use crate::grouping::transfer::Lost;
use crate::grouping::{domain, ownership, refusal};
use crate::table::Tables;
use crate::table::bind::Until;
use crate::table::device::Binding;

/// Gives a group its default domain, if it has none, and attaches every member; a member that cannot be attached
/// leaves.
pub(crate) fn set_up_default_domain<D>(tables: &mut Tables<D>, group: GroupId) {
    // A number may occur twice in one replay: its group was merged into another one and the number
    // was assigned again.
    if tables.groups[group].has_domain() {
        return;
    }
    let domain_type = domain::choose_type(tables, group);
    tables.groups.begin_default_domain(group, domain_type);
    for member in tables.groups[group].members().to_vec() {
        attach_or_drop(tables, group, member);
    }
    tables.wake(|until| matches!(until, Until::Domain));
}

/// Removes a device from its group, if it is in one. An empty group is removed; a group that is no
/// longer connected is split.
pub(crate) fn leave_group<D>(tables: &mut Tables<D>, device: DeviceId, cause: LeaveCause) {
    let Some(membership) = withdraw(tables, device, cause) else { return };
    let group = membership.group();
    if !tables.groups.contains(group) {
        return;
    }
    let class = (tables.devices[device].bus(), membership.leader());
    let mut remaining = tables.groups[group].members().iter();
    if !remaining.any(|member| tables.class_of(*member) == Some(class)) {
        tables.groups.remove_class(group, class);
    }
    split(tables, group);
    if tables.groups.contains(group) {
        domain::free_unused_domains(tables, group);
    }
}

/// Unbinds the driver of a device. The users of an IOMMU lose their drivers and groups first: no
/// device may do DMA through a removed IOMMU.
pub(crate) fn release_driver<D>(tables: &mut Tables<D>, device: DeviceId) {
    if let Some(instance) = tables.instances.of_device(device) {
        let (instance, node) = (instance.id(), instance.node());
        for user in tables.instances[instance].members().to_vec() {
            release_driver(tables, user);
            leave_group(tables, user, LeaveCause::Other);
            tables.devices.set_ungrouped(user, Ungrouped::Waiting(node.into_iter().collect()));
            tables.queue_bind(user);
        }
        tables.unpublish(instance);
    }
    tables.stop_driver(device);
}

/// Merges two groups under the lower number, and returns it.
///
/// Only the members of the other group change their domain; their drivers are restarted. If the
/// IOMMU refuses to move any of them, and the remaining group was empty, that group is removed.
pub(crate) fn merge<D>(tables: &mut Tables<D>, a: GroupId, b: GroupId) -> GroupId {
    if a == b || !tables.groups.contains(b) {
        return a;
    }
    let (into, from) = (a.min(b), a.max(b));
    let wants_domain = tables.groups[from].has_domain();
    let members = tables.groups[from].members().to_vec();
    tables.log.event(Event::Merged { into, from });
    relocate(tables, &members, from, into);
    if wants_domain && tables.groups.contains(into) {
        set_up_default_domain(tables, into);
    }
    domain::free_domains(tables, from);
    tables.groups.remove(from);
    into
}

/// Moves members that are no longer connected with a group's first member to new groups.
fn split<D>(tables: &mut Tables<D>, group: GroupId) {
    if !tables.groups[group].is_linked() {
        return;
    }
    let members = tables.groups[group].members();
    let leaders = connected(tables, members.iter().copied());
    let mut parts: BTreeMap<DeviceId, Vec<DeviceId>> = BTreeMap::new();
    for member in members {
        parts.entry(leaders[member.0 as usize]).or_default().push(*member);
    }
    let has_domain = tables.groups[group].has_domain();
    for members in parts.into_values().skip(1) {
        let new = tables.groups.create();
        ownership::claim_part(tables, group, new);
        tables.log.event(Event::Split { from: group, new });
        relocate(tables, &members, group, new);
        if has_domain && tables.groups.contains(new) {
            set_up_default_domain(tables, new);
        }
    }
}

/// Moves members, with their endpoints and classes, and attaches them where the new group is attached.
fn relocate<D>(tables: &mut Tables<D>, members: &[DeviceId], from: GroupId, into: GroupId) {
    for member in members {
        // A driver that has mappings in the old domain has to be restarted.
        let uses_domain = |binding: Binding| binding.owns == Some(from);
        if tables.devices[*member].binding().is_some_and(uses_domain) {
            release_driver(tables, *member);
            tables.queue_bind(*member);
        }
    }
    for member in members {
        let class = tables.class_of(*member).expect("a member of a group is grouped");
        for fwspec in tables.devices.move_to(*member, into) {
            tables.instances.move_endpoints(fwspec, into);
        }
        tables.groups.remove_class(from, class);
        tables.groups.add_class(into, class);
        tables.groups.remove_member(from, *member, None);
        tables.groups.add_member(into, *member);
    }
    if tables.groups[into].has_domain() {
        for member in members {
            attach_or_drop(tables, into, *member);
        }
        tables.wake(|until| matches!(until, Until::Domain));
    }
}

/// Attaches a member, or removes it from the group if its IOMMU refuses.
fn attach_or_drop<D>(tables: &mut Tables<D>, group: GroupId, member: DeviceId) {
    // Another member's refusal may have split the group, or ended it.
    if tables.membership(member).is_none_or(|membership| membership.group() != group) {
        return;
    }
    if let Err(refusal) = domain::attach_member(tables, group, member) {
        drop_member(tables, Lost { device: member, refusal });
    }
}

/// A member that could not be attached leaves its group.
pub(crate) fn drop_member<D>(tables: &mut Tables<D>, lost: Lost) {
    let Lost { device, refusal } = lost;
    refusal::find_refusal(tables, device, &refusal);
    leave_group(tables, device, LeaveCause::OwnRefusal);
    let error = JoinError::Refused(refusal);
    tables.log.event(Event::Refused { device, error: error.clone() });
    tables.devices.set_ungrouped(device, Ungrouped::Refused(error));
}
