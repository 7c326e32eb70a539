//! Devices whose IOMMU is published, and that have not been attached to any domain yet.
//!
//! The cases run while the machine boots: between the bind of an IOMMU and its replay. Whether a device reaches memory
//! then is the start value of the IOMMU's bypass (QEMU: `boot-bypass`).

use alloc::format;
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::cell::RefCell;

use addr::{EndpointId, Iova};
use dma::Direction;
use kernel::{Handle, Hardware, Iommus, Probing, Watch};
use probe::{Core, Device, DmaState, Event, InstanceId};
use report::{CaseOutcome, SuiteCase};

use super::attempt::{Access, CaseError, ExpectedFault, check_untouched, check_written, guard};
use super::bench::{self, Seen};
use super::blind::{self, BLIND_US};
use super::domains::{NO_DOMAIN, all_because};
use super::own_domain::{BYTES, mapping_fault};
use crate::dma::devices::{DmaDevice, Engine};
use crate::dma::faults::{self, SeenFaults};
use crate::dma::memory::{DeviceMemory, Route};
use crate::dma::mutation::Mutation;

/// Where an `edu` writes to: it does not reach RAM without a translation.
const BELOW_RAM: Iova = Iova(0x10_0000);

/// The results so far.
pub(crate) type Cases = Rc<RefCell<Vec<SuiteCase>>>;

/// What runs the cases of each IOMMU when it is published, and where their results go.
pub(crate) fn watch(probing: &Probing, mutation: Option<Mutation>) -> (Watch, Cases) {
    let cases = Cases::default();
    let (hardware, iommus) = (probing.hardware.clone(), probing.iommus.clone());
    let results = cases.clone();
    let watch = move |core: &Core<Handle>, event: &Event| {
        if let Event::Published(instance) = event {
            let early = Early { hardware: &hardware, iommus: &iommus, mutation };
            results.borrow_mut().extend(early.cases(core, *instance));
        }
    };
    (alloc::boxed::Box::new(watch), cases)
}

struct Early<'a> {
    hardware: &'a Hardware,
    iommus: &'a Iommus,
    mutation: Option<Mutation>,
}

impl Early<'_> {
    /// One case for each engine behind the IOMMU that is not in a group yet.
    fn cases(&self, core: &Core<Handle>, instance: InstanceId) -> Vec<SuiteCase> {
        let iommu = *core.device(core.instance(instance).device()).handle();
        let Some(bypass) = self.bypass(iommu) else { return Vec::new() };
        faults::expect(self.iommus);
        let is_early = |device: &&Device<Handle>| !matches!(device.dma(), DmaState::Grouped(_));
        let devices = core.devices().filter(is_early);
        let devices = devices.filter_map(|device| self.device(core, instance, device)).collect::<Vec<_>>();
        // An `edu` has nowhere to write to if nothing keeps it from it.
        let devices = devices.iter().filter(|device| !(bypass && device.engine == Engine::Edu));
        let cases = devices.map(|device| self.case(device, bypass)).collect();
        // A device may have gone on until it was stopped.
        self.take_faults();
        cases
    }

    /// Whether endpoints without a domain bypass the IOMMU, if it has a register for that.
    fn bypass(&self, iommu: Handle) -> Option<bool> {
        let bound = self.iommus.borrow();
        bound.iter().find(|bound| bound.device == iommu)?.iommu.borrow().bypass()
    }

    /// The device, if it can access any address and is behind the IOMMU.
    fn device(
        &self,
        core: &Core<Handle>,
        instance: InstanceId,
        device: &Device<Handle>,
    ) -> Option<DmaDevice> {
        let handle = *device.handle();
        let engine = Engine::of(self.hardware, handle).filter(|engine| *engine != Engine::Net)?;
        let (node, iommu) = (core.instance(instance).node(), core.instance(instance).device());
        let iommu = *core.device(iommu).handle();
        let references = core.references(device.id()).into_iter();
        let behind_it = references.filter(|reference| Some(reference.iommu) == node);
        let endpoints: Vec<(Handle, EndpointId)> =
            behind_it.map(|reference| (iommu, reference.endpoint)).collect();
        (!endpoints.is_empty()).then(|| DmaDevice {
            handle,
            name: device.name().to_string(),
            engine,
            memory: DeviceMemory { route: Route::Direct, mask: engine.mask() },
            group: None,
            domain_type: None,
            direct_because: None,
            endpoints,
        })
    }

    fn case(&self, device: &DmaDevice, bypass: bool) -> SuiteCase {
        self.take_faults();
        let outcome = if bypass { self.let_through(device) } else { self.kept_out(device) };
        let (outcome, detail) = match outcome {
            Ok(seen) => (CaseOutcome::Passed, seen),
            Err(error) => (CaseOutcome::Failed, error.to_string()),
        };
        SuiteCase { id: device.case_id("before-attach-write"), outcome, clause: None, answer: None, detail }
    }

    /// With bypass off, nothing is reached, not even the device's own queue.
    fn kept_out(&self, device: &DmaDevice) -> Seen {
        let accepts = self.mutation != Some(Mutation::LeaveOutAccessPlatform);
        let mut engine = blind::engine(self.hardware, device, accepts)?;
        if device.engine == Engine::Edu {
            let seen = blind::write(&mut *engine, BELOW_RAM, BYTES, BLIND_US, || self.take_faults());
            engine.stop()?;
            let expected = mapping_fault(device, BELOW_RAM, Access::Write);
            let fault = ExpectedFault { reasons: &NO_DOMAIN, ..expected }.check(&seen)?;
            return Ok(format!("write before the first attach: {fault}, {} accesses", seen.count()));
        }
        let buffer = device.memory.share(BYTES, Direction::Both)?;
        guard(buffer.pages(), BYTES);
        let seen = blind::write(&mut *engine, buffer.address(), BYTES, BLIND_US, || self.take_faults());
        engine.stop()?;
        let untouched = check_untouched(buffer.pages(), 0, BYTES);
        device.memory.take_back(buffer)?;
        untouched?;
        let fault = all_because(&seen, device, &NO_DOMAIN)?;
        Ok(format!("write before the first attach: {fault}, {} accesses", seen.count()))
    }

    /// With bypass on, everything is reached, by physical addresses.
    fn let_through(&self, device: &DmaDevice) -> Seen {
        let accepts = self.mutation != Some(Mutation::LeaveOutAccessPlatform);
        let mut engine = bench::engine(self.hardware, device, accepts)?;
        let buffer = device.memory.share(BYTES, Direction::Both)?;
        guard(buffer.pages(), BYTES);
        let phys = buffer.phys().start();
        engine.store(buffer.address(), BYTES)?;
        let written = check_written(buffer.pages(), BYTES, engine.content(BYTES).as_deref());
        engine.stop()?;
        device.memory.take_back(buffer)?;
        written?;
        match self.take_faults().faults.first() {
            Some(seen) => Err(CaseError::UnexpectedFault(seen.fault)),
            None => Ok(format!("bypass is on: before the first attach, the device reaches RAM at {phys}")),
        }
    }

    fn take_faults(&self) -> SeenFaults {
        match self.mutation {
            Some(Mutation::DoNotDrainFaults) => SeenFaults::default(),
            _ => faults::take(self.iommus),
        }
    }
}
