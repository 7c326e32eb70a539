//! Phase 1 of one device (Linux: `__iommu_probe_device`), and its notification at `device_add`.

use core::hash::Hash;

use crate::activity::Work;
use crate::core::Core;
use crate::data::event::Event;
use crate::linux::configure::{Caller, Configured};
use crate::linux::{IsolationTime, LinuxPath, SelfLookup};
use crate::table::device::{DeviceId, DmaState, LinuxFwspec, Trigger};
use crate::table::group::GroupId;
use crate::traits::iommu::Refusal;

/// The domain of a group that this probe makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Domain {
    /// It is set up at once.
    Now,
    /// Whoever walks sets it up at the end.
    AtEndOfWalk,
}

/// A probe between two pieces; the probe lock is free.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Probe {
    device: DeviceId,
    trigger: Trigger,
    domain: Domain,
    stage: Stage,
    /// What the device's state becomes if it gets no group.
    otherwise: DmaState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Begin,
    AskFirmware,
    Accept,
}

/// How far a piece brought a probe.
pub(crate) enum Progress {
    /// The probe lock is free, and the probe is not over.
    Unlocked(Probe),
    /// It is over: a group that waits for its domain, if there is one; or an error other than `ENODEV`.
    Done(Result<Option<GroupId>, Refusal>),
}

impl Probe {
    pub(crate) fn new(device: DeviceId, trigger: Trigger, domain: Domain) -> Self {
        Self { device, trigger, domain, stage: Stage::Begin, otherwise: DmaState::Unprobed }
    }

    pub(crate) fn next_piece(&self) -> &'static str {
        match self.stage {
            Stage::Begin => "probe",
            Stage::AskFirmware => "ask firmware, the probe lock is free",
            Stage::Accept => "firmware has answered, take the probe lock again",
        }
    }

    /// How far it is, and what it will say; not whose it is.
    pub(crate) fn stage(&self) -> impl Hash {
        (self.stage, self.trigger, self.domain, self.otherwise.clone())
    }

    pub(crate) fn advance<D>(self, core: &mut Core<D>, path: &dyn LinuxPath) -> Progress {
        if !core.exists(self.device) {
            return Progress::Done(Ok(None));
        }
        match self.stage {
            Stage::Begin => self.begin(core, path),
            Stage::AskFirmware => self.ask_firmware(core, path),
            Stage::Accept => Progress::Done(self.accept(core, path)),
        }
    }

    fn begin<D>(mut self, core: &mut Core<D>, path: &dyn LinuxPath) -> Progress {
        let device = core.device(self.device);
        let is_translated = match &device.dma {
            DmaState::Grouped(_) => return Progress::Done(Ok(None)),
            DmaState::Translated(_) => true,
            _ => false,
        };
        let has_driver = device.has_driver();
        if !matches!(device.dma, DmaState::Probing | DmaState::Translated(_)) {
            self.otherwise = device.dma.clone();
            core.device_mut(self.device).dma = DmaState::Probing;
        }
        if path.asks_firmware(has_driver, is_translated) {
            self.stage = Stage::AskFirmware;
            return Progress::Unlocked(self);
        }
        Progress::Done(self.accept(core, path))
    }

    fn ask_firmware<D>(mut self, core: &mut Core<D>, path: &dyn LinuxPath) -> Progress {
        match core.configure(path, self.device, Caller::Phase1) {
            Configured::Not(state) => self.otherwise = state,
            Configured::Defer(node) => self.otherwise = DmaState::Waiting(alloc::vec![node]),
            Configured::Translated { .. } => {}
        }
        self.stage = Stage::Accept;
        Progress::Unlocked(self)
    }

    /// The probe lock is held to the end: instance, driver, group.
    fn accept<D>(self, core: &mut Core<D>, path: &dyn LinuxPath) -> Result<Option<GroupId>, Refusal> {
        let device = self.device;
        let fwspec: Option<LinuxFwspec> = match &core.device(device).dma {
            DmaState::Probing => None,
            DmaState::Translated(fwspec) => Some(fwspec.clone()),
            // Somebody else has finished this, or has cleaned up, while the lock was free.
            _ => return Ok(None),
        };
        // The instance whose node is the fwspec's; and "no node" is equal to "no fwspec".
        let node = fwspec.as_ref().map(|fwspec| fwspec.node);
        let Some((instance, iommu)) =
            core.listed().find(|instance| instance.node == node).map(|found| (found.id, found.device))
        else {
            core.set_dma(device, self.otherwise);
            return Ok(None);
        };
        let Some(fwspec) = fwspec else {
            core.die(device, instance);
            return Ok(None);
        };
        if path.self_lookup() == SelfLookup::AmongBound && core.device(iommu).driver.is_none() {
            let name = core.device(iommu).name.clone();
            let why = alloc::format!("the driver of {name} did not find its IOMMU, which was registering");
            core.set_dma(device, DmaState::Abandoned(why));
            return Ok(None);
        }
        core.join_as_linux(path, device, (instance, fwspec), self.trigger, self.domain)
    }
}

/// `device_add` of one device, from its notification on.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Arrival(Probe);

impl Arrival {
    pub(crate) fn begin<D>(core: &mut Core<D>, device: DeviceId) -> Self {
        core.device_mut(device).arriving = true;
        if core.linux_path().isolation_time() == IsolationTime::AtEnumeration {
            core.isolate(device);
        }
        Self(Probe::new(device, Trigger::Add, Domain::Now))
    }

    pub(crate) fn device(&self) -> DeviceId {
        self.0.device
    }

    pub(crate) fn next_piece(&self) -> &'static str {
        self.0.next_piece()
    }

    pub(crate) fn stage(&self) -> impl Hash {
        self.0.stage()
    }

    pub(crate) fn advance<D>(self, core: &mut Core<D>) -> Option<Work> {
        let device = self.0.device;
        match self.0.advance(core, core.linux_path()) {
            Progress::Unlocked(probe) => Some(Work::Arrive(Self(probe))),
            // The notifier's result goes nowhere.
            Progress::Done(_) => {
                if core.exists(device) && core.oops.is_none() {
                    core.device_mut(device).arriving = false;
                    core.queue_bind(device);
                }
                None
            }
        }
    }
}

impl<D> Core<D> {
    /// What this Linux does in its own way; only its activities ask.
    pub(crate) fn linux_path(&self) -> &'static dyn LinuxPath {
        self.path.linux().expect("only Linux's paths have these activities")
    }

    /// An IOMMU without a node was found for a device without a fwspec, which its driver then reads
    /// (`viommu_probe_device`). The kernel dies with the probe lock held.
    fn die(&mut self, device: DeviceId, instance: crate::table::instance::InstanceId) {
        let name = &self.device(device).name;
        let iommu = self.iommu_name(instance);
        let detail = alloc::format!(
            "oops: the IOMMU {iommu} has no firmware node, so it was taken for that of {name}, which has none"
        );
        self.oops = Some(detail.clone());
        self.events.push(Event::Oops { device, instance, detail });
    }
}
