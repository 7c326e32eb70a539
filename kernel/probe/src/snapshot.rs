//! Copies and comparisons of whole machines, for a caller that tries all that can happen to one.
//!
//! Real buses, drivers and IOMMUs cannot be copied, so none of the traits that they implement asks for it. The caller
//! knows its own models, and makes them again as a [`Models`].

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use crate::activity::{Activity, Work};
use crate::core::Core;
use crate::data::dma::DmaState;
use crate::data::id::{DeviceId, GroupId};
use crate::linux::activity::LinuxActivity;
use crate::linux::adapter::LinuxBus;
use crate::linux::state::Linux;
use crate::table::Tables;
use crate::table::bind::{Task, Until};
use crate::table::bus::Walk;
use crate::table::device::Device;
use crate::traits::bus::Bus;
use crate::traits::driver::Driver;
use crate::traits::firmware::FirmwareMap;
use crate::traits::iommu::SharedIommu;

/// What makes once more the models that a machine is made of. They have no state of their own, and so are known by their
/// names, except for what Linux's paths switch on.
pub trait Models<D> {
    /// The bus with this name.
    fn bus(&self, name: &str) -> Box<dyn Bus>;

    /// What groups the devices of the bus with this name as Linux does; with the state that it has now.
    fn linux_bus(&self, name: &str) -> Box<dyn LinuxBus>;

    /// The driver with this name.
    fn driver(&self, name: &str) -> Box<dyn Driver<D>>;

    /// The IOMMU that this device is.
    fn iommu(&self, device: &D) -> SharedIommu;

    /// Firmware's map.
    fn firmware(&self) -> Box<dyn FirmwareMap>;
}

impl<D: Clone> Core<D> {
    /// An independent copy, at the same point.
    #[must_use]
    pub fn fork(&self, models: &impl Models<D>) -> Self {
        let tables = &self.tables;
        Self {
            path: self.path,
            tables: Tables {
                policy: tables.policy,
                firmware: models.firmware(),
                buses: tables.buses.copied(|bus| models.bus(bus.name())),
                devices: tables.devices.clone(),
                drivers: tables.drivers.copied(|driver| models.driver(driver.name())),
                instances: tables.instances.copied(|iommu| models.iommu(tables.devices[iommu].handle())),
                groups: tables.groups.clone(),
                ownerships: tables.ownerships.clone(),
                binds: tables.binds.clone(),
                log: tables.log.clone(),
                invariants: tables.invariants.clone(),
            },
            linux: self
                .linux
                .as_ref()
                .map(|linux| linux.copied(|bus| models.linux_bus(tables.buses[bus].name()))),
            current: self.current.clone(),
        }
    }
}

/// A device, whatever number it got: its bus, and its number there.
type Address = (u32, u32);

/// A work item, in numbers that do not depend on how the machine came here.
type Item = (u8, Option<Address>, u64);

