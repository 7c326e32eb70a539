//! A valid scenario, and the models of its machines.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use addr::PciAddress;
use pci::{PciBus, Topology};

use crate::config;
use crate::error::ScenarioError;
use crate::firmware::ScenarioFirmware;
use crate::model::Model;
use crate::spec::{Device, Map, Scenario};
use crate::step::Step;
use crate::{names, order};

/// A valid scenario, with the data that all its runs share.
#[derive(Clone)]
pub struct Plan {
    pub(crate) scenario: Rc<Scenario>,
    pub(crate) topology: Topology,
    pub(crate) firmware: Rc<ScenarioFirmware>,
    /// The PCI bus of every world.
    pub(crate) pci: PciBus,
    pub(crate) driver_names: Vec<&'static str>,
    /// Number of the last domain that an IOMMU of any world has created.
    pub(crate) domains: Rc<Cell<u32>>,
    /// For each device, its PCI address if it has one.
    pub(crate) addresses: Vec<Option<PciAddress>>,
    /// Whether every piece of a walk is separate: some step removes a device or unbinds a driver,
    /// or pieces are listed one by one and must not depend on other steps.
    pub(crate) every_piece: bool,
}

impl Plan {
    /// Checks a scenario, and finds its PCI functions as the kernel does.
    ///
    /// The names of its drivers are leaked.
    ///
    /// # Errors
    ///
    /// A name, a kind or a bus in it does not exist.
    pub fn new(scenario: Scenario) -> Result<Self, ScenarioError> {
        names::check(&scenario)?;
        order::check(&scenario)?;
        let topology = config::topology(&scenario)?;
        let firmware = Rc::new(ScenarioFirmware::new(&scenario)?);
        let bridges = config::segments(&topology).map(|segment| firmware.host_bridge(segment)).collect();
        let pci = PciBus::new(topology.fully_isolating(), bridges);
        let driver_names =
            scenario.drivers.iter().map(|driver| &*Box::leak(driver.name.clone().into_boxed_str())).collect();
        let addresses: Vec<_> = scenario.devices.iter().map(config::address).collect();
        let every_piece = scenario.stepwise || takes_away(&scenario, &addresses);
        let scenario = Rc::new(scenario);
        Ok(Self {
            scenario,
            topology,
            firmware,
            pci,
            driver_names,
            domains: Rc::default(),
            addresses,
            every_piece,
        })
    }

    /// The scenario.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The driver at an index of the scenario.
    pub(crate) fn model(&self, slot: usize) -> Model {
        Model::new(&self.scenario, slot, self.driver_names[slot], &self.domains)
    }

    pub(crate) fn place(&self, name: &str) -> Result<usize, ScenarioError> {
        let found = self.scenario.devices.iter().position(|device| device.name == name);
        found.ok_or_else(|| ScenarioError::UnknownDevice(name.into()))
    }

    /// Whether PCI functions lead one to the other: the bridge above, or function 0 of the same slot.
    pub(crate) fn depends_on(&self, device: usize, other: usize) -> bool {
        let devices = &self.scenario.devices;
        let is_first = match (self.addresses[device], self.addresses[other]) {
            (Some(at), Some(there)) => order::is_first_of(there, at),
            _ => false,
        };
        is_first || order::leads_to(&devices[other], &devices[device])
    }
}

/// Whether a group can be lost: a step removes a device or unbinds a driver, an IOMMU can fail
/// while it registers, or an IOMMU may be behind another one.
fn takes_away(scenario: &Scenario, addresses: &[Option<PciAddress>]) -> bool {
    let is_behind = |(place, device): (usize, &Device)| {
        let in_map = addresses[place].is_some_and(|at| {
            let covers = |map: &Map| (map.ids.0..=map.ids.1).contains(&at.requester_id().0);
            scenario.maps.iter().any(|map| map.segment == at.segment && covers(map))
        });
        device
            .iommu
            .as_ref()
            .is_some_and(|iommu| !iommu.unknown.is_empty() || !device.iommus.is_empty() || in_map)
    };
    scenario.steps.iter().any(|step| matches!(step, Step::Remove(_) | Step::Unbind(_)))
        || scenario.devices.iter().enumerate().any(is_behind)
}
