//! The core's verbs: add, remove, register, unbind, rebind, expire, settle. Everything else follows from them.
//!
//! A verb changes the machine and queues what follows from it; [`Core::step`] does one piece of that,
//! and [`Core::settle`] all of it. So a caller that wants to look, or to interfere, between two
//! devices of a replay can; and one that wants several activities to be in progress at once has
//! [`Core::take`] and [`Core::advance`].

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::activity::{Activity, Work};
use crate::data::domain::DomainPolicy;
use crate::data::event::Event;
use crate::data::finding::Finding;
use crate::data::id::{BusId, DeviceId, DriverId, FwNode, InstanceId};
use crate::data::path::Path;
use crate::data::reserved::{ReservedRegion, merge_reserved};
use crate::fixed;
use crate::grouping::membership::{LeaveCause, withdraw};
use crate::grouping::regroup;
use crate::linux;
use crate::linux::activity::LinuxActivity;
use crate::linux::adapter::{LinuxBus, LinuxFirmware};
use crate::linux::state::Linux;
use crate::table::Tables;
use crate::table::device::{Device, NewDevice};
use crate::table::group::Group;
use crate::table::instance::Instance;
use crate::table::invariant::Verdict;
use crate::traits::bus::Bus;
use crate::traits::driver::Driver;
use crate::traits::firmware::FirmwareMap;

/// The probe path's state: devices, buses, drivers, instances, groups, and what is still to be done.
///
/// `D` is the machine's own handle to a device; the core hands it to drivers and never looks into it.
pub struct Core<D> {
    pub(crate) path: Path,
    pub(crate) tables: Tables<D>,
    /// What the path remembers beside the tables; `fixed` remembers nothing.
    pub(crate) linux: Option<Linux>,
    /// What [`Core::step`] has begun.
    pub(crate) current: Option<Work>,
}

impl<D> Core<D> {
    /// A machine without devices, on the path `fixed`.
    pub fn fixed(policy: DomainPolicy, firmware: Box<dyn FirmwareMap>) -> Self {
        Self { path: Path::Fixed, tables: Tables::new(policy, firmware), linux: None, current: None }
    }

    /// A machine without devices, on any path.
    pub fn new(path: Path, policy: DomainPolicy, firmware: Box<dyn LinuxFirmware>) -> Self {
        let linux = linux::rules_of(path).map(|rules| Linux::new(rules, firmware.linux_quirks()));
        Self { path, tables: Tables::new(policy, firmware), linux, current: None }
    }

    /// Adds a bus. A replay walks the buses in the order in which they were added; Linux's is platform,
    /// PCI, AMBA (`iommu_buses`).
    pub fn add_bus(&mut self, bus: Box<dyn Bus>) -> BusId {
        self.tables.buses.add(bus)
    }

    /// Says how Linux's paths group the devices of a bus. On a bus of which nothing is said, each has a group of its own.
    pub fn group_as_linux(&mut self, bus: BusId, as_linux: Box<dyn LinuxBus>) {
        if let Some(linux) = &mut self.linux {
            linux.add_bus(bus, as_linux);
        }
    }

    /// Adds a device and runs phase 1 for it; if there is a driver for it, binding that is queued.
    pub fn add_device(&mut self, bus: BusId, new: NewDevice<D>) -> DeviceId {
        let (id, mut rest) = self.begin_add_device(bus, new);
        while let Some(activity) = rest {
            rest = self.advance(activity);
        }
        id
    }

    /// Puts a device on its bus; what else adding it means is returned, unless the path does that at once.
    pub fn begin_add_device(&mut self, bus: BusId, new: NewDevice<D>) -> (DeviceId, Option<Activity>) {
        let Self { tables, linux, .. } = self;
        let id = tables.devices.add(bus, new);
        tables.buses.put(bus, id);
        tables.log.event(Event::DeviceAdded(id));
        match linux {
            None => {
                fixed::device_added(tables, id);
                (id, None)
            }
            Some(linux) => {
                let arrival = LinuxActivity::arrive(linux, tables, id);
                (id, Some(Activity(Work::Linux(arrival))))
            }
        }
    }

