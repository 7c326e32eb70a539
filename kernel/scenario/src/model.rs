//! Models of the drivers, IOMMUs and platform bus of a scenario. They have almost no state.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Cell, RefCell};

use addr::{EndpointId, Iova, PhysAddr, Range};
use probe::{
    Accepted, BindError, Bus, DmaClaim, DomainHandle, DomainKind, FwNode, Grouping, InputIds, IommuOps, Prot,
    Provides, Refusal, RefusalCause, SharedIommu, Unit,
};

use crate::firmware::node;
use crate::spec::{Device, Driver, Iommu, Scenario};

/// A device's index in its scenario.
pub(crate) type Handle = usize;

/// Devices that firmware describes individually, each with a separate group.
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
}

/// A driver that behaves as the scenario specifies.
pub(crate) struct Model {
    scenario: Rc<Scenario>,
    /// Its index in the scenario.
    slot: usize,
    name: &'static str,
    domains: Rc<Cell<u32>>,
}

impl Model {
    /// `domains` is the number of the last domain that any IOMMU has created.
    pub(crate) fn new(
        scenario: &Rc<Scenario>,
        slot: usize,
        name: &'static str,
        domains: &Rc<Cell<u32>>,
    ) -> Self {
        Self { scenario: scenario.clone(), slot, name, domains: domains.clone() }
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

    fn bind(&mut self, device: &Handle, _: DmaClaim) -> Result<Provides, BindError> {
        if self.driver().fails {
            return Err(BindError::Declined("it fails in this scenario".into()));
        }
        Ok(match &self.device(*device).iommu {
            Some(iommu) => Provides::Iommu(Ops::shared(iommu, &self.domains)),
            None => Provides::Nothing,
        })
    }
}

/// An IOMMU that knows every endpoint except those in a list. Its only state is a counter that all
/// IOMMUs share, so that one can replace another.
pub(crate) struct Ops {
    unknown: BTreeSet<u32>,
    domains: Rc<Cell<u32>>,
}

impl Ops {
    pub(crate) fn shared(iommu: &Iommu, domains: &Rc<Cell<u32>>) -> SharedIommu {
        let unknown = iommu.unknown.iter().copied().collect();
        Rc::new(RefCell::new(Self { unknown, domains: domains.clone() }))
    }

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
        self.domains.set(self.domains.get().wrapping_add(1));
        Ok(DomainHandle(self.domains.get()))
    }

    fn free_domain(&mut self, _: DomainHandle) {}

    fn attach(&mut self, _: DomainHandle, endpoint: EndpointId) -> Result<(), Refusal> {
        self.check(endpoint, "ATTACH")
    }

    fn detach(&mut self, _: DomainHandle, _: EndpointId) -> Result<(), Refusal> {
        Ok(())
    }

    fn map(&mut self, _: DomainHandle, _: Range<Iova>, _: PhysAddr, _: Prot) -> Result<(), Refusal> {
        Ok(())
    }

    fn unmap(&mut self, _: DomainHandle, _: Range<Iova>) -> Result<(), Refusal> {
        Ok(())
    }

    fn aperture(&self) -> Range<Iova> {
        Range::new(Iova(0), Iova(u64::MAX)).expect("0 is not above the last address")
    }

    fn granule(&self) -> u64 {
        4096
    }

    fn deferred_flush(&self) -> bool {
        true
    }
}
