//! The state of Linux's paths in addition to the tables.
//!
//! States of a device: S0 is every state with a reason for not having a group, S1 [`DevIommu::Probing`],
//! S2 [`DevIommu::Translated`], S4 grouped; S3 exists only within one piece of work.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use addr::EndpointId;

use crate::data::dma::{DmaState, Ungrouped};
use crate::data::event::Event;
use crate::data::id::{BusId, DeviceId, DriverId, FwNode, GroupId, InstanceId, Unit};
use crate::data::linux_event::LinuxEvent;
use crate::linux::adapter::{IsolationRequest, Joining, LinuxBus, LinuxQuirks};
use crate::linux::rules::LinuxPath;
use crate::table::Tables;
use crate::table::instance::Instance;

/// The state of one of Linux's paths.
pub(crate) struct Linux {
    pub(crate) path: &'static dyn LinuxPath,
    pub(crate) quirks: LinuxQuirks,
    buses: BTreeMap<BusId, Box<dyn LinuxBus>>,
    devices: BTreeMap<DeviceId, LinuxDevice>,
    /// Isolation has been requested (Linux: `pci_request_acs`).
    isolation_requested: bool,
    /// Instances whose registration ended with an error. Their drivers are bound, and no lookup finds them.
    unregistered: BTreeSet<InstanceId>,
    /// How the kernel crashed.
    oops: Option<String>,
}

/// Linux's state of a device.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
struct LinuxDevice {
    /// It is on its bus, and `device_add` is not over.
    arriving: bool,
    /// A driver is set, and its own probe has not succeeded yet (`dev->driver`).
    binding: Option<DriverId>,
    /// Another driver was bound while `binding` was set, so a deferral has to be retried.
    triggered: bool,
    iommu: Option<DevIommu>,
}

/// States that a device without a group can only be in on Linux's paths.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum DevIommu {
    /// Firmware's map is being read for it (`dev->iommu` exists, and no fwspec).
    Probing,
    /// Firmware's map has translated it, and it has not been probed.
    Translated(LinuxFwspec),
    /// Its IOMMU was present and did not accept it; the sentence gives the reason.
    Abandoned(String),
}

/// Why a device has no group.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum WhyUngrouped {
    /// As on every path.
    Known(Ungrouped),
    /// Its IOMMU was present and did not accept it.
    Abandoned(String),
}

/// Linux's fwspec: one for a device, even if it is behind several IOMMUs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LinuxFwspec {
    /// The IOMMU that was named first; all endpoints are sent to it, also those of another IOMMU of the same driver
    /// (`viommu_probe_device`).
    pub(crate) node: FwNode,
    /// Its driver; an IOMMU of another one cannot be added.
    pub(crate) driver: &'static str,
    /// In firmware's order, duplicates kept (Linux: `iommu_fwspec_add_ids`).
    pub(crate) endpoints: Vec<EndpointId>,
    pub(crate) source: &'static str,
}

impl Linux {
    /// The state before the first device is added.
    pub(crate) fn new(path: &'static dyn LinuxPath, quirks: LinuxQuirks) -> Self {
        Self {
            path,
            isolation_requested: quirks.isolation == IsolationRequest::BeforeDevices,
            quirks,
            buses: BTreeMap::new(),
            devices: BTreeMap::new(),
            unregistered: BTreeSet::new(),
            oops: None,
        }
    }

    /// How Linux groups the devices of a bus.
    pub(crate) fn add_bus(&mut self, id: BusId, bus: Box<dyn LinuxBus>) {
        self.buses.insert(id, bus);
    }

    /// A copy with the buses that `copy` makes.
    pub(crate) fn copied(&self, copy: impl Fn(BusId) -> Box<dyn LinuxBus>) -> Self {
        Self {
            path: self.path,
            quirks: self.quirks.clone(),
            buses: self.buses.keys().map(|id| (*id, copy(*id))).collect(),
            devices: self.devices.clone(),
            isolation_requested: self.isolation_requested,
            unregistered: self.unregistered.clone(),
            oops: self.oops.clone(),
        }
    }

    /// State S1 or S2 of a device, or why its IOMMU did not accept it.
    pub(crate) fn iommu(&self, device: DeviceId) -> Option<&DevIommu> {
        self.devices.get(&device)?.iommu.as_ref()
    }

