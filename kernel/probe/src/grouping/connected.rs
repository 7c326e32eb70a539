//! Which devices belong together: those that isolation classes and shared endpoints connect,
//! independent of any order.

use alloc::vec::Vec;
use core::mem;

use addr::EndpointId;

use crate::data::id::{BusId, DeviceId, GroupId, InstanceId, Unit};
use crate::data::sorted_map::SortedMap;
use crate::table::Tables;

/// A property that connects devices.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Link {
    Class(BusId, Unit),
    Endpoint(InstanceId, EndpointId),
    Group(GroupId),
}

/// For each such property, the first device that has it. One type of map for all, because the
/// emulator translates the code of each type separately.
pub(crate) type First = SortedMap<Link, DeviceId>;

/// For each device, by number, the lowest one that it is connected with; itself if it has no group.
pub(crate) type Leaders = Vec<DeviceId>;

/// For each of `devices` that has a group, the lowest device that it is connected with by an
/// isolation class or an endpoint.
pub(crate) fn connected<D>(tables: &Tables<D>, devices: impl Iterator<Item = DeviceId>) -> Leaders {
    let mut leaders = unconnected(tables);
    let mut first = First::default();
    for device in devices {
        let Some(membership) = tables.membership(device) else { continue };
        let mut link = |link| unite(&mut leaders, device, *first.get_or_insert(link, device));
        link(Link::Class(tables.devices[device].bus(), membership.leader()));
        for fwspec in membership.fwspecs() {
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

/// The current groups in the same form: for every device, the first one in its group.
pub(crate) fn partition<D>(tables: &Tables<D>) -> Leaders {
    let mut leaders = unconnected(tables);
    let mut first = First::default();
    for device in tables.devices.iter() {
        if let Some(membership) = tables.membership(device.id()) {
            let link = Link::Group(membership.group());
            leaders[device.id().0 as usize] = *first.get_or_insert(link, device.id());
        }
    }
    leaders
}

/// Every device in a set of its own.
fn unconnected<D>(tables: &Tables<D>) -> Leaders {
    (0..tables.devices.numbers() as u32).map(DeviceId).collect()
}

/// The lowest device in the set of `device`; compresses the path to it.
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
