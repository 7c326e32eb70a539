//! Phase 1 of one device (Linux: `__iommu_probe_device`), and its notification at `device_add`.

use alloc::format;
use core::hash::Hash;

use crate::data::dma::{Trigger, Ungrouped};
use crate::data::id::{DeviceId, GroupId};
use crate::data::refusal::Refusal;
use crate::linux::configure::{Caller, Configured, configure};
use crate::linux::group::{DomainTime, join_as_linux};
use crate::linux::rules::{IsolationTime, SelfLookup};
use crate::linux::state::{DevIommu, Linux, LinuxFwspec, WhyUngrouped};
use crate::table::Tables;

/// A probe between two pieces; the probe lock is free.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Probe {
    device: DeviceId,
    trigger: Trigger,
    domain_time: DomainTime,
    stage: Stage,
    /// What the device's state becomes if it gets no group.
    otherwise: WhyUngrouped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Begin,
    AskFirmware,
    Accept,
}

/// The progress of a probe after a piece.
pub(crate) enum Progress {
    /// The probe lock is free, and the probe is not over.
    Unlocked(Probe),
    /// It is over: a group that waits for its domain, if there is one; or an error other than `ENODEV`.
    Done(Result<Option<GroupId>, Refusal>),
}

impl Probe {
    pub(crate) fn new(device: DeviceId, trigger: Trigger, domain_time: DomainTime) -> Self {
        let otherwise = WhyUngrouped::Known(Ungrouped::Unprobed);
        Self { device, trigger, domain_time, stage: Stage::Begin, otherwise }
    }

    pub(crate) fn next_piece(&self) -> &'static str {
        match self.stage {
            Stage::Begin => "probe",
            Stage::AskFirmware => "ask firmware, the probe lock is free",
            Stage::Accept => "firmware has answered, take the probe lock again",
        }
    }

    /// Its progress and result, without the device.
    pub(crate) fn stage(&self) -> impl Hash {
        (self.stage, self.trigger, self.domain_time, self.otherwise.clone())
    }

    pub(crate) fn advance<D>(self, linux: &mut Linux, tables: &mut Tables<D>) -> Progress {
        if !tables.devices.contains(self.device) {
            return Progress::Done(Ok(None));
        }
        match self.stage {
            Stage::Begin => self.begin(linux, tables),
            Stage::AskFirmware => self.ask_firmware(linux, tables),
            Stage::Accept => Progress::Done(self.accept(linux, tables)),
        }
    }

    fn begin<D>(mut self, linux: &mut Linux, tables: &mut Tables<D>) -> Progress {
        if tables.membership(self.device).is_some() {
            return Progress::Done(Ok(None));
        }
        let is_translated = linux.is_translated(self.device);
        let has_driver = linux.has_driver(tables, self.device);
        if !linux.has_state(self.device) {
            self.otherwise = linux.why_ungrouped(tables, self.device);
            linux.set(tables, self.device, DevIommu::Probing);
        }
        if linux.path.asks_firmware(has_driver, is_translated) {
            self.stage = Stage::AskFirmware;
            return Progress::Unlocked(self);
        }
        Progress::Done(self.accept(linux, tables))
    }

    fn ask_firmware<D>(mut self, linux: &mut Linux, tables: &mut Tables<D>) -> Progress {
        match configure(linux, tables, self.device, Caller::Phase1) {
            Configured::Not(state) => self.otherwise = WhyUngrouped::Known(state),
            Configured::Defer(node) => {
                self.otherwise = WhyUngrouped::Known(Ungrouped::Waiting(alloc::vec![node]));
            }
            Configured::Translated { .. } => {}
        }
        self.stage = Stage::Accept;
        Progress::Unlocked(self)
    }

    /// The probe lock is held to the end: instance, driver, group.
    fn accept<D>(self, linux: &mut Linux, tables: &mut Tables<D>) -> Result<Option<GroupId>, Refusal> {
        let device = self.device;
        let fwspec: Option<LinuxFwspec> = match linux.iommu(device) {
            Some(DevIommu::Probing) => None,
            Some(DevIommu::Translated(fwspec)) => Some(fwspec.clone()),
            // Another probe has finished this one, or has cleaned up, while the lock was free.
            Some(DevIommu::Abandoned(_)) | None => return Ok(None),
        };
        // The instance whose node is the fwspec's; and "no node" is equal to "no fwspec".
        let node = fwspec.as_ref().map(|fwspec| fwspec.node);
        let Some((instance, iommu)) =
            linux.listed(tables, node).map(|instance| (instance.id(), instance.device()))
        else {
            linux.settle(tables, device, self.otherwise);
            return Ok(None);
        };
        let Some(fwspec) = fwspec else {
            linux.die(tables, device, instance);
            return Ok(None);
        };
        let iommu = &tables.devices[iommu];
        if linux.path.self_lookup() == SelfLookup::AmongBound && iommu.driver().is_none() {
            let why = format!(
                "the driver of {} did not find the IOMMU while it was being registered",
                iommu.name()
            );
            linux.set(tables, device, DevIommu::Abandoned(why));
            return Ok(None);
        }
        join_as_linux(linux, tables, device, (instance, fwspec), self.trigger, self.domain_time)
    }
}

/// `device_add` of one device, from its notification on.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Arrival(Probe);

impl Arrival {
    pub(crate) fn begin<D>(linux: &mut Linux, tables: &mut Tables<D>, device: DeviceId) -> Self {
        linux.set_arriving(tables, device, true);
        if linux.path.isolation_time() == IsolationTime::AtEnumeration {
            linux.isolate(tables, device);
        }
        Self(Probe::new(device, Trigger::Add, DomainTime::Now))
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

    pub(crate) fn advance<D>(self, linux: &mut Linux, tables: &mut Tables<D>) -> Option<Self> {
        let device = self.0.device;
        match self.0.advance(linux, tables) {
            Progress::Unlocked(probe) => Some(Self(probe)),
            // The notifier's result is ignored.
            Progress::Done(_) => {
                if tables.devices.contains(device) && linux.oops().is_none() {
                    linux.set_arriving(tables, device, false);
                    tables.queue_bind(device);
                }
                None
            }
        }
    }
}
