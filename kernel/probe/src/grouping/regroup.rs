//! What follows when a device comes or goes that connects others: groups become one or come apart, members move to
//! other domains, and drivers restart.
//!
//! Isolation classes never change; but firmware may give devices of two classes one endpoint, and then no
//! IOMMU can tell them apart. Groups are what classes and shared endpoints connect, at every moment.
//!
//! It is one file because each of these can follow from each other one: a member that moves may be refused and leave, and
//! an IOMMU that leaves its group takes its users along.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::data::dma::Ungrouped;
use crate::data::event::Event;
use crate::data::id::{DeviceId, GroupId};
use crate::grouping::connected::connected;
use crate::grouping::membership::{LeaveCause, withdraw};
use crate::grouping::{domain, refusal};
use crate::table::Tables;
use crate::table::bind::Until;
use crate::table::device::Binding;

/// Gives a group its default domain, if it has none, and attaches every member; a member that cannot be attached
/// leaves.
pub(crate) fn set_up_default_domain<D>(tables: &mut Tables<D>, group: GroupId) {
    // A number may come up twice in one replay: its group was merged away and the number given out again.
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

/// Takes a device out of its group, if it is in one. The last member takes the group along; what no longer belongs
/// together comes apart.
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

/// Takes the driver off a device. An IOMMU's users lose theirs first, and their groups: no device may do DMA through an
/// IOMMU that is gone.
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

/// Makes two groups one, under the lower number, and says which that is.
///
/// Only the members of the other one change their domain; their drivers start again behind it. If the
/// IOMMU refuses to move any of them, and none were there before, the group is gone.
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

/// Gives what is no longer connected with a group's first member groups of its own.
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
        // A driver that has mappings in the domain that is left has to start again.
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

/// Attaches a member, or takes it out of the group if its IOMMU refuses.
fn attach_or_drop<D>(tables: &mut Tables<D>, group: GroupId, member: DeviceId) {
    // Another member's refusal may have split the group, or ended it.
    if tables.membership(member).is_none_or(|membership| membership.group() != group) {
        return;
    }
    if let Err(refused) = domain::attach_member(tables, group, member) {
        refusal::find_refusal(tables, member, &refused);
        leave_group(tables, member, LeaveCause::OwnRefusal);
        let detail = refused.detail;
        tables.log.event(Event::Refused { device: member, detail: detail.clone() });
        tables.devices.set_ungrouped(member, Ungrouped::Refused(detail));
    }
}
