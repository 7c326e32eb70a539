//! Devices, each with the result of phase 1 and the driver that is bound.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::ops::Index;

use crate::data::dma::{DmaState, Fwspec, Membership, Ungrouped};
use crate::data::id::{BusId, DeviceId, DriverId, FwNode, GroupId, Unit, number};

/// The description of a device that is added.
#[derive(Clone, Debug)]
pub struct NewDevice<D> {
    /// Its number on its bus.
    pub unit: Unit,
    /// Linux's name: `0000:01:00.0`, `a000000.virtio_mmio`.
    pub name: String,
    /// Firmware's node for this device itself, if there is one.
    pub node: Option<FwNode>,
    /// False if firmware disables the device: then no driver binds it (Linux: `pci_set_of_node`).
    pub enabled: bool,
    /// The machine's own handle to it.
    pub handle: D,
}

/// A device on its bus.
#[derive(Clone, Debug)]
pub struct Device<D> {
    id: DeviceId,
    name: String,
    bus: BusId,
    unit: Unit,
    node: Option<FwNode>,
    enabled: bool,
    handle: D,
    dma: DmaState,
    driver: Option<Binding>,
    /// An attempt to bind is queued.
    bind_queued: bool,
    /// No bind can begin, because other work on the device is in progress. Only Linux's paths set it; it is here because
    /// the queue has to respect it.
    held: bool,
    last_bind_error: Option<String>,
}

impl<D> Device<D> {
    /// Whether a driver may bind it now.
    pub(crate) fn may_bind(&self) -> bool {
        self.enabled && self.driver.is_none() && !self.held
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

    /// Firmware's node for this device itself, if there is one.
    pub fn node(&self) -> Option<FwNode> {
        self.node
    }

    /// The machine's own handle to it.
    pub fn handle(&self) -> &D {
        &self.handle
    }

    /// The result of phase 1.
    pub fn dma(&self) -> &DmaState {
        &self.dma
    }

    /// The driver that is bound.
    pub fn driver(&self) -> Option<DriverId> {
        self.driver.map(|binding| binding.driver)
    }

    pub(crate) fn binding(&self) -> Option<Binding> {
        self.driver
    }

    /// The error of the last driver that failed to bind it.
    pub fn last_bind_error(&self) -> Option<&str> {
        self.last_bind_error.as_deref()
    }

    /// All flags that determine what can happen next.
    pub(crate) fn flags(&self) -> [bool; 3] {
        [self.enabled, self.bind_queued, self.held]
    }
}

/// A driver is bound; exists only from its successful probe to its unbind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Binding {
    pub(crate) driver: DriverId,
    /// The group in which this binding counts as an owner, if any.
    pub(crate) owns: Option<GroupId>,
}

/// What remains of a removed device: events that came before its removal refer to it.
#[derive(Clone)]
struct RemovedDevice {
    id: DeviceId,
    name: String,
    bus: BusId,
}

/// All devices, by identity.
#[derive(Clone)]
pub(crate) struct Devices<D> {
    /// A slot is empty once its device was removed.
    slots: Vec<Option<Device<D>>>,
    /// At most one for each slot.
    removed: Vec<RemovedDevice>,
}

impl<D> Default for Devices<D> {
    fn default() -> Self {
        Self { slots: Vec::new(), removed: Vec::new() }
    }
}

/// # Panics
///
/// If the device was removed.
impl<D> Index<DeviceId> for Devices<D> {
    type Output = Device<D>;

    fn index(&self, id: DeviceId) -> &Device<D> {
        self.find(id).expect("a device ID is used only while its device exists")
    }
}

impl<D> Devices<D> {
    /// Adds a device; phase 1 has not run for it.
    pub(crate) fn add(&mut self, bus: BusId, new: NewDevice<D>) -> DeviceId {
        let id = DeviceId(number(self.slots.len()));
        self.slots.push(Some(Device {
            id,
            name: new.name,
            bus,
            unit: new.unit,
            node: new.node,
            enabled: new.enabled,
            handle: new.handle,
            dma: DmaState::Ungrouped(Ungrouped::Unprobed),
            driver: None,
            bind_queued: false,
            held: false,
            last_bind_error: None,
        }));
        id
    }

