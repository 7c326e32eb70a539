//! Copies of a world: the models that a copied core is made of.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::RefCell;

use pci::LinuxPciBus;
use probe::{Bus, Driver, FirmwareMap, GroupId, Joining, LinuxBus, Models, SharedIommu, Unit};

use crate::firmware::ScenarioMap;
use crate::model::{Handle, Ops, Platform};
use crate::plan::Plan;

/// The PCI bus of a world on Linux's paths, which a world and its core share: it is the only model with a state that a
/// copy needs.
#[derive(Clone)]
pub(crate) struct SharedPci(Rc<RefCell<LinuxPciBus>>);

impl SharedPci {
    pub(crate) fn new(bus: LinuxPciBus) -> Self {
        Self(Rc::new(RefCell::new(bus)))
    }

    /// An independent copy, for another world.
    pub(crate) fn fork(&self) -> Self {
        Self::new(self.0.borrow().clone())
    }

    /// A hash of what is isolated.
    pub(crate) fn isolation(&self) -> u64 {
        self.0.borrow().isolation()
    }
}

impl LinuxBus for SharedPci {
    fn joining(&self, unit: Unit, arriving: bool, group_of: &dyn Fn(Unit) -> Option<GroupId>) -> Joining {
        self.0.borrow().joining(unit, arriving, group_of)
    }

    fn isolate(&mut self, unit: Unit) {
        self.0.borrow_mut().isolate(unit);
    }
}

/// The models of a world with this PCI bus.
pub(crate) struct WorldModels<'w> {
    pub(crate) plan: &'w Plan,
    pub(crate) linux_pci: &'w SharedPci,
}

impl Models<Handle> for WorldModels<'_> {
    fn bus(&self, name: &str) -> Box<dyn Bus> {
        if name == Platform.name() { Box::new(Platform) } else { Box::new(self.plan.pci.clone()) }
    }

    /// A world's only such bus is PCI.
    fn linux_bus(&self, _name: &str) -> Box<dyn LinuxBus> {
        Box::new(self.linux_pci.clone())
    }

    fn driver(&self, name: &str) -> Box<dyn Driver<Handle>> {
        let slot = self.plan.driver_names.iter().position(|other| *other == name);
        Box::new(self.plan.model(slot.expect("a world registers drivers of its scenario alone")))
    }

    fn iommu(&self, device: &Handle) -> SharedIommu {
        let iommu = self.plan.scenario.devices[*device].iommu.as_ref();
        Ops::shared(iommu.expect("only an IOMMU is published"), &self.plan.domains)
    }

    fn firmware(&self) -> Box<dyn FirmwareMap> {
        Box::new(ScenarioMap(self.plan.firmware.clone()))
    }
}
