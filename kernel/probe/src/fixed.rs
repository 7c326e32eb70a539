//! `fixed`: the two-phase path that keeps every invariant.
//!
//! Phase 1 runs when a device is added, when an IOMMU is published, and after an unbind. Phase 2
//! runs when a driver binds, and only reads the result of phase 1. The caller is passed explicitly
//! (as [`Asker`]) and never inferred from the state that an earlier step left; every IOMMU of the
//! device must be ready before anything is set up with any of them; and one device's failure does
//! not affect other devices.
//!
//! A replay cannot begin before its IOMMU can be looked up, because it takes a value that only
//! publishing creates. A walk by an IOMMU that cannot be found, which would group no device, does
//! therefore not compile:
//!
//! ```compile_fail,E0308
//! use probe::{Replay, SharedIommu};
//!
//! /// The driver registers its IOMMU: all devices are walked over, and after that it can be found.
//! fn register(ops: SharedIommu) -> Replay {
//!     Replay::of(ops)
//! }
//! ```
//!
//! With the value from publishing, it does:
//!
//! ```
//! use probe::{Published, Replay};
//!
//! fn register(published: Published) -> Replay {
//!     Replay::of(published)
//! }
//! ```

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

use crate::check;
use crate::data::dma::{DmaState, Trigger, Ungrouped};
use crate::data::event::Event;
use crate::data::id::{DeviceId, GroupId};
use crate::grouping::membership::LeaveCause;
use crate::grouping::regroup::{leave_group, release_driver, set_up_default_domain};
use crate::phase1::join::join;
use crate::phase1::resolve::{Resolution, resolve};
use crate::phase1::ring;
use crate::phase1::usable::{Asker, Join};
use crate::phase2::answer::{answer, describe};
use crate::phase2::attempt::{Outcome, attempt};
use crate::phase2::claim::DmaClaim;
use crate::table::Tables;
use crate::table::bind::Until;
use crate::table::bus::Walk;
use crate::table::device::Device;
use crate::table::group::Group;
use crate::table::instance::Published;
use crate::table::invariant::Id;

/// A replay between two devices: a published IOMMU walks over all devices, and then sets up default domains.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Replay {
    published: Published,
    walk: Walk,
    /// Groups that got their first member in this replay, in that order; they have no domain yet.
    groups: VecDeque<GroupId>,
}

impl Replay {
    /// The replay of an IOMMU that can be looked up, before the first device.
    #[must_use]
    pub fn of(published: Published) -> Self {
        Self { published, walk: Walk::default(), groups: VecDeque::new() }
    }

    /// The IOMMU.
    pub(crate) fn published(&self) -> &Published {
        &self.published
    }

    pub(crate) fn walk(&self) -> &Walk {
        &self.walk
    }

    pub(crate) fn groups(&self) -> &VecDeque<GroupId> {
        &self.groups
    }
}

/// A device is on its bus: phase 1, for it and for the IOMMUs with which it closes a ring; then a driver may bind it.
pub(crate) fn device_added<D>(tables: &mut Tables<D>, device: DeviceId) {
    phase1_at_once(tables, device, Trigger::Add);
    for iommu in ring::affected_by_iommu(tables, device) {
        let before = tables.devices[iommu].dma().clone();
        if matches!(before, DmaState::Grouped(_)) {
            release_driver(tables, iommu);
            leave_group(tables, iommu, LeaveCause::Other);
        }
        phase1_at_once(tables, iommu, Trigger::Add);
        if *tables.devices[iommu].dma() != before {
            tables.queue_bind(iommu);
        }
    }
    tables.queue_bind(device);
}

/// A device has lost its driver: if it is not in its group yet, it joins now.
pub(crate) fn driver_unbound<D>(tables: &mut Tables<D>, device: DeviceId) {
    phase1_at_once(tables, device, Trigger::Bind);
}

/// IOMMUs that a device waited for have become ready: phase 1 again.
pub(crate) fn iommus_ready<D>(tables: &mut Tables<D>, device: DeviceId) {
    phase1_at_once(tables, device, Trigger::Replay);
    // A bind in between was deferred, and has missed the event that it waits for.
    if tables.binds.is_deferred(device) {
        tables.binds.forget(device);
        tables.queue_bind(device);
    }
}

/// One attempt to bind a driver to a device that has none: the first driver that matches and succeeds. If that brings an
/// IOMMU, its replay follows.
pub(crate) fn bind<D>(tables: &mut Tables<D>, device: DeviceId) -> Option<Replay> {
    let mut slot = 0;
    while let Some(driver) = tables.next_driver(device, slot) {
        let claim = match set_up_dma(tables, device) {
            Ok(claim) => claim,
            Err(until) => {
                let detail = describe(tables, &until);
                tables.defer(device, driver, until, detail);
                return None;
            }
        };
        match attempt(tables, driver, claim.group(), claim) {
            Outcome::Bound(owns) => {
                tables.bound(device, driver, owns);
                return None;
            }
            Outcome::Iommu(ops) => {
                tables.bound(device, driver, None);
                let node = tables.devices[device].node();
                return Some(Replay::of(tables.publish(device, node, driver, ops)));
            }
            Outcome::Deferred(why) => {
                tables.defer(device, driver, Until::AnyBind, why);
                return None;
            }
            Outcome::Failed => slot = driver.0 as usize + 1,
            Outcome::Claimed => break,
        }
    }
    tables.binds.forget(device);
    None
}

