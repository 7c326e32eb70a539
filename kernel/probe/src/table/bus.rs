//! Buses and the devices on them, in the order in which a replay walks them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Index;

use crate::data::id::{BusId, DeviceId, number};
use crate::traits::bus::Bus;

/// All buses, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Buses {
    slots: Vec<Slot>,
}

/// A bus and its devices, in the order in which they were added.
struct Slot {
    bus: Box<dyn Bus>,
    devices: Vec<DeviceId>,
}

/// A walk over all buses, between two devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Walk {
    bus: usize,
    /// The last device of the walk on this bus.
    after: Option<DeviceId>,
}

impl Buses {
    pub(crate) fn add(&mut self, bus: Box<dyn Bus>) -> BusId {
        self.slots.push(Slot { bus, devices: Vec::new() });
        BusId(number(self.slots.len() - 1))
    }

    /// Replaces a bus under its devices.
    pub(crate) fn replace(&mut self, bus: BusId, by: Box<dyn Bus>) {
        self.slots[bus.0 as usize].bus = by;
    }

    /// Puts a new device at the end of its bus.
    pub(crate) fn put(&mut self, bus: BusId, device: DeviceId) {
        self.slots[bus.0 as usize].devices.push(device);
    }

    /// Removes a device from its bus.
    pub(crate) fn take(&mut self, bus: BusId, device: DeviceId) {
        self.slots[bus.0 as usize].devices.retain(|other| *other != device);
    }

    /// Devices of a bus.
    pub(crate) fn devices(&self, bus: BusId) -> &[DeviceId] {
        &self.slots[bus.0 as usize].devices
    }

    /// Devices of each bus, bus by bus.
    pub(crate) fn by_bus(&self) -> impl Iterator<Item = &[DeviceId]> {
        self.slots.iter().map(|slot| &*slot.devices)
    }

    /// A copy with the buses that `copy` makes.
    pub(crate) fn copied(&self, copy: impl Fn(&dyn Bus) -> Box<dyn Bus>) -> Self {
        let slot = |slot: &Slot| Slot { bus: copy(&*slot.bus), devices: slot.devices.clone() };
        Self { slots: self.slots.iter().map(slot).collect() }
    }
}

impl Index<BusId> for Buses {
    type Output = dyn Bus;

    fn index(&self, bus: BusId) -> &Self::Output {
        &*self.slots[bus.0 as usize].bus
    }
}

impl Walk {
    /// The next device on the same bus.
    pub(crate) fn peek(&self, buses: &Buses) -> Option<DeviceId> {
        let devices = &buses.slots.get(self.bus)?.devices;
        // Devices are in the order in which they were added.
        let place = self.after.map_or(0, |after| devices.partition_point(|device| *device <= after));
        devices.get(place).copied()
    }

    /// Advances to the next device on the same bus.
    pub(crate) fn next_on_bus(&mut self, buses: &Buses) -> Option<DeviceId> {
        let device = self.peek(buses)?;
        self.after = Some(device);
        Some(device)
    }

    /// Advances to the next bus; false if there is none.
    pub(crate) fn next_bus(&mut self, buses: &Buses) -> bool {
        self.bus += 1;
        self.after = None;
        self.bus < buses.slots.len()
    }

    /// Advances to the next device on this bus or on a later one.
    pub(crate) fn next(&mut self, buses: &Buses) -> Option<DeviceId> {
        loop {
            if let Some(device) = self.next_on_bus(buses) {
                return Some(device);
            }
            if self.bus >= buses.slots.len() || !self.next_bus(buses) {
                return None;
            }
        }
    }

    /// The position: the bus, and how many of the devices on it have been visited.
    pub(crate) fn position(&self, buses: &Buses) -> (usize, usize) {
        let devices = buses.slots.get(self.bus).map_or(&[][..], |slot| &slot.devices);
        let passed = self.after.map_or(0, |after| devices.partition_point(|device| *device <= after));
        (self.bus, passed)
    }
}