    /// Whether a device has a fwspec and no group (S2).
    pub(crate) fn is_translated(&self, device: DeviceId) -> bool {
        matches!(self.iommu(device), Some(DevIommu::Translated(_)))
    }

    /// Whether it has IOMMU state (`dev->iommu`) and no group: S1 or S2.
    pub(crate) fn has_state(&self, device: DeviceId) -> bool {
        matches!(self.iommu(device), Some(DevIommu::Probing | DevIommu::Translated(_)))
    }

    /// Why a device has no group (S0), as far as that is known.
    pub(crate) fn why_ungrouped<D>(&self, tables: &Tables<D>, device: DeviceId) -> WhyUngrouped {
        match (self.iommu(device), tables.devices[device].dma()) {
            (Some(DevIommu::Abandoned(why)), _) => WhyUngrouped::Abandoned(why.clone()),
            (_, DmaState::Ungrouped(why)) => WhyUngrouped::Known(why.clone()),
            (_, DmaState::Grouped(_)) => WhyUngrouped::Known(Ungrouped::Unprobed),
        }
    }

    /// Puts a device without a group into a state that exists only on Linux's paths.
    pub(crate) fn set<D>(&mut self, tables: &mut Tables<D>, device: DeviceId, state: DevIommu) {
        tables.devices.set_ungrouped(device, Ungrouped::Unprobed);
        self.devices.entry(device).or_default().iommu = Some(state);
    }

    /// The fwspec of a device that is translated and in no group.
    pub(crate) fn fwspec_mut(&mut self, device: DeviceId) -> Option<&mut LinuxFwspec> {
        match &mut self.devices.get_mut(&device)?.iommu {
            Some(DevIommu::Translated(fwspec)) => Some(fwspec),
            _ => None,
        }
    }

    /// Notes why a device has no group (S0).
    pub(crate) fn settle<D>(&mut self, tables: &mut Tables<D>, device: DeviceId, why: WhyUngrouped) {
        match why {
            WhyUngrouped::Known(why) => {
                self.clear(device);
                tables.note_ungrouped(device, why);
            }
            WhyUngrouped::Abandoned(why) => self.set(tables, device, DevIommu::Abandoned(why)),
        }
    }

    /// Removes the state that exists only on Linux's paths.
    pub(crate) fn clear(&mut self, device: DeviceId) {
        if let Some(this) = self.devices.get_mut(&device) {
            this.iommu = None;
        }
    }

    /// A device was removed.
    pub(crate) fn forget(&mut self, device: DeviceId) {
        self.devices.remove(&device);
    }

    /// Whether another driver was bound while this device's driver was set.
    pub(crate) fn is_triggered(&self, device: DeviceId) -> bool {
        self.devices.get(&device).is_some_and(|this| this.triggered)
    }

    /// The driver that is set but not bound.
    pub(crate) fn binding(&self, device: DeviceId) -> Option<DriverId> {
        self.devices.get(&device)?.binding
    }

    /// Whether a driver is set, bound or about to be (Linux: `dev->driver`).
    pub(crate) fn has_driver<D>(&self, tables: &Tables<D>, device: DeviceId) -> bool {
        tables.devices[device].driver().is_some() || self.binding(device).is_some()
    }

    /// Whether it is being added, or a driver is being bound to it (Linux: the device lock).
    pub(crate) fn is_busy(&self, device: DeviceId) -> bool {
        self.devices.get(&device).is_some_and(|this| this.arriving || this.binding.is_some())
    }

    /// Whether `device_add` is not over.
    pub(crate) fn is_arriving(&self, device: DeviceId) -> bool {
        self.devices.get(&device).is_some_and(|this| this.arriving)
    }

    /// `device_add` begins, or is over.
    pub(crate) fn set_arriving<D>(&mut self, tables: &mut Tables<D>, device: DeviceId, arriving: bool) {
        self.devices.entry(device).or_default().arriving = arriving;
        self.update_hold(tables, device);
    }

    /// Sets the driver.
    pub(crate) fn set_driver<D>(&mut self, tables: &mut Tables<D>, device: DeviceId, driver: DriverId) {
        let this = self.devices.entry(device).or_default();
        this.binding = Some(driver);
        this.triggered = false;
        self.update_hold(tables, device);
    }