/// The next device of a replay; after the last device the next group's default domain; then ready.
pub(crate) fn replay_step<D>(tables: &mut Tables<D>, mut replay: Replay) -> Option<Replay> {
    let instance = replay.published.id();
    if tables.instances.find(instance).is_none() {
        set_up_remaining_domains(tables);
        return None;
    }
    if let Some(device) = replay.walk.next(&tables.buses) {
        let asker = Asker::Replay(&replay.published);
        if let Some(created) = phase1(tables, device, asker, Trigger::Replay) {
            // A device that is only now replayed, and whose IOMMU was ready before, does not wait.
            let fwspecs = tables.membership(device).map(|membership| membership.fwspecs());
            if fwspecs.into_iter().flatten().any(|fwspec| fwspec.instance == instance) {
                replay.groups.push_back(created);
            } else {
                set_up_default_domain(tables, created);
            }
        }
    } else if let Some(group) = replay.groups.pop_front() {
        if tables.groups.contains(group) {
            set_up_default_domain(tables, group);
        }
    } else {
        set_up_remaining_domains(tables);
        ready(tables, replay.published);
        return None;
    }
    Some(replay)
}

/// Checks the invariants that hold at rest.
pub(crate) fn check_at_rest<D>(tables: &mut Tables<D>) {
    let mut broken = Vec::new();
    for device in tables.devices.iter() {
        if *device.dma() == DmaState::Ungrouped(Ungrouped::Unprobed) {
            broken.push((Id::I2, format!("{} was never probed", device.name())));
        }
    }
    check::at_rest(tables, broken);
}

/// Phase 2: the device's DMA is set up, or will never be.
///
/// # Errors
///
/// Not yet; the bind is to be tried again when this ends.
fn set_up_dma<D>(tables: &mut Tables<D>, device: DeviceId) -> Result<DmaClaim, Until> {
    answer(tables, device).or_else(|not_yet| match &tables.devices[device].dma() {
        DmaState::Ungrouped(Ungrouped::Waiting(nodes)) if tables.binds.is_expired() => {
            tables.log.event(Event::DependencyIgnored { device, nodes: nodes.clone() });
            Ok(not_yet.ignore())
        }
        _ => Err(not_yet.until()),
    })
}

/// Default domains of groups that are not in any replay's list: a group without a domain was split
/// in the middle of the replay, or the replay ended early because its IOMMU was removed.
fn set_up_remaining_domains<D>(tables: &mut Tables<D>) {
    let remaining: Vec<GroupId> =
        tables.groups.iter().filter(|group| !group.has_domain()).map(Group::id).collect();
    for group in remaining {
        // Another device's refusal may have ended it.
        if tables.groups.contains(group) {
            set_up_default_domain(tables, group);
        }
    }
}

/// Phase 1, and the default domain of a group that it made.
fn phase1_at_once<D>(tables: &mut Tables<D>, device: DeviceId, trigger: Trigger) {
    if let Some(created) = phase1(tables, device, Asker::Settled, trigger) {
        set_up_default_domain(tables, created);
    }
}

/// Phase 1: input IDs, map, instances, group. Returns the group if the device is its first member.
fn phase1<D>(
    tables: &mut Tables<D>,
    device: DeviceId,
    asker: Asker<'_>,
    trigger: Trigger,
) -> Option<GroupId> {
    if tables.membership(device).is_some() {
        return None;
    }
    let losses = tables.groups.losses();
    let (resolution, findings) = resolve(tables, device, asker);
    tables.log.find_all(findings);
    let state = match resolution {
        Resolution::Without(state) => state,
        Resolution::Instances(instances) => {
            // A driver that gave up waiting runs untranslated; it has to be restarted behind the
            // IOMMU.
            if tables.devices[device].driver().is_some() {
                release_driver(tables, device);
                tables.queue_bind(device);
            }
            match join(tables, Join::of(instances, trigger)) {
                Ok(joined) => return joined.created.then_some(joined.group),
                Err(error) => Ungrouped::Refused(error),
            }
        }
    };
    tables.note_ungrouped(device, state);
    check::others_kept_their_groups(tables, device, losses);
    None
}

/// The replay has finished: devices that waited for this IOMMU continue.
fn ready<D>(tables: &mut Tables<D>, published: Published) {
    let instance = published.id();
    tables.instances.ready(published);
    tables.log.event(Event::Ready(instance));
    let Some(node) = tables.instances[instance].node() else {
        return;
    };
    let waits = |device: &&Device<D>| matches!(device.dma(), DmaState::Ungrouped(Ungrouped::Waiting(nodes)) if nodes.contains(&node));
    let waiting = tables.devices.iter().filter(waits).map(Device::id).collect();
    tables.binds.queue_probes(waiting);
    tables.wake(|until| matches!(until, Until::Ready(nodes) if nodes.contains(&node)));
}
