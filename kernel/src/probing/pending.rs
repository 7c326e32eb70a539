//! Steps that wait: functions whose host bridge is not bound yet, and drivers that are registered
//! after the timeout.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use probe::{Core, FwNode};

use crate::hardware::{Handle, Hardware};
use crate::probing::BootStep;

/// The waiting steps.
pub(crate) struct PendingSteps {
    hardware: Rc<Hardware>,
    /// Each with the node of its host bridge.
    functions: Vec<(FwNode, BootStep)>,
    drivers: Vec<BootStep>,
    late_drivers: Vec<String>,
}

impl PendingSteps {
    /// No waiting step yet; drivers with these names will wait.
    pub(crate) fn new(hardware: &Rc<Hardware>, late_drivers: &[String]) -> Self {
        Self {
            hardware: hardware.clone(),
            functions: Vec::new(),
            drivers: Vec::new(),
            late_drivers: late_drivers.to_vec(),
        }
    }

    /// Returns the step if it can be taken now; otherwise keeps it.
    pub(crate) fn pass(&mut self, step: BootStep, core: &Core<Handle>) -> Option<BootStep> {
        match &step {
            BootStep::Add(_, device) => {
                let bridge = match device.handle {
                    Handle::Function(index) => self.hardware.waits_for(index),
                    Handle::Platform(_) => None,
                };
                match bridge.filter(|bridge| !is_bound(core, *bridge)) {
                    Some(bridge) => self.functions.push((bridge, step)),
                    None => return Some(step),
                }
            }
            BootStep::Register(driver) if self.late_drivers.iter().any(|name| name == driver.name()) => {
                self.drivers.push(step);
            }
            BootStep::Register(_) => return Some(step),
        }
        None
    }

    /// The functions whose host bridge has been bound: they are added together, before a driver
    /// binds one of them (Linux: `pci_host_probe`).
    pub(crate) fn functions(&mut self, core: &Core<Handle>) -> Vec<BootStep> {
        if self.functions.is_empty() {
            return Vec::new();
        }
        let (ready, held) =
            mem::take(&mut self.functions).into_iter().partition(|(bridge, _)| is_bound(core, *bridge));
        self.functions = held;
        ready.into_iter().map(|(_, step): (FwNode, BootStep)| step).collect()
    }

    /// The drivers that come after the deferral timeout.
    pub(crate) fn drivers(&mut self) -> Vec<BootStep> {
        mem::take(&mut self.drivers)
    }
}

fn is_bound(core: &Core<Handle>, bridge: FwNode) -> bool {
    let is_bridge = |handle: &Handle| matches!(handle, Handle::Platform(_));
    core.devices().any(|device| {
        is_bridge(device.handle()) && device.node() == Some(bridge) && device.driver().is_some()
    })
}
