//! `fixed`: the two-phase path that keeps every invariant.
//!
//! Phase 1 runs when a device is added, when an IOMMU is published, and after an unbind. Phase 2 runs
//! when a driver binds, and only reads what phase 1 has found out. Who asks is said explicitly (as
//! [`Asker`]) and never inferred from what an earlier step left behind; readiness is asked of every
//! IOMMU that the device names, before anything is set up with any of them; and one device's failure
//! is that device's alone.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use crate::activity::{Replay, Until, Work};
use crate::check::Id;
use crate::core::Core;
use crate::data::event::Event;
use crate::phase1::resolve::{Asker, Resolution};
use crate::table::device::{DeviceId, DmaState, Trigger};
use crate::table::group::{Group, GroupId};
use crate::table::instance::{InstanceId, InstanceState};
use crate::traits::iommu::IommuOps;

/// A device is on its bus: phase 1, for it and for the IOMMUs with which it closes a ring.
pub(crate) fn device_added<D>(core: &mut Core<D>, device: DeviceId) {
    phase1_at_once(core, device, Trigger::Add);
    for iommu in core.affected_by_iommu(device) {
        let before = core.device(iommu).dma.clone();
        if matches!(before, DmaState::Grouped(_)) {
            core.release_driver(iommu);
            core.leave_group(iommu);
        }
        phase1_at_once(core, iommu, Trigger::Add);
        if core.device(iommu).dma != before {
            core.queue_bind(iommu);
        }
    }
}

/// A device has lost its driver: if it is still outside of its group, now is the time.
pub(crate) fn driver_unbound<D>(core: &mut Core<D>, device: DeviceId) {
    phase1_at_once(core, device, Trigger::Bind);
}

/// IOMMUs that a device waited for have become ready: phase 1 again.
pub(crate) fn iommus_ready<D>(core: &mut Core<D>, device: DeviceId) {
    phase1_at_once(core, device, Trigger::Replay);
    // A bind that came in between was put off, and has slept through what it waits for.
    if core.deferred.iter().any(|deferred| deferred.device == device) {
        core.forget_deferral(device);
        core.queue_bind(device);
    }
}

/// A driver has bound an IOMMU: publish it, then replay all devices against it.
pub(crate) fn iommu_bound<D>(core: &mut Core<D>, device: DeviceId, ops: Box<dyn IommuOps>) -> Work {
    let driver = core.device(device).driver().map_or("", |driver| core.driver_name(driver));
    Work::Replay(Replay::new(core.publish(device, driver, ops)))
}

/// The next device of a replay; after the last device the next group's default domain; then ready.
pub(crate) fn replay_step<D>(core: &mut Core<D>, mut replay: Replay) -> Option<Work> {
    if core.instances[replay.instance.0 as usize].is_none() {
        set_up_remaining_domains(core);
        return None;
    }
    if let Some(device) = next_device(core, &mut replay) {
        if let Some(created) = phase1(core, device, Asker::Replay(replay.instance), Trigger::Replay) {
            // Who is only now replayed behind an IOMMU that was ready before has nothing to wait for.
            let instances = core.membership(device).map(|membership| &membership.fwspecs);
            if instances.into_iter().flatten().any(|fwspec| fwspec.instance == replay.instance) {
                replay.groups.push_back(created);
            } else {
                core.set_up_default_domain(created);
            }
        }
    } else if let Some(group) = replay.groups.pop_front() {
        if core.groups.contains(group) {
            core.set_up_default_domain(group);
        }
    } else {
        set_up_remaining_domains(core);
        ready(core, replay.instance);
        return None;
    }
    Some(Work::Replay(replay))
}

/// Default domains of groups that nobody else remembers: they came out of a group without one when it came
/// apart in the middle of the replay, or the replay ended early because its IOMMU went.
fn set_up_remaining_domains<D>(core: &mut Core<D>) {
    let remaining: Vec<GroupId> =
        core.groups.iter().filter(|group| group.default_domain.is_none()).map(Group::id).collect();
    for group in remaining {
        // Another one's refusal may have ended it.
        if core.groups.contains(group) {
            core.set_up_default_domain(group);
        }
    }
}

