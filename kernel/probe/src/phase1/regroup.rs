//! Two groups become one, or one becomes two, because a device came or went that links them by an endpoint.
//!
//! Isolation classes never change; but firmware may give devices of two classes one endpoint, and then no
//! IOMMU can tell them apart. Groups are what classes and shared endpoints connect, at every moment.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem;

use addr::EndpointId;

use crate::activity::Until;
use crate::core::{BusId, Core};
use crate::data::event::Event;
use crate::table::device::{Binding, DeviceId, DmaState};
use crate::table::group::GroupId;
use crate::table::instance::InstanceId;
use crate::traits::bus::Unit;

/// What several devices can have in common.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Link {
    Class(BusId, Unit),
    Endpoint(InstanceId, EndpointId),
    Group(GroupId),
}

/// For each thing that devices have in common, the first of them. One kind of map for all, as each kind costs the
/// emulator a translation of its own.
pub(crate) type First = BTreeMap<Link, DeviceId>;

/// For each device, by number, the lowest of those that it is connected with; itself if it has no group.
type Leaders = Vec<DeviceId>;

impl<D> Core<D> {
    /// Makes two groups one, under the lower number, and says which that is.
    ///
    /// Only the members of the other one change their domain; their drivers start again behind it. If the
    /// IOMMU refuses to move any of them, and none were there before, the group is gone.
    pub(crate) fn merge(&mut self, a: GroupId, b: GroupId) -> GroupId {
        if a == b || !self.groups.contains(b) {
            return a;
        }
        let (into, from) = (a.min(b), a.max(b));
        let wants_domain = self.groups.get(from).default_domain.is_some();
        let members = self.groups.get(from).members.clone();
        self.events.push(Event::Merged { into, from });
        self.relocate(&members, from, into);
        if wants_domain && self.groups.contains(into) {
            self.set_up_default_domain(into);
        }
        self.free_domains(from);
        self.groups.remove(from);
        into
    }

    /// Gives what is no longer connected with a group's first member groups of its own.
    pub(crate) fn split(&mut self, group: GroupId) {
        if self.groups.get(group).classes.len() < 2 {
            return;
        }
        let leaders = self.connected(self.groups.get(group).members.iter().copied());
        let mut parts: BTreeMap<DeviceId, Vec<DeviceId>> = BTreeMap::new();
        for member in self.groups.get(group).members.clone() {
            parts.entry(leaders[member.0 as usize]).or_default().push(member);
        }
        let has_domain = self.groups.get(group).default_domain.is_some();
        for members in parts.into_values().skip(1) {
            let new = self.groups.create();
            self.events.push(Event::Split { from: group, new });
            self.relocate(&members, group, new);
            if has_domain && self.groups.contains(new) {
                self.set_up_default_domain(new);
            }
        }
    }

    /// Moves members, with their endpoints and classes, and attaches them where the new group is attached.
    fn relocate(&mut self, members: &[DeviceId], from: GroupId, into: GroupId) {
        for member in members {
            // A driver that has mappings in the domain that is left has to start again.
            let uses_domain = |binding: &Binding| binding.owns == Some(from);
            if self.device(*member).driver.as_ref().is_some_and(uses_domain) {
                self.release_driver(*member);
                self.queue_bind(*member);
            }
        }
        for member in members {
            let class = self.class_of(*member).expect("a member of a group is grouped");
            let DmaState::Grouped(membership) = &mut self.device_mut(*member).dma else {
                unreachable!("a member of a group is grouped")
            };
            membership.group = into;
            let fwspecs = membership.fwspecs.clone();
            for fwspec in &fwspecs {
                for endpoint in &fwspec.endpoints {
                    if let Some(attachment) = self.instance_mut(fwspec.instance).endpoints.get_mut(endpoint) {
                        attachment.group = into;
                    }
                }
            }
            self.groups.remove_class(from, class);
            self.groups.add_class(into, class);
            self.groups.get_mut(from).members.retain(|other| other != member);
            self.groups.get_mut(into).members.push(*member);
        }
        if self.groups.get(into).default_domain.is_some() {
            for member in members {
                self.attach_or_drop(into, *member);
            }
            self.wake(|until| matches!(until, Until::Domain));
        }
    }

    /// For each of `devices` that has a group, the lowest of those that it is connected with: by an isolation
    /// class or by an endpoint.
    pub(crate) fn connected(&self, devices: impl Iterator<Item = DeviceId>) -> Leaders {
        let mut leaders = self.unconnected();
        let mut first = First::new();
        for device in devices {
            let Some(membership) = self.membership(device) else { continue };
            let mut link = |link| unite(&mut leaders, device, *first.entry(link).or_insert(device));
            link(Link::Class(self.device(device).bus, membership.leader));
            for fwspec in &membership.fwspecs {
                for endpoint in &fwspec.endpoints {
                    link(Link::Endpoint(fwspec.instance, *endpoint));
                }
            }
        }
        for number in 0..leaders.len() {
            leaders[number] = find(&mut leaders, DeviceId(number as u32));
        }
        leaders
    }

    /// The groups as they are, in the same form: for every device the first that shares its group.
    pub(crate) fn partition(&self) -> Leaders {
        let mut leaders = self.unconnected();
        let mut first = First::new();
        for device in self.devices() {
            if let Some(membership) = self.membership(device.id) {
                let link = Link::Group(membership.group);
                leaders[device.id.0 as usize] = *first.entry(link).or_insert(device.id);
            }
        }
        leaders
    }

    /// Every device by itself.
    fn unconnected(&self) -> Leaders {
        (0..self.devices.len() as u32).map(DeviceId).collect()
    }
}

/// The lowest device of the set that `device` is in; shortens the way there.
fn find(leaders: &mut Leaders, device: DeviceId) -> DeviceId {
    let mut root = device;
    while leaders[root.0 as usize] != root {
        root = leaders[root.0 as usize];
    }
    let mut at = device;
    while at != root {
        at = mem::replace(&mut leaders[at.0 as usize], root);
    }
    root
}

fn unite(leaders: &mut Leaders, a: DeviceId, b: DeviceId) {
    let (a, b) = (find(leaders, a), find(leaders, b));
    leaders[a.max(b).0 as usize] = a.min(b);
}