impl<D> Core<D> {
    /// Hashes everything that determines what can happen next, except the state of a [`LinuxBus`], and which invariants
    /// are broken.
    ///
    /// Two machines that differ only in numbers (of groups, domains, devices, drivers), in what has happened before,
    /// or in the order in which work is queued, have the same hash: whatever compares machines begins any of it, and
    /// has no two drivers for one device. The
    /// order of devices on their buses counts only if `walks`: an IOMMU will walk them.
    pub fn hash_state(&self, held: &[Activity], walks: bool, state: &mut impl Hasher) {
        let tables = &self.tables;
        let mut devices: Vec<(Address, &Device<D>)> =
            self.devices().map(|device| (address_of(device), device)).collect();
        devices.sort_unstable_by_key(|(address, _)| *address);
        for (address, device) in &devices {
            address.hash(state);
            self.hash_device(device, state);
        }
        if walks {
            for devices in tables.buses.by_bus() {
                devices.iter().for_each(|device| address(tables, *device).hash(state));
            }
        }
        let mut drivers: Vec<&str> = tables.drivers.names().collect();
        drivers.sort_unstable();
        drivers.hash(state);
        for instance in self.instances() {
            (address(tables, instance.device()), instance.node(), instance.state()).hash(state);
            for (endpoint, attachment) in instance.attachments() {
                (endpoint, attachment.users, group_address(tables, attachment.group)).hash(state);
                attachment.domain.is_some().hash(state);
            }
        }
        for group in self.groups() {
            (group_address(tables, group.id()), group.domain_type(), group.owners()).hash(state);
            if let Some(ownership) = self.ownership(group) {
                (ownership.owner(), ownership.claims(), ownership.is_blocked()).hash(state);
                let mut kept_out: Vec<Option<Address>> =
                    ownership.kept_out().iter().map(|device| address(tables, *device)).collect();
                kept_out.sort_unstable();
                kept_out.hash(state);
            }
        }
        let mut queued: Vec<Item> =
            tables.binds.queued().map(|task| item(tables, &Work::Task(task))).collect();
        queued.sort_unstable();
        let mut held: Vec<Item> = held.iter().map(|activity| item(tables, &activity.0)).collect();
        held.sort_unstable();
        let deferred = tables.binds.deferred().iter();
        let mut deferred: Vec<(Option<Address>, &Until)> =
            deferred.map(|deferred| (address(tables, deferred.device()), deferred.until())).collect();
        deferred.sort_unstable_by_key(|(address, _)| *address);
        (queued, held, deferred, tables.binds.is_expired()).hash(state);
        tables.drivers.overrides().hash(state);
        tables.invariants.broken_ones().hash(state);
        if let Some(linux) = &self.linux {
            self.hash_linux(linux, state);
        }
    }

    fn hash_device(&self, device: &Device<D>, state: &mut impl Hasher) {
        device.flags().hash(state);
        let bound = device.binding();
        bound.map(|binding| (self.driver_name(binding.driver), binding.owns.is_some())).hash(state);
        match device.dma() {
            DmaState::Grouped(membership) => {
                (true, group_address(&self.tables, membership.group()), membership.leader()).hash(state);
                membership.fwspecs().iter().for_each(|fwspec| fwspec.endpoints.hash(state));
            }
            DmaState::Ungrouped(why) => (false, why).hash(state),
        }
        if let Some(linux) = &self.linux {
            let id = device.id();
            linux.binding(id).map(|driver| self.driver_name(driver)).hash(state);
            (linux.is_arriving(id), linux.is_triggered(id), linux.iommu(id)).hash(state);
        }
    }

    fn hash_linux(&self, linux: &Linux, state: &mut impl Hasher) {
        self.instances().for_each(|instance| linux.is_unregistered(instance.id()).hash(state));
        (linux.isolation_requested(), linux.oops().is_some()).hash(state);
    }
}

fn address_of<D>(device: &Device<D>) -> Address {
    (device.bus().0, device.unit().0)
}

fn address<D>(tables: &Tables<D>, device: DeviceId) -> Option<Address> {
    tables.devices.find(device).map(address_of)
}

/// A group, by the first of its members.
fn group_address<D>(tables: &Tables<D>, group: GroupId) -> Option<Address> {
    let members = tables.groups.contains(group).then(|| tables.groups[group].members())?;
    members.iter().filter_map(|member| address(tables, *member)).min()
}

fn item<D>(tables: &Tables<D>, work: &Work) -> Item {
    let mut rest = Fnv::default();
    let hash_walk = |walk: &Walk, groups: &mut dyn Iterator<Item = &GroupId>, rest: &mut Fnv| {
        walk.position(&tables.buses).hash(rest);
        groups.for_each(|group| group_address(tables, *group).hash(rest));
    };
    let kind = match work {
        Work::Replay(replay) => {
            hash_walk(replay.walk(), &mut replay.groups().iter(), &mut rest);
            0
        }
        Work::Task(Task::Probe(_)) => 1,
        Work::Task(Task::Bind(_)) => 2,
        Work::Linux(LinuxActivity::Arrive(arrival)) => {
            arrival.stage().hash(&mut rest);
            3
        }
        Work::Linux(LinuxActivity::Bind(bind)) => {
            bind.stage().hash(&mut rest);
            4
        }
        Work::Linux(LinuxActivity::Register(registration)) => {
            registration.stage().hash(&mut rest);
            hash_walk(registration.walk(), &mut registration.groups().iter(), &mut rest);
            5
        }
    };
    (kind, work.device(tables).and_then(|device| address(tables, device)), rest.finish())
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
