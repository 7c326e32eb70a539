//! The core's verbs: add, remove, register, unbind, rebind, expire, settle. Everything else follows from them.
//!
//! A verb changes the machine and queues what follows from it; [`Core::step`] does one piece of that,
//! and [`Core::settle`] all of it. So a caller that wants to look, or to interfere, between two
//! devices of a replay can; and one that wants several things to be under way at once has
//! [`Core::take`] and [`Core::advance`].

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use crate::activity::{Activity, Deferred, Work};
use crate::check::{Invariants, Verdict};
use crate::data::event::Event;
use crate::data::finding::Finding;
use crate::path::{self, Path};
use crate::phase1::domain::Policy;
use crate::table::device::{Device, DeviceId, DriverId, NewDevice};
use crate::table::group::{Group, Groups, merge_reserved};
use crate::table::instance::{Instance, InstanceId, InstanceState};
use crate::traits::bus::Bus;
use crate::traits::driver::Driver;
use crate::traits::firmware::{FirmwareMap, FwNode, IsolationRequest};
use crate::traits::iommu::ReservedRegion;

/// A bus, by identity; in the order in which the buses were added, which is the order of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusId(pub(crate) u32);

/// The probe path's state: devices, buses, drivers, instances, groups, and what is still to be done.
///
/// `D` is the machine's own handle to a device; the core hands it to drivers and never looks into it.
pub struct Core<D> {
    pub(crate) path: Path,
    pub(crate) policy: Policy,
    pub(crate) firmware: Box<dyn FirmwareMap>,
    pub(crate) buses: Vec<BusSlot>,
    pub(crate) devices: Vec<Option<Device<D>>>,
    /// A driver is out of its slot only while its own probe runs.
    pub(crate) drivers: Vec<Option<Box<dyn Driver<D>>>>,
    pub(crate) driver_names: Vec<&'static str>,
    pub(crate) instances: Vec<Option<Instance>>,
    pub(crate) groups: Groups,
    pub(crate) work: VecDeque<Work>,
    /// What [`Core::step`] has begun.
    pub(crate) current: Option<Work>,
    pub(crate) deferred: Vec<Deferred>,
    /// For devices with these names, the name of the only driver that is for them (Linux: `driver_override`).
    pub(crate) overrides: BTreeMap<String, String>,
    /// Whether waiting for an IOMMU has been given up (Linux: the deferral timeout has expired).
    pub(crate) deferral_expired: bool,
    /// Linux's paths only: somebody has asked for isolation (Linux: `pci_request_acs`).
    pub(crate) isolation_requested: bool,
    /// Linux's paths only: how the kernel died.
    pub(crate) oops: Option<String>,
    pub(crate) events: Vec<Event>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) found: BTreeSet<(&'static str, String)>,
    /// How often a device left its group for another reason than that its own IOMMU refused it.
    pub(crate) departures: u64,
    pub(crate) invariants: Invariants,
}

/// A bus and its devices, in the order in which they were added.
pub(crate) struct BusSlot {
    pub(crate) bus: Box<dyn Bus>,
    pub(crate) devices: Vec<DeviceId>,
}

impl<D> Core<D> {
    /// A machine without devices.
    pub fn new(path: Path, policy: Policy, firmware: Box<dyn FirmwareMap>) -> Self {
        Self {
            path,
            isolation_requested: firmware.manners().isolation == IsolationRequest::BeforeDevices,
            policy,
            firmware,
            buses: Vec::new(),
            devices: Vec::new(),
            drivers: Vec::new(),
            driver_names: Vec::new(),
            instances: Vec::new(),
            groups: Groups::default(),
            work: VecDeque::new(),
            current: None,
            deferred: Vec::new(),
            overrides: BTreeMap::new(),
            deferral_expired: false,
            oops: None,
            events: Vec::new(),
            findings: Vec::new(),
            found: BTreeSet::new(),
            departures: 0,
            invariants: Invariants::default(),
        }
    }

