//! The devices of the suite, and how they make an access.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::{EndpointId, Iova, Range};
use dma::SpaceError;
use kernel::{Handle, Hardware, Instance, Probing};
use probe::{DeviceId, DomainHandle, IommuOps, Refusal};
use report::{CaseOutcome, SuiteCase};

use super::attempt::{Access, CaseError};
use super::blind;
use crate::dma::devices::{self, DmaDevice, Spaces};
use crate::dma::drivers;
use crate::dma::engine::{BlkEngine, EduEngine, Engine, EngineError, RngEngine, TestDeviceEngine};
use crate::dma::faults::{self, SeenFaults};
use crate::dma::mutation::Mutation;

/// The devices, and the results so far.
pub(super) struct Bench<'a> {
    pub(super) probing: &'a mut Probing,
    /// Devices that are translated and can access any address.
    pub(super) devices: Vec<DmaDevice>,
    /// Devices that can access any address, and that nothing translates.
    pub(super) untranslated: Vec<DmaDevice>,
    pub(super) mutation: Option<Mutation>,
    cases: Vec<SuiteCase>,
    /// Names of devices that do not start, with the reason: they are not tried again in each case.
    broken: BTreeMap<String, String>,
}

/// What a case saw, in words.
pub(super) type Seen = Result<String, CaseError>;

impl<'a> Bench<'a> {
    /// All devices that can be engines, after `cases`.
    pub(super) fn new(
        probing: &'a mut Probing,
        mutation: Option<Mutation>,
        cases: Vec<SuiteCase>,
    ) -> Result<Self, SpaceError> {
        let mut devices = Spaces::new(mutation).devices(probing)?;
        devices.retain(|device| device.engine != devices::Engine::Net);
        let (devices, untranslated) = devices.into_iter().partition(DmaDevice::is_translated);
        faults::expect(&probing.iommus);
        let bench = Self { probing, devices, untranslated, mutation, cases, broken: BTreeMap::new() };
        if mutation == Some(Mutation::DoNotAttach) {
            for device in bench.devices.clone() {
                // One that is detached already shares its endpoint with another device.
                let _ = bench.detach(&device);
            }
        }
        Ok(bench)
    }

    /// The results.
    pub(super) fn finish(self) -> Vec<SuiteCase> {
        self.cases
    }

    /// Runs one case for a translated device.
    pub(super) fn case(&mut self, id: &str, which: usize, run: impl FnOnce(&mut Self, &DmaDevice) -> Seen) {
        let device = self.devices[which].clone();
        self.case_of(id, &device, run);
    }

    /// Runs one case for a device.
    pub(super) fn case_of(
        &mut self,
        id: &str,
        device: &DmaDevice,
        run: impl FnOnce(&mut Self, &DmaDevice) -> Seen,
    ) {
        let id = device.case_id(id);
        if let Some(why) = self.broken.get(&device.name).cloned() {
            return self.record(id, CaseOutcome::Failed, why);
        }
        // What is left from before does not belong to this case.
        self.take_faults();
        match run(self, device) {
            Ok(seen) => self.record(id, CaseOutcome::Passed, seen),
            Err(error) => {
                if matches!(error, CaseError::Client(_)) {
                    self.broken.insert(device.name.clone(), error.to_string());
                }
                self.record(id, CaseOutcome::Failed, error.to_string());
            }
        }
    }

    /// Notes a case of a translated device that this machine has nothing for.
    pub(super) fn skip(&mut self, id: &str, which: usize, why: &str) {
        self.record(self.devices[which].case_id(id), CaseOutcome::Skipped, why.to_string());
    }

    /// The core's identity of a device.
    ///
    /// # Errors
    ///
    /// It was removed.
    pub(super) fn id_of(&self, device: &DmaDevice) -> Result<DeviceId, CaseError> {
        let mut existing = self.probing.core.devices();
        let existing = existing.find(|existing| *existing.handle() == device.handle);
        existing.map(|device| device.id()).ok_or_else(|| CaseError::Address("the device is gone".into()))
    }

    /// Notes a result.
    pub(super) fn record(&mut self, id: String, outcome: CaseOutcome, detail: String) {
        self.cases.push(SuiteCase { id, outcome, clause: None, answer: None, detail });
    }

    /// The device as an engine.
    pub(super) fn engine(&self, device: &DmaDevice) -> Result<Box<dyn Engine>, CaseError> {
        Ok(engine(&self.probing.hardware, device, self.accepts_platform())?)
    }

    /// The device as an engine that may not reach any memory.
    pub(super) fn blind_engine(&self, device: &DmaDevice) -> Result<Box<dyn Engine>, CaseError> {
        Ok(blind::engine(&self.probing.hardware, device, self.accepts_platform())?)
    }