    pub(crate) fn remove(&mut self, id: DeviceId) {
        if let Some(Device { name, bus, .. }) = self.slots[id.0 as usize].take() {
            self.removed.push(RemovedDevice { id, name, bus });
        }
    }

    /// Name and bus of a device that exists or has existed.
    pub(crate) fn name_and_bus(&self, id: DeviceId) -> (&str, BusId) {
        if let Some(device) = self.find(id) {
            return (&device.name, device.bus);
        }
        let removed = self.removed.iter().find(|removed| removed.id == id);
        removed
            .map(|removed| (&*removed.name, removed.bus))
            .expect("a device ID is that of a device that was added")
    }

    pub(crate) fn find(&self, id: DeviceId) -> Option<&Device<D>> {
        self.slots[id.0 as usize].as_ref()
    }

    pub(crate) fn contains(&self, id: DeviceId) -> bool {
        self.find(id).is_some()
    }

    /// One more than the largest number that was given out.
    pub(crate) fn numbers(&self) -> usize {
        self.slots.len()
    }

    /// Devices that exist, in the order in which they were added.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Device<D>> {
        self.slots.iter().flatten()
    }

    /// Sets why a device is not in a group. A grouped device leaves its group before.
    pub(crate) fn set_ungrouped(&mut self, id: DeviceId, state: Ungrouped) {
        self.get_mut(id).dma = DmaState::Ungrouped(state);
    }

    /// Makes a device a member of a group.
    pub(crate) fn enter(&mut self, id: DeviceId, membership: Membership) {
        self.get_mut(id).dma = DmaState::Grouped(membership);
    }

    /// Takes a device out of its group, if it is in one. A driver that stays bound does not count as an owner any more.
    pub(crate) fn leave(&mut self, id: DeviceId) -> Option<(Membership, Option<GroupId>)> {
        let this = self.get_mut(id);
        let unprobed = DmaState::Ungrouped(Ungrouped::Unprobed);
        match mem::replace(&mut this.dma, unprobed) {
            DmaState::Grouped(membership) => {
                Some((membership, this.driver.as_mut().and_then(|binding| binding.owns.take())))
            }
            ungrouped @ DmaState::Ungrouped(_) => {
                this.dma = ungrouped;
                None
            }
        }
    }

    /// Moves a grouped device to another group; the IOMMUs that it is behind, and its endpoints there.
    pub(crate) fn move_to(&mut self, id: DeviceId, group: GroupId) -> &[Fwspec] {
        match &mut self.get_mut(id).dma {
            DmaState::Grouped(membership) => {
                membership.move_to(group);
                membership.fwspecs()
            }
            DmaState::Ungrouped(_) => &[],
        }
    }

    /// Notes that an attempt to bind is queued; false if one was queued already.
    pub(crate) fn mark_queued(&mut self, id: DeviceId) -> bool {
        !mem::replace(&mut self.get_mut(id).bind_queued, true)
    }

    /// The queued attempt to bind begins.
    pub(crate) fn clear_queued(&mut self, id: DeviceId) {
        self.get_mut(id).bind_queued = false;
    }

    /// Sets whether work in progress keeps binds from beginning.
    pub(crate) fn set_held(&mut self, id: DeviceId, held: bool) {
        self.get_mut(id).held = held;
    }

    /// A driver is bound, and owns the default domain of `owns`.
    pub(crate) fn bind(&mut self, id: DeviceId, driver: DriverId, owns: Option<GroupId>) {
        let this = self.get_mut(id);
        this.driver = Some(Binding { driver, owns });
        this.last_bind_error = None;
    }

    /// The driver is not bound any more.
    pub(crate) fn unbind(&mut self, id: DeviceId) -> Option<Binding> {
        self.get_mut(id).driver.take()
    }

    /// A driver's probe failed.
    pub(crate) fn bind_failed(&mut self, id: DeviceId, error: String) {
        self.get_mut(id).last_bind_error = Some(error);
    }

    fn get_mut(&mut self, id: DeviceId) -> &mut Device<D> {
        self.slots[id.0 as usize].as_mut().expect("a device ID is used only while its device exists")
    }

    /// A defect for the tests of invariants I1 and I10.
    #[cfg(test)]
    pub(crate) fn membership_mut(&mut self, id: DeviceId) -> &mut Membership {
        let DmaState::Grouped(membership) = &mut self.get_mut(id).dma else { panic!("it is grouped") };
        membership
    }
}
