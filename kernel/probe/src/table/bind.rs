//! The queue of work that has not begun, and deferred binds.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::data::id::{DeviceId, FwNode};

/// A queued piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    /// Phase 1 of a device whose IOMMUs have become ready.
    Probe(DeviceId),
    /// Phase 2 of a device.
    Bind(DeviceId),
}

impl Task {
    /// The device of the task.
    pub(crate) fn device(self) -> DeviceId {
        match self {
            Self::Probe(device) | Self::Bind(device) => device,
        }
    }
}

/// What ends a deferral.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum Until {
    /// Any of these IOMMUs becomes ready.
    Ready(Vec<FwNode>),
    /// A group gets its default domain; it may be that of this device.
    Domain,
    /// The claim that keeps the device out of its group is released.
    Release,
    /// Any driver binds.
    AnyBind,
}

/// A deferred bind.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Deferred {
    device: DeviceId,
    until: Until,
}

/// The queue and the deferred binds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Binds {
    queue: VecDeque<Task>,
    deferred: Vec<Deferred>,
    /// Devices do not wait for IOMMUs any more (Linux: the deferral timeout has expired).
    expired: bool,
}

impl Deferred {
    pub(crate) fn device(&self) -> DeviceId {
        self.device
    }

    pub(crate) fn until(&self) -> &Until {
        &self.until
    }
}

impl Binds {
    /// Queues a bind at the end.
    pub(crate) fn queue_bind(&mut self, device: DeviceId) {
        self.queue.push_back(Task::Bind(device));
    }

    /// Queues phase 1 of devices at the front, in this order.
    pub(crate) fn queue_probes(&mut self, devices: Vec<DeviceId>) {
        for device in devices.into_iter().rev() {
            self.queue.push_front(Task::Probe(device));
        }
    }

    /// Takes the task that has been queued longest.
    pub(crate) fn take(&mut self) -> Option<Task> {
        self.queue.pop_front()
    }

    /// Takes the task at `position` of the queue.
    pub(crate) fn take_at(&mut self, position: usize) -> Option<Task> {
        self.queue.remove(position)
    }

    /// The queue.
    pub(crate) fn queued(&self) -> impl ExactSizeIterator<Item = Task> {
        self.queue.iter().copied()
    }

    /// Defers a bind. A device that is deferred already keeps its position (Linux: `driver_deferred_probe_add`).
    pub(crate) fn defer(&mut self, device: DeviceId, until: Until) {
        match self.deferred.iter_mut().find(|deferred| deferred.device == device) {
            Some(deferred) => deferred.until = until,
            None => self.deferred.push(Deferred { device, until }),
        }
    }

    /// Removes the deferral of a device, if there is one.
    pub(crate) fn forget(&mut self, device: DeviceId) {
        self.deferred.retain(|deferred| deferred.device != device);
    }

    /// Whether a device's bind is deferred.
    pub(crate) fn is_deferred(&self, device: DeviceId) -> bool {
        self.deferred.iter().any(|deferred| deferred.device == device)
    }

    /// The deferred binds.
    pub(crate) fn deferred(&self) -> &[Deferred] {
        &self.deferred
    }

    /// Takes the devices whose deferral `is_over`, in the order in which they were deferred.
    pub(crate) fn take_deferred(&mut self, is_over: impl Fn(&Until) -> bool) -> Vec<DeviceId> {
        let over = self.deferred.extract_if(.., |deferred| is_over(&deferred.until));
        over.map(|deferred| deferred.device).collect()
    }

    /// Stops waiting for IOMMUs.
    pub(crate) fn expire(&mut self) {
        self.expired = true;
    }

    /// Whether devices have stopped waiting for IOMMUs.
    pub(crate) fn is_expired(&self) -> bool {
        self.expired
    }
}