/// Phase 2: whether the device's DMA is set up, and by which group.
///
/// # Errors
///
/// Not yet; the bind is to be tried again when this ends.
pub(crate) fn set_up_dma<D>(core: &mut Core<D>, device: DeviceId) -> Result<Option<GroupId>, Until> {
    match &core.device(device).dma {
        DmaState::Grouped(membership) => {
            let group = membership.group;
            if core.groups.get(group).default_domain.is_some() {
                return Ok(Some(group));
            }
            // The replay that made the group, of whichever IOMMU, has not come to its default domain yet.
            Err(Until::Domain)
        }
        DmaState::Waiting(nodes) if core.deferral_expired => {
            let nodes = nodes.clone();
            core.events.push(Event::DependencyIgnored { device, nodes });
            Ok(None)
        }
        DmaState::Waiting(nodes) => Err(Until::Ready(nodes.clone())),
        DmaState::Unprobed
        | DmaState::Untranslated(_)
        | DmaState::MapInvalid(_)
        | DmaState::IsIommu
        | DmaState::Refused(_) => Ok(None),
        DmaState::Probing | DmaState::Translated(_) | DmaState::Abandoned(_) => {
            unreachable!("states of Linux's paths")
        }
    }
}

/// Phase 1, and the default domain of a group that it made.
fn phase1_at_once<D>(core: &mut Core<D>, device: DeviceId, trigger: Trigger) {
    if let Some(created) = phase1(core, device, Asker::Settled, trigger) {
        core.set_up_default_domain(created);
    }
}

/// Phase 1: input IDs, map, instances, group. Returns the group if the device is its first member.
fn phase1<D>(core: &mut Core<D>, device: DeviceId, asker: Asker, trigger: Trigger) -> Option<GroupId> {
    if matches!(core.device(device).dma, DmaState::Grouped(_)) {
        return None;
    }
    let departures = core.departures;
    let state = match core.resolve(device, asker) {
        Resolution::Without(state) => state,
        Resolution::Targets(targets) => {
            // A driver that gave up waiting runs untranslated; it has to start again behind the IOMMU.
            if core.device(device).driver.is_some() {
                core.release_driver(device);
                core.queue_bind(device);
            }
            match core.join(device, &targets, trigger) {
                Ok(joined) => return joined.created.then_some(joined.group),
                Err(detail) => DmaState::Refused(detail),
            }
        }
    };
    core.set_dma(device, state);
    if core.departures != departures {
        let name = core.device(device).name.clone();
        core.invariants.broken(Id::I5, || format!("{name} cost another device its group"));
    }
    None
}

/// The replay is over: whoever waited for this IOMMU goes on.
fn ready<D>(core: &mut Core<D>, instance: InstanceId) {
    core.instance_mut(instance).state = InstanceState::Ready;
    core.events.push(Event::Ready(instance));
    let Some(node) = core.instance(instance).node else {
        return;
    };
    let waiting: Vec<DeviceId> = core
        .devices()
        .filter(|device| matches!(&device.dma, DmaState::Waiting(nodes) if nodes.contains(&node)))
        .map(|device| device.id)
        .collect();
    for device in waiting.into_iter().rev() {
        core.work.push_front(Work::Probe(device));
    }
    core.wake(|until| matches!(until, Until::Ready(nodes) if nodes.contains(&node)));
}

fn next_device<D>(core: &Core<D>, replay: &mut Replay) -> Option<DeviceId> {
    while replay.bus < core.buses.len() {
        if let Some(device) = core.next_on_bus(replay.bus, replay.after) {
            replay.after = Some(device);
            return Some(device);
        }
        replay.bus += 1;
        replay.after = None;
    }
    None
}
