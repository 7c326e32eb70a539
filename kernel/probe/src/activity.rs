//! What is still to be done, cut into pieces.
//!
//! A piece is what one thread of control does without letting go of the core: on Linux, what happens
//! under `iommu_probe_device_lock` or under a device's lock. Between two pieces anybody else may come in;
//! so a caller with several CPUs, or one that wants to try every interleaving, holds activities and
//! decides which of them goes on.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::core::Core;
use crate::fixed;
use crate::linux::{Arrival, Binding, Registration};
use crate::path;
use crate::table::device::{DeviceId, DmaState};
use crate::table::group::GroupId;
use crate::table::instance::InstanceId;
use crate::traits::firmware::FwNode;

/// Something that has been begun or can be: a replay, a bind, a device's arrival.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Activity(pub(crate) Work);

impl Activity {
    /// The device that it is about: the one that is added or bound, or the IOMMU whose replay it is.
    pub fn device<D>(&self, core: &Core<D>) -> Option<DeviceId> {
        match &self.0 {
            Work::Replay(replay) => {
                let instance = core.instances[replay.instance.0 as usize].as_ref();
                instance.map(|instance| instance.device)
            }
            Work::Probe(device) | Work::Bind(device) => Some(*device),
            Work::Arrive(arrival) => Some(arrival.device()),
            Work::BindInSteps(binding) => Some(binding.device()),
            Work::Register(registration) => Some(registration.device()),
        }
    }

    /// Whether it goes from device to device: an IOMMU's replay, or its registration.
    #[must_use]
    pub fn is_walk(&self) -> bool {
        matches!(self.0, Work::Replay(_) | Work::Register(_))
    }

    /// What the next piece of it does, for people.
    #[must_use]
    pub fn next_piece(&self) -> &'static str {
        match &self.0 {
            Work::Replay(_) => "replay: next device",
            Work::Probe(_) => "probe",
            Work::Bind(_) => "bind",
            Work::Arrive(arrival) => arrival.next_piece(),
            Work::BindInSteps(binding) => binding.next_piece(),
            Work::Register(registration) => registration.next_piece(),
        }
    }
}

/// One thing that is still to be done.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum Work {
    /// `fixed`: the next device, or the next group, of a replay.
    Replay(Replay),
    /// `fixed`: phase 1 of a device whose IOMMUs have become ready.
    Probe(DeviceId),
    /// Phase 2 of a device, not begun.
    Bind(DeviceId),
    /// Linux's paths: the notification that a device was added.
    Arrive(Arrival),
    /// Linux's paths: a bind that has begun.
    BindInSteps(Binding),
    /// Linux's paths: an IOMMU registers, and walks the buses.
    Register(Registration),
}

/// A replay between two devices.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Replay {
    pub(crate) instance: InstanceId,
    pub(crate) bus: usize,
    /// The device that was replayed last on this bus.
    pub(crate) after: Option<DeviceId>,
    /// Groups that got their first member in this replay, in that order; they have no domain yet.
    pub(crate) groups: VecDeque<GroupId>,
}

impl Replay {
    pub(crate) fn new(instance: InstanceId) -> Self {
        Self { instance, bus: 0, after: None, groups: VecDeque::new() }
    }
}

/// A bind that was put off.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Deferred {
    pub(crate) device: DeviceId,
    pub(crate) until: Until,
}

/// What ends a deferral.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum Until {
    /// Any of these IOMMUs becomes ready.
    Ready(Vec<FwNode>),
    /// A group gets its default domain; this device's may be it.
    Domain,
    /// Any driver binds.
    AnyBind,
}

impl<D> Core<D> {
    /// Takes the activity that has been queued longest.
    pub fn take(&mut self) -> Option<Activity> {
        self.work.pop_front().map(Activity)
    }

    /// Takes the activity at `position` of the queue.
    pub fn take_at(&mut self, position: usize) -> Option<Activity> {
        self.work.remove(position).map(Activity)
    }

    /// What is queued and not begun, by the device that it is about.
    pub fn queued(&self) -> impl Iterator<Item = Option<DeviceId>> {
        self.work.iter().map(|work| Activity(work.clone()).device(self))
    }

    /// Does one piece of an activity; what is left of it, if anything is.
    ///
    /// A piece is one device of a replay, one group's default domain, or one attempt to bind; on Linux's
    /// paths also each part of these between which Linux lets go of its locks.
    pub fn advance(&mut self, activity: Activity) -> Option<Activity> {
        self.advance_work(activity.0).map(Activity)
    }

    fn advance_work(&mut self, work: Work) -> Option<Work> {
        match work {
            Work::Replay(replay) => fixed::replay_step(self, replay),
            Work::Probe(device) if self.exists(device) => {
                fixed::iommus_ready(self, device);
                None
            }
            Work::Bind(device) if self.exists(device) => {
                self.device_mut(device).bind_queued = false;
                path::bind(self, device)
            }
            // The device was removed after this was queued.
            Work::Probe(_) | Work::Bind(_) => None,
            // The kernel has died with its probe lock held: nobody gets any further.
            Work::Arrive(_) | Work::BindInSteps(_) | Work::Register(_) if self.oops.is_some() => None,
            Work::Arrive(arrival) => arrival.advance(self),
            Work::BindInSteps(binding) => binding.advance(self),
            Work::Register(registration) => registration.advance(self),
        }
    }

    /// Whether the next piece of a walk is about a device that firmware leads to no IOMMU, or that has its group:
    /// then it changes nothing, whatever happens before it, as long as nothing is taken away.
    pub fn next_is_idle(&self, activity: &Activity) -> bool {
        let position = match &activity.0 {
            Work::Replay(replay) => Some((replay.bus, replay.after)),
            Work::Register(registration) => registration.between_devices(),
            _ => None,
        };
        let next =
            position.and_then(|(bus, after)| self.next_on_bus(bus, after)).map(|next| self.device(next));
        next.is_some_and(|next| matches!(next.dma, DmaState::Untranslated(_) | DmaState::Grouped(_)))
    }

    /// Does one piece of what is queued; false if there is nothing to do. What has been begun comes first.
    pub fn step(&mut self) -> bool {
        let Some(work) = self.current.take().or_else(|| self.work.pop_front()) else {
            return false;
        };
        self.current = self.advance_work(work);
        true
    }

    /// Does everything that is queued, then checks the invariants that hold at rest.
    ///
    /// It ends: a replay moves forward over the devices, and a bind is retried only after an IOMMU became
    /// ready, a group got its domain or another driver bound, each of which happens a bounded number of times.
    pub fn settle(&mut self) {
        while self.step() {}
        self.check_at_rest();
    }

    /// The device after `after` on a bus; devices are in the order in which they were added.
    pub(crate) fn next_on_bus(&self, bus: usize, after: Option<DeviceId>) -> Option<DeviceId> {
        let devices = &self.buses.get(bus)?.devices;
        let place = after.map_or(0, |after| devices.partition_point(|device| *device <= after));
        devices.get(place).copied()
    }
}
