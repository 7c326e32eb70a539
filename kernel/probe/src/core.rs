//! The core's verbs: add, remove, register, unbind, settle. Everything else follows from them.
//!
//! A verb changes the machine and queues what follows from it; [`Core::step`] does one piece of that,
//! and [`Core::settle`] all of it. So a caller that wants to look, or to interfere, between two
//! devices of a replay can.

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use crate::bus::Bus;
use crate::device::{Device, DeviceId, DriverId, NewDevice};
use crate::domain::Policy;
use crate::driver::Driver;
use crate::event::Event;
use crate::finding::Finding;
use crate::firmware::{FirmwareMap, FwNode};
use crate::group::{Group, GroupId, Groups, merge_reserved};
use crate::instance::{Instance, InstanceId};
use crate::invariant::{Invariants, Verdict};
use crate::iommu::{IommuOps, ReservedRegion};
use crate::path::fixed;

/// A bus, by identity; in the order in which the buses were added, which is the order of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusId(pub(crate) u32);

/// The probe path's state: devices, buses, drivers, instances, groups, and what is still to be done.
///
/// `D` is the machine's own handle to a device; the core hands it to drivers and never looks into it.
pub struct Core<D> {
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
    pub(crate) deferred: Vec<Deferred>,
    /// Whether waiting for an IOMMU has been given up (Linux: the deferral timeout has expired).
    pub(crate) deferral_expired: bool,
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

/// One thing that is still to be done.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// The next device, or the next group, of a replay.
    Replay(Replay),
    /// Phase 1 of a device whose IOMMUs have become ready.
    Probe(DeviceId),
    /// Phase 2 of a device.
    Bind(DeviceId),
}

/// A replay between two devices.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    pub(crate) instance: InstanceId,
    pub(crate) bus: usize,
    pub(crate) position: usize,
    /// Groups that got their first member in this replay, in that order; they have no domain yet.
    pub(crate) groups: VecDeque<GroupId>,
}

/// A bind that was put off.
#[derive(Clone, Debug)]
pub(crate) struct Deferred {
    pub(crate) device: DeviceId,
    pub(crate) until: Until,
}

/// What ends a deferral.
#[derive(Clone, Debug)]
pub(crate) enum Until {
    /// Any of these IOMMUs becomes ready.
    Ready(Vec<FwNode>),
    /// Any driver binds.
    AnyBind,
}

impl<D> Core<D> {
    /// A machine without devices.
    pub fn new(policy: Policy, firmware: Box<dyn FirmwareMap>) -> Self {
        Self {
            policy,
            firmware,
            buses: Vec::new(),
            devices: Vec::new(),
            drivers: Vec::new(),
            driver_names: Vec::new(),
            instances: Vec::new(),
            groups: Groups::default(),
            work: VecDeque::new(),
            deferred: Vec::new(),
            deferral_expired: false,
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
        let id = DeviceId(index(self.devices.len()));
        self.devices.push(Some(Device::new(id, bus, new)));
        self.buses[bus.0 as usize].devices.push(id);
        self.events.push(Event::DeviceAdded(id));
        fixed::device_added(self, id);
        self.queue_bind(id);
        id
    }

    /// Registers a driver; every device that it matches and nobody drives is queued for it.
    pub fn register_driver(&mut self, driver: Box<dyn Driver<D>>) -> DriverId {
        let id = DriverId(index(self.drivers.len()));
        let matching: Vec<DeviceId> = self
            .buses
            .iter()
            .flat_map(|slot| &slot.devices)
            .filter(|device| {
                let device = self.device(**device);
                device.may_bind() && driver.matches(&device.handle)
            })
            .copied()
            .collect();
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
        if self.instance_of_device(device).is_none() {
            fixed::driver_unbound(self, device);
        }
    }

    /// Queues another attempt to bind a driver, as writing to `drivers_probe` does on Linux.
    pub fn rebind(&mut self, device: DeviceId) {
        self.queue_bind(device);
    }

    /// Removes a device: unbinds it, takes it out of its group, forgets it.
    pub fn remove_device(&mut self, device: DeviceId) {
        self.release_driver(device);
        self.leave_group(device);
        self.deferred.retain(|deferred| deferred.device != device);
        let bus = self.device(device).bus;
        // A replay that this makes pass over a device finds it waiting at its end.
        self.buses[bus.0 as usize].devices.retain(|other| *other != device);
        self.devices[device.0 as usize] = None;
        self.events.push(Event::DeviceRemoved(device));
    }

    /// Does one piece of what is queued; false if there is nothing to do.
    ///
    /// A piece is one device of a replay, one group's default domain, or one attempt to bind.
    pub fn step(&mut self) -> bool {
        let Some(work) = self.work.pop_front() else {
            return false;
        };
        match work {
            Work::Replay(replay) => fixed::replay_step(self, replay),
            Work::Probe(device) if self.exists(device) => fixed::iommus_ready(self, device),
            Work::Bind(device) if self.exists(device) => {
                self.device_mut(device).bind_queued = false;
                self.bind_step(device);
            }
            // The device was removed after this was queued.
            Work::Probe(_) | Work::Bind(_) => {}
        }
        true
    }

    /// Does everything that is queued, then checks the invariants that hold at rest.
    ///
    /// It ends: a replay moves forward over the devices, a bind is retried only after an IOMMU became
    /// ready or another driver bound, and both happen at most once a device between two verbs.
    pub fn settle(&mut self) {
        while self.step() {}
        self.check_at_rest();
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

    /// Takes the events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        mem::take(&mut self.events)
    }

    /// What was found out about the machine so far.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Invariants I1 to I11 of the probe path, each with what broke it first.
    pub fn invariants(&self) -> [Verdict; 11] {
        self.invariants.verdicts()
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

    /// The driver of an instance, for what the core has no use for: its faults, its registers.
    ///
    /// # Panics
    ///
    /// If the instance was unpublished.
    pub fn ops_mut(&mut self, id: InstanceId) -> &mut dyn IommuOps {
        self.instance_mut(id).ops.as_mut()
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
        let wanted = device.may_bind() && !device.bind_queued;
        if wanted && self.drivers.iter().flatten().any(|driver| driver.matches(&device.handle)) {
            self.device_mut(id).bind_queued = true;
            self.work.push_back(Work::Bind(id));
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
        self.instances().find(|instance| instance.node == Some(node))
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

impl Replay {
    pub(crate) fn new(instance: InstanceId) -> Self {
        Self { instance, bus: 0, position: 0, groups: VecDeque::new() }
    }
}

fn index(position: usize) -> u32 {
    u32::try_from(position).expect("fewer than 2^32 of anything in one machine")
}
