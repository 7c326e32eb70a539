//! A device as the core knows it, and what phase 1 has found out about it.

use alloc::string::String;
use alloc::vec::Vec;

use addr::EndpointId;

use crate::core::{BusId, Core};
use crate::data::event::Event;
use crate::table::group::GroupId;
use crate::table::instance::InstanceId;
use crate::traits::bus::Unit;
use crate::traits::firmware::{FwNode, Untranslated};
use crate::traits::iommu::ReservedRegion;

/// A device, by identity; never reused in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub(crate) u32);

/// A registered driver, by identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DriverId(pub(crate) u32);

/// What the core is told about a device when it is added.
#[derive(Clone, Debug)]
pub struct NewDevice<D> {
    /// Its number on its bus.
    pub unit: Unit,
    /// Linux's name: `0000:01:00.0`, `a000000.virtio_mmio`.
    pub name: String,
    /// Firmware's node for this very device, if there is one.
    pub node: Option<FwNode>,
    /// False if firmware says that the device must not be used: then no driver binds it (Linux:
    /// `pci_set_of_node`).
    pub enabled: bool,
    /// The machine's own handle to it.
    pub handle: D,
}

/// A device on its bus.
#[derive(Clone, Debug)]
pub struct Device<D> {
    pub(crate) id: DeviceId,
    pub(crate) name: String,
    pub(crate) bus: BusId,
    pub(crate) unit: Unit,
    pub(crate) node: Option<FwNode>,
    pub(crate) enabled: bool,
    pub(crate) handle: D,
    pub(crate) dma: DmaState,
    pub(crate) driver: Option<Binding>,
    /// An attempt to bind is queued.
    pub(crate) bind_queued: bool,
    pub(crate) last_bind_error: Option<String>,
    /// Linux's paths only: it is on its bus, and being added is not over yet.
    pub(crate) arriving: bool,
    /// Linux's paths only: a driver is set, and its own probe has not succeeded yet (`dev->driver`).
    pub(crate) binding: Option<DriverId>,
    /// A driver was bound somewhere while `binding` was set, so that a deferral has to be tried again.
    pub(crate) triggered: bool,
}

impl<D> Device<D> {
    pub(crate) fn new(id: DeviceId, bus: BusId, new: NewDevice<D>) -> Self {
        Self {
            id,
            name: new.name,
            bus,
            unit: new.unit,
            node: new.node,
            enabled: new.enabled,
            handle: new.handle,
            dma: DmaState::Unprobed,
            driver: None,
            bind_queued: false,
            last_bind_error: None,
            arriving: false,
            binding: None,
            triggered: false,
        }
    }

    /// Whether a driver may bind it now.
    pub(crate) fn may_bind(&self) -> bool {
        self.enabled && self.driver.is_none() && self.binding.is_none()
    }

    /// Whether a driver is set, bound or about to be (Linux: `dev->driver`).
    pub(crate) fn has_driver(&self) -> bool {
        self.driver.is_some() || self.binding.is_some()
    }

    /// Whether somebody is in the middle of adding it or of binding a driver to it (Linux: the device lock).
    pub fn is_busy(&self) -> bool {
        self.arriving || self.binding.is_some()
    }

    /// Identity.
    pub fn id(&self) -> DeviceId {
        self.id
    }

    /// Linux's name: `0000:01:00.0`, `a000000.virtio_mmio`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bus that it is on.
    pub fn bus(&self) -> BusId {
        self.bus
    }

    /// Its number on that bus.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Firmware's node for this very device, if there is one.
    pub fn node(&self) -> Option<FwNode> {
        self.node
    }

    /// The machine's own handle to it.
    pub fn handle(&self) -> &D {
        &self.handle
    }

    /// What phase 1 has found out.
    pub fn dma(&self) -> &DmaState {
        &self.dma
    }

    /// The driver that is bound.
    pub fn driver(&self) -> Option<DriverId> {
        self.driver.as_ref().map(|binding| binding.driver)
    }

    /// The driver that is bound, or about to be (Linux: `dev->driver`).
    pub fn driver_set(&self) -> Option<DriverId> {
        self.driver().or(self.binding)
    }