    fn accepts_platform(&self) -> bool {
        self.mutation != Some(Mutation::LeaveOutAccessPlatform)
    }

    /// The faults since the last call.
    pub(super) fn take_faults(&self) -> SeenFaults {
        match self.mutation {
            Some(Mutation::DoNotDrainFaults) => SeenFaults::default(),
            _ => faults::take(&self.probing.iommus),
        }
    }

    /// Makes an access, and returns the faults; for a read also what was read.
    pub(super) fn access(
        &self,
        engine: &mut dyn Engine,
        access: Access,
        address: Iova,
        bytes: usize,
    ) -> Result<(Vec<u8>, SeenFaults), CaseError> {
        let read = match access {
            Access::Write => {
                engine.store(address, bytes)?;
                Vec::new()
            }
            Access::Read => engine.load(address, bytes)?,
        };
        Ok((read, self.take_faults()))
    }

    /// Makes a device write that may not reach its own queue, and so may never finish.
    pub(super) fn blind_write(
        &self,
        engine: &mut dyn Engine,
        address: Iova,
        bytes: usize,
        limit_us: u64,
    ) -> SeenFaults {
        blind::write(engine, address, bytes, limit_us, || self.take_faults())
    }

    /// Detaches a device from the domain of its group, past the core, and returns what attaches it again.
    ///
    /// # Errors
    ///
    /// An IOMMU refuses.
    pub(super) fn detach(&self, device: &DmaDevice) -> Result<Vec<Attachment>, CaseError> {
        let mut detached = Vec::new();
        for (iommu, endpoint) in &device.endpoints {
            let (iommu, endpoint) = (*iommu, *endpoint);
            self.with_iommu(iommu, |instance| {
                let Some(domain) = instance.domain_of(endpoint) else { return Ok(()) };
                detached.push(Attachment { iommu, endpoint, domain });
                instance.detach(domain, endpoint)
            })?;
        }
        Ok(detached)
    }

    /// Attaches what was detached.
    ///
    /// # Errors
    ///
    /// An IOMMU refuses.
    pub(super) fn attach(&self, detached: &[Attachment]) -> Result<(), CaseError> {
        detached.iter().try_for_each(|Attachment { iommu, endpoint, domain }| {
            self.with_iommu(*iommu, |instance| instance.attach(*domain, *endpoint))
        })
    }

    /// A mapping in a domain that a device is attached to, if one reaches into `range`.
    pub(super) fn mapping_in(&self, device: &DmaDevice, range: Range<Iova>) -> Option<Range<Iova>> {
        let bound = self.probing.iommus.borrow();
        device.endpoints.iter().find_map(|(iommu, endpoint)| {
            let instance = bound.iter().find(|bound| bound.device == *iommu)?.iommu.borrow();
            instance.mapping_in(instance.domain_of(*endpoint)?, range)
        })
    }

    /// Sets whether endpoints without a domain bypass the IOMMUs of a device.
    ///
    /// # Errors
    ///
    /// An IOMMU refuses.
    pub(super) fn set_bypass(&self, device: &DmaDevice, bypass: bool) -> Result<(), CaseError> {
        device
            .endpoints
            .iter()
            .try_for_each(|(iommu, _)| self.with_iommu(*iommu, |instance| instance.set_bypass(bypass)))
    }

    fn with_iommu(
        &self,
        iommu: Handle,
        work: impl FnOnce(&mut Instance) -> Result<(), Refusal>,
    ) -> Result<(), CaseError> {
        let bound = self.probing.iommus.borrow();
        match bound.iter().find(|bound| bound.device == iommu) {
            Some(bound) => work(&mut bound.iommu.borrow_mut()).map_err(CaseError::Refused),
            None => Ok(()),
        }
    }
}

/// A device as an engine.
pub(super) fn engine(
    hardware: &Hardware,
    device: &DmaDevice,
    accepts_platform: bool,
) -> Result<Box<dyn Engine>, EngineError> {
    let (handle, memory) = (device.handle, &device.memory);
    Ok(match device.engine {
        devices::Engine::Entropy => Box::new(RngEngine::start(hardware, handle, memory, accepts_platform)?),
        devices::Engine::Edu => Box::new(EduEngine::new(drivers::edu(hardware, handle)?, memory)),
        devices::Engine::TestDevice => Box::new(TestDeviceEngine(drivers::test_device(hardware, handle)?)),
        devices::Engine::Block | devices::Engine::Net => {
            Box::new(BlkEngine::start(hardware, handle, memory, accepts_platform)?)
        }
    })
}

/// An endpoint that was attached to a domain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attachment {
    iommu: Handle,
    endpoint: EndpointId,
    domain: DomainHandle,
}
