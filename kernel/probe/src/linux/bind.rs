//! A bind, divided at the points where the same device can be probed concurrently (Linux:
//! `really_probe`).

use alloc::string::String;
use alloc::vec;
use core::hash::Hash;

use crate::data::dma::Trigger;
use crate::data::id::{DeviceId, DriverId};
use crate::linux::configure::{Caller, Configured, configure};
use crate::linux::group::DomainTime;
use crate::linux::probe::{Probe, Progress};
use crate::linux::register::Registration;
use crate::linux::state::Linux;
use crate::phase2::answer::{NotYet, answer, describe};
use crate::phase2::attempt::{Outcome, attempt};
use crate::table::Tables;
use crate::table::bind::Until;

/// A bind between two pieces. The device's driver is set.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Bind {
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

/// The rest of a bind after a piece.
pub(crate) enum Rest {
    /// Nothing.
    Nothing,
    /// The next piece.
    Bind(Bind),
    /// The driver has created an IOMMU, which registers.
    Register(Registration),
}

impl Bind {
    /// Sets the first driver that matches the device; `None` if there is none, or one is bound.
    pub(crate) fn begin<D>(linux: &mut Linux, tables: &mut Tables<D>, device: DeviceId) -> Option<Self> {
        Self::with_next_driver(linux, tables, device, 0)
    }

    fn with_next_driver<D>(
        linux: &mut Linux,
        tables: &mut Tables<D>,
        device: DeviceId,
        slot: usize,
    ) -> Option<Self> {
        let Some(driver) = tables.next_driver(device, slot) else {
            tables.binds.forget(device);
            return None;
        };
        linux.set_driver(tables, device, driver);
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

    /// Its progress, without the device and the driver.
    pub(crate) fn stage(&self) -> impl Hash {
        match &self.stage {
            Stage::Configure => None,
            Stage::Probe(probe) => Some(Some(probe.stage())),
            Stage::Own => Some(None),
        }
    }

    pub(crate) fn advance<D>(mut self, linux: &mut Linux, tables: &mut Tables<D>) -> Rest {
        if !tables.devices.contains(self.device) {
            return Rest::Nothing;
        }
        self.stage = match self.stage {
            Stage::Configure => match configure(linux, tables, self.device, Caller::Bind) {
                Configured::Defer(node) => {
                    let detail = describe(tables, &Until::Ready(vec![node]));
                    return self.put_off(linux, tables, detail);
                }
                Configured::Translated { probe: true } => {
                    Stage::Probe(Probe::new(self.device, Trigger::Bind, DomainTime::Now))
                }
                Configured::Translated { probe: false } | Configured::Not(_) => Stage::Own,
            },
            Stage::Probe(probe) => match probe.advance(linux, tables) {
                Progress::Unlocked(probe) => Stage::Probe(probe),
                // The result is ignored; after an oops, nothing continues.
                Progress::Done(_) => Stage::Own,
            },
            Stage::Own => return self.own(linux, tables),
        };
        Rest::Bind(self)
    }

    fn own<D>(self, linux: &mut Linux, tables: &mut Tables<D>) -> Rest {
        let Self { device, driver, .. } = self;
        let group = tables.membership(device).map(|membership| membership.group());
        let has_domain = |group| tables.groups[group].has_domain();
        if linux.path.waits_for_default_domain() && group.is_some_and(|group| !has_domain(group)) {
            let detail = describe(tables, &Until::Domain);
            return self.put_off(linux, tables, detail);
        }
        // A device that phase 1 has not reached does not wait: the driver binds, translated or not.
        let claim = answer(tables, device).unwrap_or_else(NotYet::ignore);
        match attempt(tables, driver, group, claim) {
            Outcome::Bound(owns) => {
                linux.bound(tables, device, driver, owns);
                Rest::Nothing
            }
            Outcome::Iommu(ops) => Rest::Register(Registration::begin(linux, tables, device, driver, ops)),
            Outcome::Deferred(why) => self.put_off(linux, tables, why),
            Outcome::Failed => {
                linux.clear_driver(tables, device);
                let slot = driver.0 as usize + 1;
                Self::with_next_driver(linux, tables, device, slot).map_or(Rest::Nothing, Rest::Bind)
            }
            // An error of `dma_configure` ends the search for a driver (`really_probe`).
            Outcome::Claimed => {
                linux.clear_driver(tables, device);
                tables.binds.forget(device);
                Rest::Nothing
            }
        }
    }

    /// `EPROBE_DEFER`. If any driver was bound meanwhile, the retry has already been triggered, and
    /// the bind is tried again at once (Linux: `driver_deferred_probe_add_trigger`).
    fn put_off<D>(self, linux: &mut Linux, tables: &mut Tables<D>, detail: String) -> Rest {
        linux.clear_driver(tables, self.device);
        let triggered = linux.take_triggered(self.device);
        tables.defer(self.device, self.driver, Until::AnyBind, detail);
        if triggered {
            tables.binds.forget(self.device);
            tables.queue_bind(self.device);
        }
        Rest::Nothing
    }
}
