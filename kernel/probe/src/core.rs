//! The core's operations: add, remove, register, unbind, rebind, expire, settle. All other work
//! follows from them.
//!
//! An operation changes the machine and queues the work that follows from it; [`Core::step`] does
//! one piece of that work, and [`Core::settle`] all of it. A caller can therefore inspect or change
//! the machine between two devices of a replay. For several activities in progress at once, use
//! [`Core::take`] and [`Core::advance`].

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::activity::{Activity, Work};
use crate::data::domain::DomainPolicy;
use crate::data::event::Event;
use crate::data::finding::Finding;
use crate::data::firmware::{Reference, Translation};
use crate::data::id::{BusId, DeviceId, DriverId, FwNode, InstanceId};
use crate::data::path::Path;
use crate::data::reserved::{ReservedRegion, merge_reserved};
use crate::fixed;
use crate::grouping::membership::{LeaveCause, withdraw};
use crate::grouping::regroup;
use crate::linux;
use crate::linux::activity::LinuxActivity;
use crate::linux::adapter::LinuxFirmware;
use crate::linux::state::Linux;
use crate::phase2::claim::DmaClaim;
use crate::phase2::domain::{self, GroupDomain};
use crate::table::Tables;
use crate::table::device::{Device, NewDevice};
use crate::table::group::Group;
use crate::table::instance::Instance;
use crate::table::invariant::Verdict;
use crate::traits::bus::Bus;
use crate::traits::driver::Driver;
use crate::traits::firmware::FirmwareMap;

/// The probe path's state: devices, buses, drivers, instances, groups, and pending work.
///
/// `D` is the machine's own handle to a device; the core passes it to drivers without inspecting
/// it.
pub struct Core<D> {
    pub(crate) path: Path,
    pub(crate) tables: Tables<D>,
    /// State of the path in addition to the tables; `fixed` has none.
    pub(crate) linux: Option<Linux>,
    /// The activity that [`Core::step`] has begun.
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

    /// Replaces a bus by a view of the same units that knows more of them, or fewer: devices were plugged or pulled.
    ///
    /// # Errors
    ///
    /// A device that is in a group would be in another isolation class. Classes never change, so the bus stays as it is.
    pub fn replace_bus(&mut self, bus: BusId, by: Box<dyn Bus>) -> Result<(), DeviceId> {
        let Self { tables, .. } = self;
        let is_same = |device: &DeviceId| {
            let unit = tables.devices[*device].unit();
            tables.class_of(*device).is_none_or(|(_, leader)| by.grouping(unit).leader == leader)
        };
        if let Some(changed) = tables.buses.devices(bus).iter().find(|device| !is_same(device)) {
            return Err(*changed);
        }
        tables.buses.replace(bus, by);
        Ok(())
    }

    /// Adds a device and runs phase 1 for it; if a driver matches it, a bind is queued.
    pub fn add_device(&mut self, bus: BusId, new: NewDevice<D>) -> DeviceId {
        let (id, mut rest) = self.begin_add_device(bus, new);
        while let Some(activity) = rest {
            rest = self.advance(activity);
        }
        id
    }

    /// Puts a device on its bus; returns the rest of its arrival, unless the path does that at
    /// once.
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

    /// From now on, only the driver with this name matches the device; `None` removes the
    /// restriction. A bound driver stays (Linux: `driver_override`).
    pub fn override_driver(&mut self, device: DeviceId, driver: Option<&str>) {
        let name = self.device(device).name().into();
        self.tables.drivers.set_override(name, driver.map(Into::into));
    }

    /// The same for a device that is added later, by its name.
    pub fn override_driver_of(&mut self, device: String, driver: String) {
        self.tables.drivers.set_override(device, Some(driver));
    }

    /// Removes a device: unbinds it, removes it from its group, deletes it.
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

    /// Stops waiting for missing IOMMUs, as Linux does when the deferral timeout expires: their
    /// devices are bound without them. Such a device stays without a group until it is unbound.
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

    /// The device of each queued activity that has not begun.
    pub fn queued(&self) -> impl Iterator<Item = DeviceId> {
        self.tables.binds.queued().map(|task| task.device())
    }