    /// Clears the driver.
    pub(crate) fn clear_driver<D>(&mut self, tables: &mut Tables<D>, device: DeviceId) {
        self.devices.entry(device).or_default().binding = None;
        self.update_hold(tables, device);
    }

    /// Whether another driver was bound while this device's driver was set; clears the flag.
    pub(crate) fn take_triggered(&mut self, device: DeviceId) -> bool {
        self.devices.get_mut(&device).is_some_and(|this| mem::take(&mut this.triggered))
    }

    /// A driver's probe has succeeded (Linux: `driver_bound`).
    pub(crate) fn bound<D>(
        &mut self,
        tables: &mut Tables<D>,
        device: DeviceId,
        driver: DriverId,
        owns: Option<GroupId>,
    ) {
        self.clear_driver(tables, device);
        tables.bound(device, driver, owns);
        for other in self.devices.values_mut() {
            other.triggered |= other.binding.is_some();
        }
    }

    /// The instance that has a node, or that has none if `node` is none: absent equals absent. One whose registration
    /// has failed is not found.
    pub(crate) fn listed<'t, D>(&self, tables: &'t Tables<D>, node: Option<FwNode>) -> Option<&'t Instance> {
        tables
            .instances
            .iter()
            .find(|instance| instance.node() == node && !self.unregistered.contains(&instance.id()))
    }

    /// Whether the registration of an instance ended with an error.
    pub(crate) fn is_unregistered(&self, instance: InstanceId) -> bool {
        self.unregistered.contains(&instance)
    }

    /// Removes an instance from the list.
    pub(crate) fn unlist(&mut self, instance: InstanceId) {
        self.unregistered.insert(instance);
    }

    /// Requests isolation.
    pub(crate) fn request_isolation(&mut self) {
        self.isolation_requested = true;
    }

    /// Whether isolation has been requested.
    pub(crate) fn isolation_requested(&self) -> bool {
        self.isolation_requested
    }

    /// Enables the isolation of a device, if isolation has been requested (Linux: `pci_enable_acs`).
    pub(crate) fn isolate<D>(&mut self, tables: &Tables<D>, device: DeviceId) {
        let this = &tables.devices[device];
        if self.isolation_requested
            && let Some(bus) = self.buses.get_mut(&this.bus())
        {
            bus.isolate(this.unit());
        }
    }

    /// The group that the bus determines for a device from the current groups of the other devices.
    pub(crate) fn joining<D>(&self, tables: &Tables<D>, device: DeviceId) -> Joining {
        let this = &tables.devices[device];
        let Some(bus) = self.buses.get(&this.bus()) else {
            return Joining { group: None, why: tables.buses[this.bus()].grouping(this.unit()).why };
        };
        let groups: BTreeMap<Unit, GroupId> = tables
            .buses
            .devices(this.bus())
            .iter()
            .filter_map(|other| Some((tables.devices[*other].unit(), tables.membership(*other)?.group())))
            .collect();
        bus.joining(this.unit(), self.is_arriving(device), &|unit| groups.get(&unit).copied())
    }

    /// How the kernel crashed.
    pub(crate) fn oops(&self) -> Option<&str> {
        self.oops.as_deref()
    }

    /// An IOMMU without a node was found for a device without a fwspec, which its driver then dereferences
    /// (`viommu_probe_device`). The kernel crashes with the probe lock held.
    pub(crate) fn die<D>(&mut self, tables: &mut Tables<D>, device: DeviceId, instance: InstanceId) {
        let (name, iommu) = (tables.devices[device].name(), tables.iommu_name(instance));
        let detail = format!(
            "NULL pointer dereference: the IOMMU {iommu} has no firmware node, so it was taken for that of {name}, which has none"
        );
        self.oops = Some(detail.clone());
        tables.log.event(Event::Linux(LinuxEvent::Oops { device, instance, detail }));
    }

    /// No bind may begin while a driver is set, nor, on some paths, before `device_add` is over.
    fn update_hold<D>(&self, tables: &mut Tables<D>, device: DeviceId) {
        let is_held = self
            .devices
            .get(&device)
            .is_some_and(|this| this.binding.is_some() || this.arriving && !self.path.binds_while_arriving());
        tables.devices.set_held(device, is_held);
    }
}