    /// Adds a bus. A replay walks the buses in the order in which they were added; Linux's is platform,
    /// PCI, AMBA (`iommu_buses`).
    pub fn add_bus(&mut self, bus: Box<dyn Bus>) -> BusId {
        self.buses.push(BusSlot { bus, devices: Vec::new() });
        BusId(index(self.buses.len() - 1))
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
        let id = DeviceId(index(self.devices.len()));
        self.devices.push(Some(Device::new(id, bus, new)));
        self.buses[bus.0 as usize].devices.push(id);
        self.events.push(Event::DeviceAdded(id));
        (id, path::device_added(self, id).map(Activity))
    }

    /// Registers a driver; every device that it matches and nobody drives is queued for it.
    pub fn register_driver(&mut self, driver: Box<dyn Driver<D>>) -> DriverId {
        let id = DriverId(index(self.drivers.len()));
        let mut matching = Vec::new();
        for slot in &self.buses {
            for device in &slot.devices {
                if self.device(*device).may_bind() && self.is_for(&*driver, self.device(*device)) {
                    matching.push(*device);
                }
            }
        }
        self.driver_names.push(driver.name());
        self.drivers.push(Some(driver));
        for device in matching {
            self.queue_bind(device);
        }
        id
    }

    /// Unbinds a device's driver. Its group stays; if it is an IOMMU, that is unpublished first.
    pub fn unbind(&mut self, device: DeviceId) {
        self.release_driver(device);
        path::driver_unbound(self, device);
    }

    /// Queues another attempt to bind a driver, as writing to `drivers_probe` does on Linux.
    pub fn rebind(&mut self, device: DeviceId) {
        self.queue_bind(device);
    }

    /// From now on, only the driver of this name is for the device, whatever it matches otherwise; or as before. A driver
    /// that is bound stays (Linux: `driver_override`).
    pub fn override_driver(&mut self, device: DeviceId, driver: Option<&str>) {
        let name = self.device(device).name.clone();
        match driver {
            Some(driver) => self.overrides.insert(name, driver.into()),
            None => self.overrides.remove(&name),
        };
    }

    /// The same for a device that is added later, by its name.
    pub fn override_driver_of(&mut self, device: String, driver: String) {
        self.overrides.insert(device, driver);
    }

    /// Removes a device: unbinds it, takes it out of its group, forgets it.
    pub fn remove_device(&mut self, device: DeviceId) {
        self.release_driver(device);
        self.leave_group(device);
        self.deferred.retain(|deferred| deferred.device != device);
        self.override_driver(device, None);
        let bus = self.device(device).bus;
        self.buses[bus.0 as usize].devices.retain(|other| *other != device);
        self.devices[device.0 as usize] = None;
        self.events.push(Event::DeviceRemoved(device));
    }

    /// Gives up waiting for IOMMUs that never came, as Linux does when the deferral timeout expires:
    /// their devices are bound without them. A device that is bound so stays out of every group until
    /// it is unbound.
    pub fn expire_deferrals(&mut self) {
        self.deferral_expired = true;
        for deferred in mem::take(&mut self.deferred) {
            self.queue_bind(deferred.device);
        }
    }

    /// The path that probing takes.
    pub fn path(&self) -> Path {
        self.path
    }

    /// How the kernel died, if it did: on Linux's paths an IOMMU without a firmware node can do that.
    pub fn oops(&self) -> Option<&str> {
        self.oops.as_deref()
    }

