//! Registered drivers and the devices that they match.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::data::id::{DriverId, number};
use crate::table::device::Device;
use crate::traits::driver::Driver;

/// All drivers, in the order in which they were registered.
pub(crate) struct Drivers<D> {
    drivers: Vec<Box<dyn Driver<D>>>,
    /// For devices with these names, the name of the only driver that matches them (Linux: `driver_override`).
    overrides: BTreeMap<String, String>,
}

impl<D> Default for Drivers<D> {
    fn default() -> Self {
        Self { drivers: Vec::new(), overrides: BTreeMap::new() }
    }
}

impl<D> Drivers<D> {
    pub(crate) fn register(&mut self, driver: Box<dyn Driver<D>>) -> DriverId {
        self.drivers.push(driver);
        DriverId(number(self.drivers.len() - 1))
    }

    pub(crate) fn name(&self, driver: DriverId) -> &'static str {
        self.drivers[driver.0 as usize].name()
    }

    /// Names of all drivers, in the order in which they were registered.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.drivers.iter().map(|driver| driver.name())
    }

    pub(crate) fn get_mut(&mut self, driver: DriverId) -> &mut dyn Driver<D> {
        &mut *self.drivers[driver.0 as usize]
    }

    /// Whether a driver matches a device.
    pub(crate) fn is_for(&self, driver: DriverId, device: &Device<D>) -> bool {
        self.matches(&*self.drivers[driver.0 as usize], device)
    }

    /// The first driver from `slot` on that matches a device.
    pub(crate) fn next_for(&self, device: &Device<D>, slot: usize) -> Option<DriverId> {
        let mut rest = self.drivers.iter().enumerate().skip(slot);
        rest.find(|(_, driver)| self.matches(&***driver, device)).map(|(place, _)| DriverId(number(place)))
    }

    /// Sets the only driver that matches the device with this name; `None` removes the restriction.
    pub(crate) fn set_override(&mut self, device: String, driver: Option<String>) {
        match driver {
            Some(driver) => self.overrides.insert(device, driver),
            None => self.overrides.remove(&device),
        };
    }

    /// The names of devices with a restriction, each with the name of the driver.
    pub(crate) fn overrides(&self) -> &BTreeMap<String, String> {
        &self.overrides
    }

    /// A copy with the drivers that `copy` makes.
    pub(crate) fn copied(&self, copy: impl Fn(&dyn Driver<D>) -> Box<dyn Driver<D>>) -> Self {
        let drivers = self.drivers.iter().map(|driver| copy(&**driver)).collect();
        Self { drivers, overrides: self.overrides.clone() }
    }

    fn matches(&self, driver: &dyn Driver<D>, device: &Device<D>) -> bool {
        match self.overrides.get(device.name()) {
            Some(name) => name == driver.name(),
            None => driver.matches(device.handle()),
        }
    }
}
