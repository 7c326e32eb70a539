//! The part of the public face that only Linux's paths need. `fixed` has no such state.

use alloc::boxed::Box;

use crate::core::Core;
use crate::data::id::{BusId, DeviceId, DriverId, InstanceId};
use crate::linux::adapter::LinuxBus;
use crate::linux::state::Linux;

/// The state that Linux's paths keep beside the tables; on `fixed` every answer is no.
#[derive(Clone, Copy)]
pub struct LinuxView<'c>(Option<&'c Linux>);

impl<D> Core<D> {
    /// Sets how Linux's paths group the devices of a bus. By default, each device has a separate
    /// group.
    pub fn group_as_linux(&mut self, bus: BusId, as_linux: Box<dyn LinuxBus>) {
        if let Some(linux) = &mut self.linux {
            linux.add_bus(bus, as_linux);
        }
    }

    /// The state that only Linux's paths have.
    pub fn linux(&self) -> LinuxView<'_> {
        LinuxView(self.linux.as_ref())
    }
}

impl LinuxView<'_> {
    /// The driver that is being bound to a device (Linux: `dev->driver` is set, and the driver's own probe has not
    /// succeeded yet).
    #[must_use]
    pub fn driver_being_bound(self, device: DeviceId) -> Option<DriverId> {
        self.0?.binding(device)
    }

    /// Whether a device is being added, or a driver is being bound to it (Linux: the device lock).
    #[must_use]
    pub fn is_busy(self, device: DeviceId) -> bool {
        self.0.is_some_and(|linux| linux.is_busy(device))
    }

    /// Whether an instance's registration ended with an error: its driver is bound, and no lookup finds it.
    #[must_use]
    pub fn is_unregistered(self, instance: InstanceId) -> bool {
        self.0.is_some_and(|linux| linux.is_unregistered(instance))
    }
}