    /// Takes the events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        mem::take(&mut self.events)
    }

    /// Drops events and findings, for whoever does not read them.
    pub fn forget_what_happened(&mut self) {
        self.events.clear();
        self.findings.clear();
        self.found.clear();
    }

    /// What was found out about the machine so far.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Invariants I1 to I11 of the probe path, each with what broke it first.
    pub fn invariants(&self) -> [Verdict; 11] {
        self.invariants.verdicts()
    }

    /// Whether an invariant is broken.
    pub fn breaks_something(&self) -> bool {
        self.invariants.broken_ones().contains(&true)
    }

    /// Devices that exist, in the order in which they were added.
    pub fn devices(&self) -> impl DoubleEndedIterator<Item = &Device<D>> {
        self.devices.iter().flatten()
    }

    /// Groups in the order of their numbers.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter()
    }

    /// Instances that exist, in the order in which they were published.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().flatten()
    }

    /// A device that exists.
    ///
    /// # Panics
    ///
    /// If it was removed.
    pub fn device(&self, id: DeviceId) -> &Device<D> {
        self.devices[id.0 as usize].as_ref().expect("a device ID is used only while its device exists")
    }

    /// An instance that exists.
    ///
    /// # Panics
    ///
    /// If it was unpublished.
    pub fn instance(&self, id: InstanceId) -> &Instance {
        self.instances[id.0 as usize].as_ref().expect("an instance ID is used only while its instance exists")
    }

    /// Name of a bus.
    pub fn bus_name(&self, id: BusId) -> &'static str {
        self.buses[id.0 as usize].bus.name()
    }

    /// Name of a driver.
    pub fn driver_name(&self, id: DriverId) -> &'static str {
        self.driver_names[id.0 as usize]
    }

    /// Firmware's name of a node.
    pub fn node_name(&self, node: FwNode) -> String {
        self.firmware.name(node)
    }

    /// Reserved regions of a group: those of all its members, sorted, neighbours of one kind merged.
    pub fn reserved_regions(&self, group: &Group) -> Vec<ReservedRegion> {
        let members = group.members.iter().filter_map(|member| self.membership(*member));
        merge_reserved(members.flat_map(|membership| membership.reserved.iter().copied()).collect())
    }

    /// Queues an attempt to bind, if there is a driver to try and no attempt is queued already.
    pub(crate) fn queue_bind(&mut self, id: DeviceId) {
        let device = self.device(id);
        let wanted = device.may_bind() && !device.bind_queued && path::lets_bind(self.path, device);
        if wanted && self.drivers.iter().flatten().any(|driver| self.is_for(&**driver, device)) {
            self.device_mut(id).bind_queued = true;
            self.work.push_back(Work::Bind(id));
        }
    }

    /// Whether a driver is for a device.
    pub(crate) fn is_for(&self, driver: &dyn Driver<D>, device: &Device<D>) -> bool {
        match self.overrides.get(&device.name) {
            Some(name) => name == driver.name(),
            None => driver.matches(&device.handle),
        }
    }

    pub(crate) fn exists(&self, id: DeviceId) -> bool {
        self.devices[id.0 as usize].is_some()
    }

    pub(crate) fn device_mut(&mut self, id: DeviceId) -> &mut Device<D> {
        self.devices[id.0 as usize].as_mut().expect("a device ID is used only while its device exists")
    }

    pub(crate) fn instance_mut(&mut self, id: InstanceId) -> &mut Instance {
        self.instances[id.0 as usize].as_mut().expect("an instance ID is used only while its instance exists")
    }

    /// The instance that firmware means by `node`. Compared by identity; absent equals nothing.
    pub(crate) fn instance_by_node(&self, node: FwNode) -> Option<&Instance> {
        self.listed().find(|instance| instance.node == Some(node))
    }

    /// Instances that can be looked up.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &Instance> {
        self.instances().filter(|instance| instance.state != InstanceState::Unregistered)
    }

    pub(crate) fn instance_of_device(&self, device: DeviceId) -> Option<InstanceId> {
        self.instances().find(|instance| instance.device == device).map(|instance| instance.id)
    }

    /// Adds a finding, once for each ID and subject.
    pub(crate) fn find(&mut self, finding: Finding) {
        if self.found.insert((finding.id, finding.subject.clone())) {
            self.findings.push(finding);
        }
    }
}

fn index(position: usize) -> u32 {
    u32::try_from(position).expect("fewer than 2^32 of anything in one machine")
}