    /// The device of an activity: the one that is added or bound, or the IOMMU whose replay it is.
    pub fn device_of(&self, activity: &Activity) -> Option<DeviceId> {
        activity.0.device(&self.tables)
    }

    /// Does one piece of an activity; returns the remaining activity, if any.
    ///
    /// A piece is one device of a replay, one group's default domain, or one attempt to bind; on
    /// Linux's paths also each part of these between two releases of Linux's locks.
    pub fn advance(&mut self, activity: Activity) -> Option<Activity> {
        activity.0.advance(self.linux.as_mut(), &mut self.tables).map(Activity)
    }

    /// Whether the next piece of a walk visits a device that is not behind an IOMMU or that already
    /// has its group. Such a piece has no effect, whatever happens before it, as long as no device,
    /// driver or IOMMU is removed.
    pub fn next_is_idle(&self, activity: &Activity) -> bool {
        activity.0.next_is_idle(&self.tables)
    }

    /// Does one piece of work; false if there is none. An activity in progress comes before queued
    /// ones.
    pub fn step(&mut self) -> bool {
        let queued = || self.tables.binds.take().map(Work::Task);
        let Some(work) = self.current.take().or_else(queued) else {
            return false;
        };
        self.current = work.advance(self.linux.as_mut(), &mut self.tables);
        true
    }

    /// Completes all queued work, then checks the invariants that hold at rest.
    ///
    /// It terminates: a replay advances over the devices, and a bind is retried only after an IOMMU
    /// became ready, a group got its domain or another driver bound, each of which happens a
    /// bounded number of times.
    pub fn settle(&mut self) {
        while self.step() {}
        match &self.linux {
            None => fixed::check_at_rest(&mut self.tables),
            Some(linux) => linux::check::at_rest(linux, &mut self.tables),
        }
    }

    /// The probe path.
    pub fn path(&self) -> Path {
        self.path
    }

    /// Takes the events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.tables.log.take_events()
    }

    /// Drops events and findings, for a caller that does not read them.
    pub fn forget_what_happened(&mut self) {
        self.tables.log.clear();
    }

    /// The findings so far.
    pub fn findings(&self) -> &[Finding] {
        self.tables.log.findings()
    }

    /// Invariants I1 to I11 of the probe path, each with its first violation.
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

    /// Firmware's references for the requests of a device, asked again; empty if they do not go to an IOMMU, or if
    /// firmware's entry is malformed.
    pub fn references(&self, device: DeviceId) -> Vec<Reference> {
        let this = self.device(device);
        let bus = &self.tables.buses[this.bus()];
        let Some(parent) = bus.firmware_parent(this.unit()) else { return Vec::new() };
        match self.tables.firmware.translate(parent, &bus.input_ids(this.unit())) {
            Ok(Translation::Endpoints(references)) => references,
            Ok(Translation::Nowhere(_)) | Err(_) => Vec::new(),
        }
    }

    /// The domain in which the driver that a claim was given to can map memory for its device; none if nothing
    /// translates the device, or if the driver is not bound, or leaves the group's DMA to others.
    pub fn domain_of(&self, claim: &DmaClaim) -> Option<GroupDomain> {
        domain::of_claim(&self.tables, claim)
    }

    /// A device that exists.
    ///
    /// # Panics
    ///
    /// If it was removed.
    pub fn device(&self, id: DeviceId) -> &Device<D> {
        &self.tables.devices[id]
    }

    /// A device; none if it was removed.
    pub fn find_device(&self, id: DeviceId) -> Option<&Device<D>> {
        self.tables.devices.find(id)
    }

    /// Name of a device that exists, or that was removed: events refer to it.
    pub fn device_name(&self, id: DeviceId) -> &str {
        self.tables.devices.name_and_bus(id).0
    }

    /// Name of the bus that a device is on, or was on before it was removed.
    pub fn bus_name_of(&self, id: DeviceId) -> &'static str {
        self.bus_name(self.tables.devices.name_and_bus(id).1)
    }

    /// An instance that exists.
    ///
    /// # Panics
    ///
    /// If it was unpublished.
    pub fn instance(&self, id: InstanceId) -> &Instance {
        &self.tables.instances[id]
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

    /// Reserved regions of a group: those of all its members, sorted, adjacent ones of the same
    /// kind merged.
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
