//! One step of the boot: a device is added, or a driver is registered.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use probe::{Activity, BusId, Core, Driver, NewDevice};

use crate::hardware::Handle;

/// One step of the boot. An IOMMU is registered in the later of the steps for its device and its
/// driver.
pub enum BootStep {
    /// A device is added to its bus.
    Add(BusId, NewDevice<Handle>),
    /// A driver is registered.
    Register(Box<dyn Driver<Handle>>),
}

impl BootStep {
    /// Whether this step registers a driver.
    pub(crate) fn is_driver(&self) -> bool {
        matches!(self, Self::Register(_))
    }

    /// Name of the device or driver. Devices and drivers never have the same name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Add(_, device) => &device.name,
            Self::Register(driver) => driver.name(),
        }
    }

    /// Takes the step.
    pub(crate) fn take(self, core: &mut Core<Handle>) {
        let mut rest = self.begin(core);
        while let Some(activity) = rest {
            rest = core.advance(activity);
        }
    }

    /// Begins the step; returns its remaining activity, if any.
    pub fn begin(self, core: &mut Core<Handle>) -> Option<Activity> {
        match self {
            Self::Add(bus, device) => core.begin_add_device(bus, device).1,
            Self::Register(driver) => {
                core.register_driver(driver);
                None
            }
        }
    }
}

/// The names of steps in order, in the format of the option `order=`.
pub(crate) fn names(steps: &[BootStep]) -> String {
    let names: Vec<&str> = steps.iter().map(BootStep::name).collect();
    names.join(",")
}
