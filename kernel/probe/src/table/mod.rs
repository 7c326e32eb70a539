//! The state of the machine: tables that each keep themselves consistent, and operations on several of them.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::data::dma::{DmaState, Membership, Ungrouped};
use crate::data::domain::DomainPolicy;
use crate::data::event::Event;
use crate::data::finding::{Finding, Severity};
use crate::data::id::{BusId, DeviceId, DriverId, FwNode, GroupId, InstanceId, Unit};
use crate::table::bind::{Binds, Until};
use crate::table::bus::Buses;
use crate::table::device::Devices;
use crate::table::driver::Drivers;
use crate::table::group::Groups;
use crate::table::instance::{Instances, Published};
use crate::table::invariant::Invariants;
use crate::table::log::Log;
use crate::table::ownership::Ownerships;
use crate::traits::firmware::FirmwareMap;
use crate::traits::iommu::SharedIommu;

pub(crate) mod bind;
pub(crate) mod bus;
pub(crate) mod device;
pub(crate) mod driver;
pub(crate) mod group;
pub(crate) mod instance;
pub(crate) mod invariant;
pub(crate) mod log;
pub(crate) mod ownership;

/// The machine as every path sees it.
///
/// `D` is the machine's own handle to a device.
pub(crate) struct Tables<D> {
    pub(crate) policy: DomainPolicy,
    pub(crate) firmware: Box<dyn FirmwareMap>,
    pub(crate) buses: Buses,
    pub(crate) devices: Devices<D>,
    pub(crate) drivers: Drivers<D>,
    pub(crate) instances: Instances,
    pub(crate) groups: Groups,
    pub(crate) ownerships: Ownerships,
    pub(crate) binds: Binds,
    pub(crate) log: Log,
    pub(crate) invariants: Invariants,
}

impl<D> Tables<D> {
    /// A machine without devices.
    pub(crate) fn new(policy: DomainPolicy, firmware: Box<dyn FirmwareMap>) -> Self {
        Self {
            policy,
            firmware,
            buses: Buses::default(),
            devices: Devices::default(),
            drivers: Drivers::default(),
            instances: Instances::default(),
            groups: Groups::default(),
            ownerships: Ownerships::default(),
            binds: Binds::default(),
            log: Log::default(),
            invariants: Invariants::default(),
        }
    }

    /// A device's membership, if it is in a group.
    pub(crate) fn membership(&self, device: DeviceId) -> Option<&Membership> {
        match self.devices[device].dma() {
            DmaState::Grouped(membership) => Some(membership),
            DmaState::Ungrouped(_) => None,
        }
    }

    /// The isolation class of a grouped device.
    pub(crate) fn class_of(&self, device: DeviceId) -> Option<(BusId, Unit)> {
        self.membership(device).map(|membership| (self.devices[device].bus(), membership.leader()))
    }

    /// Memberships of a group's members, in the order in which they joined.
    pub(crate) fn memberships(&self, group: GroupId) -> impl Iterator<Item = &Membership> {
        self.groups[group].members().iter().filter_map(|member| self.membership(*member))
    }

    /// Name of the device of an IOMMU instance.
    pub(crate) fn iommu_name(&self, instance: InstanceId) -> &str {
        self.devices[self.instances[instance].device()].name()
    }

    /// Firmware's names of nodes, for messages.
    pub(crate) fn node_names(&self, nodes: &[FwNode]) -> String {
        let names: Vec<String> = nodes.iter().map(|node| self.firmware.name(*node)).collect();
        names.join(", ")
    }

    /// Makes an IOMMU findable by `node`. One without a node is never found.
    pub(crate) fn publish(
        &mut self,
        device: DeviceId,
        node: Option<FwNode>,
        driver: DriverId,
        ops: SharedIommu,
    ) -> Published {
        let published = self.instances.publish(device, node, self.drivers.name(driver), ops);
        self.log.event(Event::Published(published.id()));
        if node.is_none() {
            let place: String = self.devices[device].name().into();
            let sentence = String::from("firmware has no node for this IOMMU; no device can refer to it");
            let severity = Severity::Warning;
            self.log.find(Finding { id: "iommu-without-node", severity, place, sentence });
        }
        published
    }

    /// Records the result of phase 1 for a device without a group.
    pub(crate) fn note_ungrouped(&mut self, device: DeviceId, state: Ungrouped) {
        if matches!(self.devices[device].dma(), DmaState::Ungrouped(before) if *before == state) {
            return;
        }
        match &state {
            Ungrouped::Untranslated(why) => self.log.event(Event::Untranslated { device, why: *why }),
            Ungrouped::Waiting(nodes) => self.log.event(Event::Waiting { device, nodes: nodes.clone() }),
            Ungrouped::Refused(error) => self.log.event(Event::Refused { device, error: error.clone() }),
            Ungrouped::Unprobed | Ungrouped::MapInvalid(_) | Ungrouped::IsIommu => {}
        }
        self.devices.set_ungrouped(device, state);
    }

    /// Queues a bind, if a driver matches and no bind is queued already.
    pub(crate) fn queue_bind(&mut self, device: DeviceId) {
        let this = &self.devices[device];
        if this.may_bind() && self.drivers.next_for(this, 0).is_some() && self.devices.mark_queued(device) {
            self.binds.queue_bind(device);
        }
    }

    /// The first driver from `slot` on that matches a device, if the device may be bound now.
    pub(crate) fn next_driver(&self, device: DeviceId, slot: usize) -> Option<DriverId> {
        let device = &self.devices[device];
        if device.may_bind() { self.drivers.next_for(device, slot) } else { None }
    }

    /// Defers a bind.
    pub(crate) fn defer(&mut self, device: DeviceId, driver: DriverId, until: Until, detail: String) {
        self.log.event(Event::Deferred { device, driver, detail });
        self.binds.defer(device, until);
    }

    /// Queues the deferred binds whose deferral `is_over`.
    pub(crate) fn wake(&mut self, is_over: impl Fn(&Until) -> bool) {
        for device in self.binds.take_deferred(is_over) {
            self.queue_bind(device);
        }
    }

    /// A driver's probe has succeeded (Linux: `driver_bound`): deferrals until any bind end.
    pub(crate) fn bound(&mut self, device: DeviceId, driver: DriverId, owns: Option<GroupId>) {
        self.devices.bind(device, driver, owns);
        self.binds.forget(device);
        self.log.event(Event::Bound { device, driver });
        self.wake(|until| matches!(until, Until::AnyBind));
    }

    /// Unbinds the driver of a device, if it has one.
    pub(crate) fn stop_driver(&mut self, device: DeviceId) {
        let Some(binding) = self.devices.unbind(device) else { return };
        self.drivers.get_mut(binding.driver).unbind(self.devices[device].handle());
        self.groups.remove_owner(binding.owns);
        self.log.event(Event::Unbound { device, driver: binding.driver });
    }

    /// Removes an IOMMU that no device refers to.
    pub(crate) fn unpublish(&mut self, instance: InstanceId) {
        self.check_unreferenced(instance);
        for domain in self.ownerships.take_domains_on(instance) {
            self.instances.ops_mut(instance).free_domain(domain);
        }
        self.instances.unpublish(instance);
        self.log.event(Event::Unpublished(instance));
    }

    /// An IOMMU is about to be removed: its users must have left it before (invariant I11).
    fn check_unreferenced(&mut self, instance: InstanceId) {
        if self.instances[instance].is_referenced() {
            let by = || "an IOMMU was removed before its users".into();
            self.invariants.broken(invariant::Id::I11, by);
        }
    }
}