    /// Registers a driver; every device that it matches and that has no driver is queued for it.
    pub fn register_driver(&mut self, driver: Box<dyn Driver<D>>) -> DriverId {
        let tables = &mut self.tables;
        let id = tables.drivers.register(driver);
        let mut matching = Vec::new();
        for devices in tables.buses.by_bus() {
            for device in devices {
                let this = &tables.devices[*device];
                if this.may_bind() && tables.drivers.is_for(id, this) {
                    matching.push(*device);
                }
            }
        }
        for device in matching {
            tables.queue_bind(device);
        }
        id
    }

    /// Unbinds a device's driver. Its group stays; if it is an IOMMU, that is unpublished first.
    pub fn unbind(&mut self, device: DeviceId) {
        self.release_driver(device);
        if self.linux.is_none() {
            fixed::driver_unbound(&mut self.tables, device);
        }
    }

    /// Queues another attempt to bind a driver, as writing to `drivers_probe` does on Linux.
    pub fn rebind(&mut self, device: DeviceId) {
        self.tables.queue_bind(device);
    }

    /// From now on, only the driver of this name is for the device, whatever it matches otherwise; or as before. A driver
    /// that is bound stays (Linux: `driver_override`).
    pub fn override_driver(&mut self, device: DeviceId, driver: Option<&str>) {
        let name = self.device(device).name().into();
        self.tables.drivers.set_override(name, driver.map(Into::into));
    }

    /// The same for a device that is added later, by its name.
    pub fn override_driver_of(&mut self, device: String, driver: String) {
        self.tables.drivers.set_override(device, Some(driver));
    }

    /// Removes a device: unbinds it, takes it out of its group, forgets it.
    pub fn remove_device(&mut self, device: DeviceId) {
        self.release_driver(device);
        let Self { tables, linux, .. } = self;
        match linux {
            None => regroup::leave_group(tables, device, LeaveCause::Other),
            Some(linux) => {
                withdraw(tables, device, LeaveCause::Other);
                linux.forget(device);
            }
        }
        tables.binds.forget(device);
        let this = &tables.devices[device];
        tables.buses.take(this.bus(), device);
        tables.drivers.set_override(this.name().into(), None);
        tables.devices.remove(device);
        tables.log.event(Event::DeviceRemoved(device));
    }

    /// Gives up waiting for IOMMUs that never came, as Linux does when the deferral timeout expires:
    /// their devices are bound without them. A device that is bound so stays out of every group until
    /// it is unbound.
    pub fn expire_deferrals(&mut self) {
        self.tables.binds.expire();
        self.tables.wake(|_| true);
    }

    /// Takes the activity that has been queued longest.
    pub fn take(&mut self) -> Option<Activity> {
        self.tables.binds.take().map(|task| Activity(Work::Task(task)))
    }

    /// Takes the activity at `position` of the queue.
    pub fn take_at(&mut self, position: usize) -> Option<Activity> {
        self.tables.binds.take_at(position).map(|task| Activity(Work::Task(task)))
    }

    /// What is queued and not begun, by the device that it is about.
    pub fn queued(&self) -> impl Iterator<Item = DeviceId> {
        self.tables.binds.queued().map(|task| task.device())
    }

    /// The device that an activity is about: the one that is added or bound, or the IOMMU whose replay it is.
    pub fn device_of(&self, activity: &Activity) -> Option<DeviceId> {
        activity.0.device(&self.tables)
    }

    /// Does one piece of an activity; what is left of it, if anything is.
    ///
    /// A piece is one device of a replay, one group's default domain, or one attempt to bind; on Linux's
    /// paths also each part of these between which Linux lets go of its locks.
    pub fn advance(&mut self, activity: Activity) -> Option<Activity> {
        activity.0.advance(self.linux.as_mut(), &mut self.tables).map(Activity)
    }

    /// Whether the next piece of a walk is about a device that firmware leads to no IOMMU, or that has its group:
    /// then it changes nothing, whatever happens before it, as long as nothing is taken away.
    pub fn next_is_idle(&self, activity: &Activity) -> bool {
        activity.0.next_is_idle(&self.tables)
    }

