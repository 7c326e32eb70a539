//! Drivers, IOMMUs and the platform bus of a scenario: they only remember what they are.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;

use addr::{EndpointId, Iova, PhysAddr, Range};
use probe::{
    Accepted, BindError, Bus, DmaClaim, DomainHandle, DomainKind, FwNode, Grouping, InputIds, IommuOps, Prot,
    Provides, Refusal, RefusalCause, Unit,
};

use crate::firmware::node;
use crate::spec::{Device, Driver, Scenario};

/// A device's place in its scenario.
pub(crate) type Handle = usize;

/// Devices that firmware describes one by one, each a group of its own.
#[derive(Clone, Debug)]
pub(crate) struct Platform;

impl Bus for Platform {
    fn name(&self) -> &'static str {
        "platform"
    }

    fn input_ids(&self, _: Unit) -> InputIds {
        InputIds::Node
    }

    fn firmware_parent(&self, unit: Unit) -> Option<FwNode> {
        Some(node(unit.0 as usize))
    }

    fn grouping(&self, unit: Unit) -> Grouping {
        Grouping { leader: unit, why: "own group".into() }
    }

    fn fork(&self) -> Option<Box<dyn Bus>> {
        Some(Box::new(self.clone()))
    }
}

/// A driver that does what the scenario says.
#[derive(Clone)]
pub(crate) struct Model {
    scenario: Rc<Scenario>,
    /// Its place in the scenario.
    slot: usize,
    name: &'static str,
}

impl Model {
    pub(crate) fn new(scenario: &Rc<Scenario>, slot: usize, name: &'static str) -> Self {
        Self { scenario: scenario.clone(), slot, name }
    }

    fn driver(&self) -> &Driver {
        &self.scenario.drivers[self.slot]
    }

    fn device(&self, handle: Handle) -> &Device {
        &self.scenario.devices[handle]
    }
}

impl probe::Driver<Handle> for Model {
    fn name(&self) -> &'static str {
        self.name
    }

    fn matches(&self, device: &Handle) -> bool {
        self.device(*device).driver.as_deref() == Some(self.name)
    }

    fn manages_dma(&self) -> bool {
        self.driver().manages_dma
    }

    fn bind(&mut self, device: &Handle, _: &DmaClaim) -> Result<Provides, BindError> {
        if self.driver().fails {
            return Err(BindError::Declined("it fails in this scenario".into()));
        }
        Ok(match &self.device(*device).iommu {
            Some(iommu) => {
                let unknown = iommu.unknown.iter().copied().collect();
                Provides::Iommu(Box::new(Ops { unknown: Rc::new(unknown), domains: BTreeMap::new() }))
            }
            None => Provides::Nothing,
        })
    }

    fn fork(&self) -> Option<Box<dyn probe::Driver<Handle>>> {
        Some(Box::new(self.clone()))
    }
}

/// An IOMMU that knows every endpoint but some.
#[derive(Clone)]
struct Ops {
    unknown: Rc<BTreeSet<u32>>,
    domains: BTreeMap<u32, BTreeSet<EndpointId>>,
}

impl Ops {
    fn check(&self, endpoint: EndpointId, what: &str) -> Result<(), Refusal> {
        if !self.unknown.contains(&endpoint.0) {
            return Ok(());
        }
        let cause = RefusalCause::NoEntry;
        let detail: String = format!("{what} of endpoint {endpoint}: {cause}");
        Err(Refusal { cause, endpoint: Some(endpoint), detail })
    }
}

impl IommuOps for Ops {
    fn probe_device(&mut self, endpoints: &[EndpointId]) -> Result<Accepted, Refusal> {
        let mut accepted = Accepted::default();
        for endpoint in endpoints {
            match self.check(*endpoint, "PROBE") {
                Ok(()) => accepted.endpoints.push(*endpoint),
                Err(refusal) => accepted.refused.push(refusal),
            }
        }
        if accepted.endpoints.is_empty() { Err(accepted.refused.remove(0)) } else { Ok(accepted) }
    }

    fn alloc_domain(&mut self, _: DomainKind) -> Result<DomainHandle, Refusal> {
        let id = (1..).find(|id| !self.domains.contains_key(id)).expect("numbers do not end");
        self.domains.insert(id, BTreeSet::new());
        Ok(DomainHandle(id))
    }

    fn free_domain(&mut self, domain: DomainHandle) {
        self.domains.remove(&domain.0);
    }

    fn attach(&mut self, domain: DomainHandle, endpoint: EndpointId) -> Result<(), Refusal> {
        self.check(endpoint, "ATTACH")?;
        for endpoints in self.domains.values_mut() {
            endpoints.remove(&endpoint);
        }
        self.domains.entry(domain.0).or_default().insert(endpoint);
        Ok(())
    }

    fn detach(&mut self, domain: DomainHandle, endpoint: EndpointId) -> Result<(), Refusal> {
        self.domains.entry(domain.0).or_default().remove(&endpoint);
        Ok(())
    }

    fn map(&mut self, _: DomainHandle, _: Range<Iova>, _: PhysAddr, _: Prot) -> Result<(), Refusal> {
        Ok(())
    }

    fn unmap(&mut self, _: DomainHandle, _: Range<Iova>) -> Result<(), Refusal> {
        Ok(())
    }

    fn granule(&self) -> u64 {
        4096
    }

    fn deferred_flush(&self) -> bool {
        true
    }

    fn fork(&self) -> Option<Box<dyn IommuOps>> {
        Some(Box::new(self.clone()))
    }
}
