//! What Linux's paths remember beside the tables.
//!
//! States of a device: S0 is every state that says why there is no group, S1 [`DevIommu::Probing`],
//! S2 [`DevIommu::Translated`], S4 grouped; S3 lasts only inside one piece.

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
    /// How the kernel died.
    oops: Option<String>,
}

/// What Linux remembers about a device.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
struct LinuxDevice {
    /// It is on its bus, and being added is not over yet.
    arriving: bool,
    /// A driver is set, and its own probe has not succeeded yet (`dev->driver`).
    binding: Option<DriverId>,
    /// A driver was bound somewhere while `binding` was set, so that a deferral has to be tried again.
    triggered: bool,
    iommu: Option<DevIommu>,
}

/// States that a device without a group can only be in on Linux's paths.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum DevIommu {
    /// Firmware is being asked about it (`dev->iommu` exists, and no fwspec).
    Probing,
    /// Firmware has named its IOMMU, and nothing has probed it there.
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

/// Linux's fwspec: one for a device, whatever number of IOMMUs firmware names.
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

    /// State S1 or S2 of a device, or why its IOMMU did not take it.
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

    /// Puts a device without a group into a state of Linux's own.
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

    /// A device is in no state of Linux's own any more.
    pub(crate) fn clear(&mut self, device: DeviceId) {
        if let Some(this) = self.devices.get_mut(&device) {
            this.iommu = None;
        }
    }

    /// A device was removed.
    pub(crate) fn forget(&mut self, device: DeviceId) {
        self.devices.remove(&device);
    }

    /// Whether a driver was bound somewhere while this device's was set.
    pub(crate) fn is_triggered(&self, device: DeviceId) -> bool {
        self.devices.get(&device).is_some_and(|this| this.triggered)
    }

    /// The driver that is set without being bound.
    pub(crate) fn binding(&self, device: DeviceId) -> Option<DriverId> {
        self.devices.get(&device)?.binding
    }

    /// Whether a driver is set, bound or about to be (Linux: `dev->driver`).
    pub(crate) fn has_driver<D>(&self, tables: &Tables<D>, device: DeviceId) -> bool {
        tables.devices[device].driver().is_some() || self.binding(device).is_some()
    }

    /// Whether something is in the middle of adding it or of binding a driver to it (Linux: the device lock).
    pub(crate) fn is_busy(&self, device: DeviceId) -> bool {
        self.devices.get(&device).is_some_and(|this| this.arriving || this.binding.is_some())
    }

    /// Whether being added is not over.
    pub(crate) fn is_arriving(&self, device: DeviceId) -> bool {
        self.devices.get(&device).is_some_and(|this| this.arriving)
    }

    /// Being added begins, or is over.
    pub(crate) fn set_arriving<D>(&mut self, tables: &mut Tables<D>, device: DeviceId, arriving: bool) {
        self.devices.entry(device).or_default().arriving = arriving;
        self.update_hold(tables, device);
    }

    /// A driver is set.
    pub(crate) fn set_driver<D>(&mut self, tables: &mut Tables<D>, device: DeviceId, driver: DriverId) {
        let this = self.devices.entry(device).or_default();
        this.binding = Some(driver);
        this.triggered = false;
        self.update_hold(tables, device);
    }

    /// The driver is not set any more.
    pub(crate) fn clear_driver<D>(&mut self, tables: &mut Tables<D>, device: DeviceId) {
        self.devices.entry(device).or_default().binding = None;
        self.update_hold(tables, device);
    }

    /// Whether a driver was bound anywhere while this device's was set; asked once.
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

    /// Takes an instance off the list.
    pub(crate) fn unlist(&mut self, instance: InstanceId) {
        self.unregistered.insert(instance);
    }

    /// Isolation is requested from now on.
    pub(crate) fn request_isolation(&mut self) {
        self.isolation_requested = true;
    }

    /// Whether isolation has been requested.
    pub(crate) fn isolation_requested(&self) -> bool {
        self.isolation_requested
    }

    /// Switches on what isolates a device, if isolation has been requested (Linux: `pci_enable_acs`).
    pub(crate) fn isolate<D>(&mut self, tables: &Tables<D>, device: DeviceId) {
        let this = &tables.devices[device];
        if self.isolation_requested
            && let Some(bus) = self.buses.get_mut(&this.bus())
        {
            bus.isolate(this.unit());
        }
    }

    /// The group that the bus finds for a device, going by which devices are in which group now.
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

    /// How the kernel died.
    pub(crate) fn oops(&self) -> Option<&str> {
        self.oops.as_deref()
    }

    /// An IOMMU without a node was found for a device without a fwspec, which its driver then reads
    /// (`viommu_probe_device`). The kernel dies with the probe lock held.
    pub(crate) fn die<D>(&mut self, tables: &mut Tables<D>, device: DeviceId, instance: InstanceId) {
        let (name, iommu) = (tables.devices[device].name(), tables.iommu_name(instance));
        let detail = format!(
            "NULL pointer dereference: the IOMMU {iommu} has no firmware node, so it was taken for that of {name}, which has none"
        );
        self.oops = Some(detail.clone());
        tables.log.event(Event::Linux(LinuxEvent::Oops { device, instance, detail }));
    }

    /// No attempt to bind may begin while a driver is set, nor, on some of the paths, before being added is over.
    fn update_hold<D>(&self, tables: &mut Tables<D>, device: DeviceId) {
        let is_held = self
            .devices
            .get(&device)
            .is_some_and(|this| this.binding.is_some() || this.arriving && !self.path.binds_while_arriving());
        tables.devices.set_held(device, is_held);
    }
}
