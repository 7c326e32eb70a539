//! Copies and comparisons of whole machines, for whoever tries all that can happen to one.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use crate::core::{BusSlot, Core};
use crate::device::Device;
use crate::driver::Driver;
use crate::instance::Instance;

impl<D: Clone> Core<D> {
    /// An independent copy, at the same point; none if a bus, a driver, an IOMMU or the firmware cannot be copied,
    /// as real ones cannot.
    pub fn fork(&self) -> Option<Self> {
        Some(Self {
            path: self.path,
            policy: self.policy,
            firmware: self.firmware.fork()?,
            buses: self.buses.iter().map(BusSlot::fork).collect::<Option<_>>()?,
            devices: self.devices.clone(),
            drivers: self.drivers.iter().map(fork_driver).collect::<Option<_>>()?,
            driver_names: self.driver_names.clone(),
            instances: self.instances.iter().map(fork_instance).collect::<Option<_>>()?,
            groups: self.groups.clone(),
            work: self.work.clone(),
            current: self.current.clone(),
            deferred: self.deferred.clone(),
            deferral_expired: self.deferral_expired,
            isolation_requested: self.isolation_requested,
            oops: self.oops.clone(),
            events: self.events.clone(),
            findings: self.findings.clone(),
            found: self.found.clone(),
            departures: self.departures,
            invariants: self.invariants.clone(),
        })
    }
}

impl BusSlot {
    fn fork(&self) -> Option<Self> {
        Some(Self { bus: self.bus.fork()?, devices: self.devices.clone() })
    }
}

/// A driver whose own probe runs is not in its slot; nobody can take a copy then.
fn fork_driver<D>(driver: &Option<Box<dyn Driver<D>>>) -> Option<Option<Box<dyn Driver<D>>>> {
    driver.as_ref()?.fork().map(Some)
}

fn fork_instance(instance: &Option<Instance>) -> Option<Option<Instance>> {
    let Some(this) = instance else { return Some(None) };
    Some(Some(Instance {
        ops: this.ops.fork()?,
        endpoints: this.endpoints.clone(),
        members: this.members.clone(),
        ..*this
    }))
}

impl<D> Core<D> {
    /// Hashes all that what happens next depends on, and which invariants are broken. What happened before,
    /// and what drivers and IOMMUs remember by themselves, is not part of it.
    pub fn hash_state(&self, state: &mut impl Hasher) {
        for device in &self.devices {
            device.as_ref().map(device_state).hash(state);
        }
        for slot in &self.buses {
            slot.bus.memory().hash(state);
        }
        self.driver_names.hash(state);
        for instance in &self.instances {
            instance.as_ref().map(instance_state).hash(state);
        }
        (&self.groups, &self.work, &self.current, &self.deferred).hash(state);
        (self.deferral_expired, self.isolation_requested, self.oops.is_some()).hash(state);
        let broken: Vec<bool> =
            self.invariants.verdicts().iter().map(|verdict| verdict.broken_by.is_some()).collect();
        broken.hash(state);
    }
}

fn device_state<D>(device: &Device<D>) -> impl Hash {
    let at = (device.id, device.bus, device.unit, device.enabled);
    let bind = (device.driver, device.bind_queued, device.binding, device.triggered, device.arriving);
    (at, device.dma.clone(), bind)
}

fn instance_state(instance: &Instance) -> impl Hash {
    (instance.id, instance.device, instance.state, instance.endpoints.clone(), instance.members.clone())
}
