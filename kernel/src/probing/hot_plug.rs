//! Devices that come and go after the boot.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use pci::{FunctionIndex, Slot};
use probe::DeviceId;
use report::Report;

use super::{BootStep, Probing, devices};
use crate::hardware::{Handle, Plugged};
use crate::output::summary;

/// A device would have to change its isolation class because another one was plugged or pulled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{device} would be in another isolation class after the change of a slot")]
pub struct ClassChange {
    /// Its name.
    pub device: String,
}

/// A function that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its name.
    pub device: String,
    /// Whether its bus mastering was off, and read as off, when it left its group.
    pub dma_stopped: bool,
}

impl Probing {
    /// Adds the functions that were put into a slot, and does what follows: phase 1, with IOMMUs that are ready, and
    /// binds. Returns their names.
    ///
    /// # Errors
    ///
    /// The topology is changed, and no device added.
    pub fn plug(&mut self, slot: &Slot, report: &mut Report) -> Result<Vec<String>, ClassChange> {
        let Plugged { functions, findings } = self.hardware.plug(slot, self.core.path());
        summary::add_findings(report, &findings);
        self.renew_pci_bus()?;
        let mut names = Vec::new();
        for index in functions {
            let new = devices::function(&self.hardware, index);
            names.push(new.name.clone());
            self.take(BootStep::Add(self.pci, new), report);
        }
        self.settle(report);
        Ok(names)
    }

    /// Removes the functions in a slot: each driver first, then its DMA, then its membership in a group.
    ///
    /// # Errors
    ///
    /// The devices are removed, but the PCI bus is not.
    pub fn unplug(&mut self, slot: &Slot, report: &mut Report) -> Result<Vec<Removed>, ClassChange> {
        let mut removed = Vec::new();
        for index in self.hardware.topology.behind(slot.port()) {
            let Some(device) = self.device_of(index) else { continue };
            self.core.unbind(device);
            self.run(report);
            let dma_stopped = self.hardware.disable(index);
            removed.push(Removed { device: self.core.device(device).name().to_string(), dma_stopped });
            self.core.remove_device(device);
            self.run(report);
        }
        self.hardware.unplug(slot);
        self.renew_pci_bus()?;
        self.settle(report);
        Ok(removed)
    }

    fn device_of(&self, index: FunctionIndex) -> Option<DeviceId> {
        let is_it = |device: &&probe::Device<Handle>| *device.handle() == Handle::Function(index);
        self.core.devices().find(is_it).map(|device| device.id())
    }

    fn renew_pci_bus(&mut self) -> Result<(), ClassChange> {
        devices::renew_pci_bus(&mut self.core, &self.hardware, self.pci)
            .map_err(|device| ClassChange { device: self.core.device(device).name().to_string() })
    }
}
