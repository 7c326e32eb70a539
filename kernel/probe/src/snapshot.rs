//! Copies and comparisons of whole machines, for whoever tries all that can happen to one.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use crate::activity::{Activity, Until, Work};
use crate::core::{BusSlot, Core};
use crate::table::device::{Device, DeviceId, DmaState};
use crate::table::group::GroupId;
use crate::table::instance::{Instance, InstanceId};
use crate::traits::driver::Driver;

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
            overrides: self.overrides.clone(),
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

/// A device, whatever number it got: its bus, and its place there.
type Place = (u32, u32);

/// What a work item is about, in numbers that do not depend on how the machine came here.
type Item = (u8, Option<Place>, u64);

impl<D> Core<D> {
    /// Hashes all that what can happen next depends on, and which invariants are broken.
    ///
    /// Two machines that differ only in numbers (of groups, domains, devices, drivers), in what has happened before,
    /// or in the order in which work is queued, have the same hash: whoever compares machines begins any of it, and
    /// has no two drivers for one device. The
    /// order of devices on their buses counts only if `walks` says that somebody will walk them.
    pub fn hash_state(&self, held: &[Activity], walks: bool, state: &mut impl Hasher) {
        let mut devices: Vec<(Place, &Device<D>)> =
            self.devices().map(|device| (place(device), device)).collect();
        devices.sort_unstable_by_key(|(place, _)| *place);
        for (place, device) in &devices {
            place.hash(state);
            self.hash_device(device, state);
        }
        for slot in &self.buses {
            slot.bus.memory().hash(state);
            if walks {
                slot.devices.iter().for_each(|device| self.place(*device).hash(state));
            }
        }
        let mut drivers = self.driver_names.clone();
        drivers.sort_unstable();
        drivers.hash(state);
        for instance in self.instances() {
            (self.place(instance.device), instance.node, instance.state).hash(state);
            for (endpoint, attachment) in &instance.endpoints {
                (endpoint, attachment.users, self.group_place(attachment.group)).hash(state);
                attachment.domain.is_some().hash(state);
            }
        }
        for group in self.groups() {
            (self.group_place(group.id), group.default_domain.is_some(), group.owners).hash(state);
        }
        let mut queued: Vec<Item> = self.work.iter().map(|work| self.item(work)).collect();
        queued.sort_unstable();
        let mut held: Vec<Item> = held.iter().map(|activity| self.item(&activity.0)).collect();
        held.sort_unstable();
        let mut deferred: Vec<(Option<Place>, &Until)> =
            self.deferred.iter().map(|deferred| (self.place(deferred.device), &deferred.until)).collect();
        deferred.sort_unstable_by_key(|(place, _)| *place);
        (queued, held, deferred).hash(state);
        (self.deferral_expired, self.isolation_requested, self.oops.is_some()).hash(state);
        self.overrides.hash(state);
        self.invariants.broken_ones().hash(state);
    }

    fn place(&self, device: DeviceId) -> Option<Place> {
        self.devices[device.0 as usize].as_ref().map(place)
    }

    /// A group, by the first of its members.
    fn group_place(&self, group: GroupId) -> Option<Place> {
        let members = self.groups.contains(group).then(|| &self.groups.get(group).members)?;
        members.iter().filter_map(|member| self.place(*member)).min()
    }

    fn hash_device(&self, device: &Device<D>, state: &mut impl Hasher) {
        (device.enabled, device.bind_queued, device.triggered, device.arriving).hash(state);
        device.binding.map(|driver| self.driver_name(driver)).hash(state);
        let bound = device.driver.as_ref();
        bound.map(|binding| (self.driver_name(binding.driver), binding.owns.is_some())).hash(state);
        match &device.dma {
            DmaState::Grouped(membership) => {
                (u8::MAX, self.group_place(membership.group), membership.leader).hash(state);
                membership.fwspecs.iter().for_each(|fwspec| fwspec.endpoints.hash(state));
            }
            other => other.hash(state),
        }
    }

    fn item(&self, work: &Work) -> Item {
        let mut rest = Fnv::default();
        let (kind, device) = match work {
            Work::Replay(replay) => {
                (replay.bus, self.passed(replay.bus, replay.after)).hash(&mut rest);
                replay.groups.iter().for_each(|group| self.group_place(*group).hash(&mut rest));
                (0, self.instance_place(replay.instance))
            }
            Work::Probe(device) => (1, self.place(*device)),
            Work::Bind(device) => (2, self.place(*device)),
            Work::Arrive(arrival) => {
                arrival.stage().hash(&mut rest);
                (3, self.place(arrival.device()))
            }
            Work::BindInSteps(binding) => {
                binding.stage().hash(&mut rest);
                (4, self.place(binding.device()))
            }
            Work::Register(registration) => {
                let (bus, after, groups) = registration.position();
                (bus, self.passed(bus, after), registration.stage()).hash(&mut rest);
                groups.iter().for_each(|group| self.group_place(*group).hash(&mut rest));
                (5, self.place(registration.device()))
            }
        };
        (kind, device, rest.finish())
    }

    /// How many devices a walk has passed on a bus, of those that are there now.
    fn passed(&self, bus: usize, after: Option<DeviceId>) -> usize {
        let devices = self.buses.get(bus).map_or(&[][..], |slot| &slot.devices);
        after.map_or(0, |after| devices.partition_point(|device| *device <= after))
    }

    fn instance_place(&self, instance: InstanceId) -> Option<Place> {
        self.place(self.instances[instance.0 as usize].as_ref()?.device)
    }
}

fn place<D>(device: &Device<D>) -> Place {
    (device.bus.0, device.unit.0)
}

/// A hash without keys, so that it is the same in every run (Fowler, Noll, Vo: FNV-1a, 64 bits).
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