    /// What the last driver that tried and failed said.
    pub fn last_bind_error(&self) -> Option<&str> {
        self.last_bind_error.as_deref()
    }
}

/// A driver is bound; exists only from its successful probe to its unbind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Binding {
    pub(crate) driver: DriverId,
    /// The group in which this binding counts as an owner; none if it counts nowhere.
    pub(crate) owns: Option<GroupId>,
}

/// What phase 1 found out about a device. Each variant holds exactly what exists in that state: only
/// a grouped device has anything attached anywhere.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum DmaState {
    /// Phase 1 has not run.
    Unprobed,
    /// Firmware leads it to no IOMMU.
    Untranslated(Untranslated),
    /// Firmware's description of its IOMMU is wrong; the finding of this ID says how.
    MapInvalid(&'static str),
    /// Firmware leads it to itself: it is an IOMMU and stays outside of its own translation.
    IsIommu,
    /// Firmware leads it to these IOMMUs, which are not ready. Nothing has been set up with any other.
    Waiting(Vec<FwNode>),
    /// Its IOMMU will not have it, or it cannot be isolated as firmware demands.
    Refused(String),
    /// It is in a group.
    Grouped(Membership),
    /// Linux's paths only: firmware is being asked about it (`dev->iommu` exists, and no fwspec).
    Probing,
    /// Linux's paths only: firmware has named its IOMMU, and nobody has probed it there.
    Translated(LinuxFwspec),
    /// Linux's paths only: its IOMMU was there and did not take it; the sentence says why.
    Abandoned(String),
}

/// Linux's fwspec: one for a device, whatever number of IOMMUs firmware names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinuxFwspec {
    /// The IOMMU that was named first; all endpoints are sent to it.
    pub(crate) node: FwNode,
    /// Its driver; an IOMMU of another one cannot be added.
    pub(crate) driver: &'static str,
    /// In firmware's order, duplicates kept (Linux: `iommu_fwspec_add_ids`).
    pub(crate) endpoints: Vec<EndpointId>,
    pub(crate) source: &'static str,
}

/// A device's place in a group.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Membership {
    pub(crate) group: GroupId,
    pub(crate) fwspecs: Vec<Fwspec>,
    pub(crate) leader: Unit,
    pub(crate) reserved: Vec<ReservedRegion>,
    pub(crate) trigger: Trigger,
    pub(crate) why: String,
}

impl Membership {
    /// The group.
    #[must_use]
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// The IOMMUs that translate the device, and as which endpoints; one entry an instance.
    #[must_use]
    pub fn fwspecs(&self) -> &[Fwspec] {
        &self.fwspecs
    }

    /// What made the core probe the device.
    #[must_use]
    pub fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// Why it is in this group.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }
}

/// As which endpoints one IOMMU instance knows a device.
///
/// Linux has one fwspec a device, which may name several IOMMUs of one driver and then sends the
/// second one's IDs to the first (`viommu_probe_device`); here it names one instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fwspec {
    /// The instance, by identity.
    pub instance: InstanceId,
    /// Endpoints that the instance knows, without duplicates, in firmware's order.
    pub endpoints: Vec<EndpointId>,
    /// The property or table that said so.
    pub source: &'static str,
}

/// What made the core probe a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// It was added while its IOMMU was ready.
    Add,
    /// Its IOMMU was published.
    Replay,
    /// A driver is about to bind, or has just been unbound.
    Bind,
}

impl Trigger {
    /// The word in the report.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replay => "replay",
            Self::Bind => "bind",
        }
    }
}

impl<D> Core<D> {
    /// Notes what phase 1 has found out about a device without a group.
    pub(crate) fn set_dma(&mut self, device: DeviceId, state: DmaState) {
        if self.device(device).dma == state {
            return;
        }
        match &state {
            DmaState::Untranslated(why) => self.events.push(Event::Untranslated { device, why: *why }),
            DmaState::Waiting(nodes) => self.events.push(Event::Waiting { device, nodes: nodes.clone() }),
            DmaState::Refused(detail) => self.events.push(Event::Refused { device, detail: detail.clone() }),
            _ => {}
        }
        self.device_mut(device).dma = state;
    }
}
