//! The devices of the suite, and how they make an access.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::{EndpointId, Iova};
use dma::SpaceError;
use kernel::{Handle, Instance, Probing};
use probe::{DomainHandle, IommuOps, Refusal};
use report::{CaseOutcome, SuiteCase};

use super::attempt::{Access, CaseError};
use crate::dma::deadline::wait_until;
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
    pub(super) mutation: Option<Mutation>,
    cases: Vec<SuiteCase>,
    /// Devices that do not start, with the reason: they are not tried again in each case.
    broken: BTreeMap<usize, String>,
}

/// What a case saw, in words.
pub(super) type Seen = Result<String, CaseError>;

impl<'a> Bench<'a> {
    /// All devices that can be engines and are translated.
    pub(super) fn new(probing: &'a mut Probing, mutation: Option<Mutation>) -> Result<Self, SpaceError> {
        let mut devices = Spaces::new(mutation).devices(probing)?;
        devices.retain(|device| device.is_translated() && device.engine != devices::Engine::Net);
        faults::expect(&probing.iommus);
        let bench = Self { probing, devices, mutation, cases: Vec::new(), broken: BTreeMap::new() };
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

    /// Runs one case for a device.
    pub(super) fn case(&mut self, id: &str, which: usize, run: impl FnOnce(&mut Self, &DmaDevice) -> Seen) {
        let device = self.devices[which].clone();
        let id = device.case_id(id);
        if let Some(why) = self.broken.get(&which).cloned() {
            return self.record(id, CaseOutcome::Failed, why);
        }
        // What is left from before does not belong to this case.
        self.take_faults();
        match run(self, &device) {
            Ok(seen) => self.record(id, CaseOutcome::Passed, seen),
            Err(error) => {
                if matches!(error, CaseError::Client(_)) {
                    self.broken.insert(which, error.to_string());
                }
                self.record(id, CaseOutcome::Failed, error.to_string());
            }
        }
    }

    /// Notes a case of a device that this machine has nothing for.
    pub(super) fn skip(&mut self, id: &str, which: usize, why: &str) {
        self.record(self.devices[which].case_id(id), CaseOutcome::Skipped, why.to_string());
    }

    /// Notes a result.
    pub(super) fn record(&mut self, id: String, outcome: CaseOutcome, detail: String) {
        self.cases.push(SuiteCase { id, outcome, clause: None, answer: None, detail });
    }

    /// The device as an engine.
    pub(super) fn engine(&self, device: &DmaDevice) -> Result<Box<dyn Engine>, CaseError> {
        let hardware = &self.probing.hardware;
        let (handle, memory) = (device.handle, &device.memory);
        let accepts = self.mutation != Some(Mutation::LeaveOutAccessPlatform);
        Ok(match device.engine {
            devices::Engine::Entropy => Box::new(RngEngine::start(hardware, handle, memory, accepts)?),
            devices::Engine::Edu => {
                let registers = drivers::edu(hardware, handle).map_err(EngineError::from)?;
                Box::new(EduEngine::start(registers, memory)?)
            }
            devices::Engine::TestDevice => {
                let registers = drivers::test_device(hardware, handle).map_err(EngineError::from)?;
                Box::new(TestDeviceEngine(registers))
            }
            devices::Engine::Block | devices::Engine::Net => {
                Box::new(BlkEngine::start(hardware, handle, memory, accepts)?)
            }
        })
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
        engine.begin_store(address, bytes);
        let mut seen = SeenFaults::default();
        wait_until(limit_us, || {
            let more = self.take_faults();
            seen.overflow |= more.overflow;
            seen.faults.extend(more.faults);
            engine.is_done() || seen.count() > 0
        });
        // The device may have ended between the two questions.
        let more = self.take_faults();
        seen.overflow |= more.overflow;
        seen.faults.extend(more.faults);
        seen
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

/// An endpoint that was attached to a domain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attachment {
    iommu: Handle,
    endpoint: EndpointId,
    domain: DomainHandle,
}
