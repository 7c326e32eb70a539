//! A bind, cut where nothing holds off the probe of the same device (Linux: `really_probe`).

use alloc::vec;
use core::hash::Hash;

use crate::activity::{Until, Work};
use crate::core::Core;
use crate::linux::configure::{Caller, Configured};
use crate::linux::probe::{Domain, Probe, Progress};
use crate::linux::register::Registration;
use crate::phase2::bind::Outcome;
use crate::table::device::{DeviceId, DriverId, Trigger};

/// A bind between two pieces. The device's driver is set.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Binding {
    device: DeviceId,
    driver: DriverId,
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Hash)]
enum Stage {
    /// The bus's `dma_configure`: firmware.
    Configure,
    /// The probe that follows it.
    Probe(Probe),
    /// The end of `dma_configure`, ownership, and the driver's own probe.
    Own,
}

impl Binding {
    /// Sets the first driver that is for the device; none if there is none, or one is bound.
    pub(crate) fn begin<D>(core: &mut Core<D>, device: DeviceId) -> Option<Self> {
        Self::with_next_driver(core, device, 0)
    }

    fn with_next_driver<D>(core: &mut Core<D>, device: DeviceId, slot: usize) -> Option<Self> {
        let Some(driver) = core.matching_driver(device, slot) else {
            core.forget_deferral(device);
            return None;
        };
        let this = core.device_mut(device);
        this.binding = Some(driver);
        this.triggered = false;
        Some(Self { device, driver, stage: Stage::Configure })
    }

    pub(crate) fn device(&self) -> DeviceId {
        self.device
    }

    pub(crate) fn next_piece(&self) -> &'static str {
        match &self.stage {
            Stage::Configure => "bind: ask firmware",
            Stage::Probe(probe) => probe.next_piece(),
            Stage::Own => "bind: ownership, then the driver's probe",
        }
    }

    /// How far it is; not whose it is, and not whose driver it is.
    pub(crate) fn stage(&self) -> impl Hash {
        match &self.stage {
            Stage::Configure => None,
            Stage::Probe(probe) => Some(Some(probe.stage())),
            Stage::Own => Some(None),
        }
    }

    pub(crate) fn advance<D>(mut self, core: &mut Core<D>) -> Option<Work> {
        if !core.exists(self.device) {
            return None;
        }
        let path = core.linux_path();
        match self.stage {
            Stage::Configure => match core.configure(path, self.device, Caller::Bind) {
                Configured::Defer(node) => {
                    let detail = core.describe(&Until::Ready(vec![node]));
                    self.put_off(core, detail)
                }
                Configured::Translated { probe: true } => {
                    let probe = Probe::new(self.device, Trigger::Bind, Domain::Now);
                    self.stage = Stage::Probe(probe);
                    Some(Work::BindInSteps(self))
                }
                Configured::Translated { probe: false } | Configured::Not(_) => self.own_next(),
            },
            Stage::Probe(probe) => match probe.advance(core, path) {
                Progress::Unlocked(probe) => {
                    self.stage = Stage::Probe(probe);
                    Some(Work::BindInSteps(self))
                }
                // The result goes nowhere; after an oops nothing goes anywhere.
                Progress::Done(_) => {
                    self.stage = Stage::Own;
                    Some(Work::BindInSteps(self))
                }
            },
            Stage::Own => self.own(core),
        }
    }

    fn own_next(mut self) -> Option<Work> {
        self.stage = Stage::Own;
        Some(Work::BindInSteps(self))
    }

    fn own<D>(self, core: &mut Core<D>) -> Option<Work> {
        let Self { device, driver, .. } = self;
        let group = core.membership(device).map(|membership| membership.group);
        let has_domain = |group| core.groups.get(group).default_domain.is_some();
        if core.linux_path().waits_for_default_domain() && group.is_some_and(|group| !has_domain(group)) {
            let detail = core.describe(&Until::Domain);
            return self.put_off(core, detail);
        }
        match core.call_driver(device, driver, group) {
            Outcome::Bound => None,
            Outcome::Iommu(ops) => Some(Work::Register(Registration::begin(core, device, driver, ops))),
            Outcome::Deferred(why) => self.put_off(core, why),
            Outcome::Failed => {
                core.device_mut(device).binding = None;
                Self::with_next_driver(core, device, driver.0 as usize + 1).map(Work::BindInSteps)
            }
        }
    }

    /// `EPROBE_DEFER`. If a driver was bound anywhere in the meantime, the retry that this would have been
    /// is over already, and the bind is tried again at once (Linux: `driver_deferred_probe_add_trigger`).
    fn put_off<D>(self, core: &mut Core<D>, detail: alloc::string::String) -> Option<Work> {
        let this = core.device_mut(self.device);
        this.binding = None;
        let triggered = core::mem::take(&mut this.triggered);
        core.defer(self.device, self.driver, Until::AnyBind, detail);
        if triggered {
            core.forget_deferral(self.device);
            core.queue_bind(self.device);
        }
        None
    }
}