    /// Does one piece of what is queued; false if there is nothing to do. What has been begun comes first.
    pub fn step(&mut self) -> bool {
        let queued = || self.tables.binds.take().map(Work::Task);
        let Some(work) = self.current.take().or_else(queued) else {
            return false;
        };
        self.current = work.advance(self.linux.as_mut(), &mut self.tables);
        true
    }

    /// Does everything that is queued, then checks the invariants that hold at rest.
    ///
    /// It ends: a replay moves forward over the devices, and a bind is retried only after an IOMMU became
    /// ready, a group got its domain or another driver bound, each of which happens a bounded number of times.
    pub fn settle(&mut self) {
        while self.step() {}
        match &self.linux {
            None => fixed::check_at_rest(&mut self.tables),
            Some(linux) => linux::check::at_rest(linux, &mut self.tables),
        }
    }

    /// The path that probing takes.
    pub fn path(&self) -> Path {
        self.path
    }

    /// How the kernel died, if it did: on Linux's paths an IOMMU without a firmware node can do that.
    pub fn oops(&self) -> Option<&str> {
        self.linux.as_ref()?.oops()
    }

    /// Takes the events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.tables.log.take_events()
    }

    /// Drops events and findings, for a caller that does not read them.
    pub fn forget_what_happened(&mut self) {
        self.tables.log.clear();
    }

    /// What was found out about the machine so far.
    pub fn findings(&self) -> &[Finding] {
        self.tables.log.findings()
    }

    /// Invariants I1 to I11 of the probe path, each with what broke it first.
    pub fn invariants(&self) -> [Verdict; 11] {
        self.tables.invariants.verdicts()
    }

    /// Whether an invariant is broken.
    pub fn breaks_something(&self) -> bool {
        self.tables.invariants.broken_ones().contains(&true)
    }

    /// Devices that exist, in the order in which they were added.
    pub fn devices(&self) -> impl DoubleEndedIterator<Item = &Device<D>> {
        self.tables.devices.iter()
    }

    /// Groups in the order of their numbers.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.tables.groups.iter()
    }

    /// Instances that exist, in the order in which they were published.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.tables.instances.iter()
    }

    /// A device that exists.
    ///
    /// # Panics
    ///
    /// If it was removed.
    pub fn device(&self, id: DeviceId) -> &Device<D> {
        &self.tables.devices[id]
    }

    /// The driver of a device that is bound, or about to be (Linux: `dev->driver`).
    pub fn driver_set(&self, id: DeviceId) -> Option<DriverId> {
        self.device(id).driver().or_else(|| self.linux.as_ref()?.binding(id))
    }

    /// Whether something is in the middle of adding a device or of binding a driver to it (Linux: the device lock).
    pub fn is_busy(&self, id: DeviceId) -> bool {
        self.linux.as_ref().is_some_and(|linux| linux.is_busy(id))
    }

    /// An instance that exists.
    ///
    /// # Panics
    ///
    /// If it was unpublished.
    pub fn instance(&self, id: InstanceId) -> &Instance {
        &self.tables.instances[id]
    }

    /// Whether an instance's registration ended with an error, as it may on Linux's paths: its driver is bound, and no
    /// lookup finds it.
    pub fn is_unregistered(&self, id: InstanceId) -> bool {
        self.linux.as_ref().is_some_and(|linux| linux.is_unregistered(id))
    }

    /// Name of a bus.
    pub fn bus_name(&self, id: BusId) -> &'static str {
        self.tables.buses[id].name()
    }

    /// Name of a driver.
    pub fn driver_name(&self, id: DriverId) -> &'static str {
        self.tables.drivers.name(id)
    }

    /// Firmware's name of a node.
    pub fn node_name(&self, node: FwNode) -> String {
        self.tables.firmware.name(node)
    }

    /// Reserved regions of a group: those of all its members, sorted, neighbours of one kind merged.
    pub fn reserved_regions(&self, group: &Group) -> Vec<ReservedRegion> {
        let mut regions = Vec::new();
        for membership in self.tables.memberships(group.id()) {
            regions.extend_from_slice(membership.reserved());
        }
        merge_reserved(regions)
    }

    fn release_driver(&mut self, device: DeviceId) {
        match &mut self.linux {
            None => regroup::release_driver(&mut self.tables, device),
            Some(linux) => linux::release::release_driver(linux, &mut self.tables, device),
        }
    }
}
