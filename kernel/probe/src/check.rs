//! The invariants I1 to I11 of the probe path, checked while it runs.
//!
//! I3, I4 and I5 are checked in the step that could break them, the others whenever the machine is
//! at rest.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::data::dma::{DmaState, Ungrouped};
use crate::data::id::{DeviceId, FwNode, GroupId};
use crate::grouping::connected::{First, Link, connected, partition};
use crate::table::Tables;
use crate::table::bind::Until;
use crate::table::device::Device;
use crate::table::group::Group;
use crate::table::instance::Attachment;
use crate::table::invariant::Id;

/// The broken invariants, each with its violation.
pub(crate) type Broken = Vec<(Id, String)>;

/// Checks the invariants that hold at rest, in addition to those that a path has found `broken`.
/// The cost is linear in devices.
pub(crate) fn at_rest<D>(tables: &mut Tables<D>, mut broken: Broken) {
    check_classes(tables, &mut broken);
    check_devices(tables, &mut broken);
    check_groups(tables, &mut broken);
    check_instances(tables, &mut broken);
    check_deferred(tables, &mut broken);
    if connected(tables, tables.devices.iter().map(Device::id)) != partition(tables) {
        broken.push((Id::I10, "the groups do not match isolation classes and shared endpoints".into()));
    }
    for (id, by) in broken {
        tables.invariants.broken(id, || by);
    }
}

/// Phase 1 of `device` has failed; `losses` had been counted before. No other device may have lost its group for that
/// (I5).
pub(crate) fn others_kept_their_groups<D>(tables: &mut Tables<D>, device: DeviceId, losses: u64) {
    if tables.groups.losses() != losses {
        let by = || format!("{} made another device lose its group", tables.devices[device].name());
        tables.invariants.broken(Id::I5, by);
    }
}

fn check_classes<D>(tables: &Tables<D>, broken: &mut Broken) {
    let mut firsts = First::default();
    for device in tables.devices.iter() {
        let Some(membership) = tables.membership(device.id()) else {
            continue;
        };
        let leader = tables.buses[device.bus()].grouping(device.unit()).leader;
        let first = *firsts.get_or_insert(Link::Class(device.bus(), leader), device.id());
        if tables.membership(first).is_some_and(|other| other.group() != membership.group()) {
            let first = tables.devices[first].name();
            broken.push((
                Id::I1,
                format!(
                    "{} and {first} cannot be isolated from each other, but are in two groups",
                    device.name()
                ),
            ));
        }
    }
}

fn check_devices<D>(tables: &Tables<D>, broken: &mut Broken) {
    let is_behind = |device: &Device<D>, nodes: &[FwNode]| {
        device.node().is_some_and(|own| nodes.iter().any(|node| tables.firmware.is_behind(*node, own)))
    };
    for device in tables.devices.iter() {
        // A host bridge that waited for an IOMMU behind itself had to give up.
        if let DmaState::Ungrouped(Ungrouped::Waiting(nodes)) = device.dma()
            && nodes.iter().all(|node| tables.instances.is_ready(*node))
            && !is_behind(device, nodes)
        {
            broken.push((Id::I2, format!("{} has no group although its IOMMU is ready", device.name())));
        }
    }
}

fn check_groups<D>(tables: &Tables<D>, broken: &mut Broken) {
    let mut owners = vec![0; tables.groups.numbers()];
    for group in tables.devices.iter().filter_map(|device| device.binding()?.owns) {
        if let Some(count) = owners.get_mut(group.0 as usize) {
            *count += 1;
        }
    }
    for group in tables.groups.iter() {
        let (id, counted) = (group.id(), group.owners());
        let bound = owners[id.0 as usize];
        if bound != counted {
            broken.push((Id::I8, format!("group {id} counts {counted} owners, but has {bound}")));
        }
        check_owner(tables, group, broken);
        for member in group.members() {
            if !is_attached(tables, *member, id) {
                let name = tables.devices[*member].name();
                broken.push((Id::I6, format!("{name} is not attached to the domain of its group {id}")));
            }
        }
    }
    if !tables.groups.numbers_are_complete() {
        broken.push((Id::I7, "a group number was skipped".into()));
    }
}

/// A claimed group has an owner, and its members can reach no domain but the owner's.
fn check_owner<D>(tables: &Tables<D>, group: &Group, broken: &mut Broken) {
    let Some(ownership) = group.ownership() else { return };
    let id = group.id();
    match tables.ownerships.find(ownership) {
        Some(ownership) if ownership.claims() > 0 => {
            if !group.domains().iter().all(|domain| ownership.has_domain(domain)) {
                broken
                    .push((Id::I8, format!("group {id} is claimed, but not attached to its owner's domain")));
            }
        }
        _ => broken.push((Id::I8, format!("group {id} is claimed, but has no owner"))),
    }
}

fn is_attached<D>(tables: &Tables<D>, member: DeviceId, group: GroupId) -> bool {
    let Some(membership) = tables.membership(member).filter(|membership| membership.group() == group) else {
        return false;
    };
    membership.fwspecs().iter().all(|fwspec| {
        let instance = &tables.instances[fwspec.instance];
        let domain = tables.groups[group].domain_on(fwspec.instance);
        let is_here = |attachment: &Attachment| attachment.domain == domain && attachment.group == group;
        domain.is_some()
            && fwspec.endpoints.iter().all(|endpoint| instance.attachment(*endpoint).is_some_and(is_here))
    })
}

fn check_instances<D>(tables: &Tables<D>, broken: &mut Broken) {
    let mut users = vec![0; tables.instances.numbers()];
    let memberships = tables.devices.iter().filter_map(|device| tables.membership(device.id()));
    for fwspec in memberships.flat_map(|membership| membership.fwspecs()) {
        users[fwspec.instance.0 as usize] += u32::try_from(fwspec.endpoints.len()).unwrap_or(u32::MAX);
    }
    for instance in tables.instances.iter() {
        let counted: u32 = instance.attachments().map(|(_, attachment)| attachment.users).sum();
        if counted != users[instance.id().0 as usize] {
            let name = tables.iommu_name(instance.id());
            broken.push((Id::I9, format!("{name} still has endpoints of devices without a group")));
        }
    }
}

fn check_deferred<D>(tables: &Tables<D>, broken: &mut Broken) {
    for deferred in tables.binds.deferred() {
        let has_domain = |group| tables.groups[group].has_domain();
        let awaited = match deferred.until() {
            Until::Domain
                if tables
                    .membership(deferred.device())
                    .is_none_or(|membership| has_domain(membership.group())) =>
            {
                "a default domain that exists"
            }
            Until::Ready(nodes) if nodes.iter().all(|node| tables.instances.is_ready(*node)) => {
                "an IOMMU that is ready"
            }
            _ => continue,
        };
        let name = tables.devices[deferred.device()].name();
        broken.push((Id::I11, format!("{name} still waits for {awaited}")));
    }
}
