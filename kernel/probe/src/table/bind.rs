//! What is queued and not begun, and which binds were put off.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::data::id::{DeviceId, FwNode};

/// One thing that is queued.
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
    /// A group gets its default domain; this device's may be it.
    Domain,
    /// The claim that keeps the device out of its group is released.
    Release,
    /// Any driver binds.
    AnyBind,
}

/// A bind that was put off.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Deferred {
    device: DeviceId,
    until: Until,
}

/// The queue, and the binds that were put off.
#[derive(Clone, Debug, Default)]
pub(crate) struct Binds {
    queue: VecDeque<Task>,
    deferred: Vec<Deferred>,
    /// Waiting for an IOMMU has been given up (Linux: the deferral timeout has expired).
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
    /// Queues an attempt to bind behind all else.
    pub(crate) fn queue_bind(&mut self, device: DeviceId) {
        self.queue.push_back(Task::Bind(device));
    }

    /// Queues phase 1 of devices before all else, in this order.
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

    /// What is queued.
    pub(crate) fn queued(&self) -> impl ExactSizeIterator<Item = Task> {
        self.queue.iter().copied()
    }

    /// Puts a bind off. A device that was put off before keeps its place among those that wait (Linux:
    /// `driver_deferred_probe_add`).
    pub(crate) fn defer(&mut self, device: DeviceId, until: Until) {
        match self.deferred.iter_mut().find(|deferred| deferred.device == device) {
            Some(deferred) => deferred.until = until,
            None => self.deferred.push(Deferred { device, until }),
        }
    }

    /// A device does not wait any more, if it did.
    pub(crate) fn forget(&mut self, device: DeviceId) {
        self.deferred.retain(|deferred| deferred.device != device);
    }

    /// Whether a device's bind was put off.
    pub(crate) fn is_deferred(&self, device: DeviceId) -> bool {
        self.deferred.iter().any(|deferred| deferred.device == device)
    }

    /// What was put off.
    pub(crate) fn deferred(&self) -> &[Deferred] {
        &self.deferred
    }

    /// Takes the devices whose deferral `is_over`, in the order in which they were put off.
    pub(crate) fn take_deferred(&mut self, is_over: impl Fn(&Until) -> bool) -> Vec<DeviceId> {
        let over = self.deferred.extract_if(.., |deferred| is_over(&deferred.until));
        over.map(|deferred| deferred.device).collect()
    }

    /// Gives up waiting for IOMMUs.
    pub(crate) fn expire(&mut self) {
        self.expired = true;
    }

    /// Whether waiting for IOMMUs has been given up.
    pub(crate) fn is_expired(&self) -> bool {
        self.expired
    }
}
