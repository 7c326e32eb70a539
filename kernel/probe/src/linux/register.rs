//! An IOMMU registers: it is listed, all buses are walked, and then its driver is bound.
//! (Linux: `iommu_device_register`, `bus_iommu_probe`.)

use alloc::collections::VecDeque;
use alloc::format;
use core::hash::Hash;

use crate::data::dma::Trigger;
use crate::data::event::Event;
use crate::data::id::{DeviceId, DriverId, GroupId, InstanceId};
use crate::data::linux_event::LinuxEvent;
use crate::data::refusal::Refusal;
use crate::grouping::membership::{LeaveCause, withdraw};
use crate::linux::group::{DomainTime, set_up_domain};
use crate::linux::probe::{Probe, Progress};
use crate::linux::state::{DevIommu, Linux};
use crate::table::Tables;
use crate::table::bus::Walk;
use crate::table::instance::Published;
use crate::table::invariant::Id;
use crate::traits::iommu::SharedIommu;

/// A registration between two pieces.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Registration {
    published: Published,
    /// The IOMMU; its driver is bound at the end of the registration.
    device: DeviceId,
    driver: DriverId,
    walk: Walk,
    /// The unfinished probe of the last device of the walk; the probe lock is free.
    probe: Option<Probe>,
    /// Groups that this walk created on this bus and that do not have a domain yet.
    groups: VecDeque<GroupId>,
}

impl Registration {
    /// Lists the IOMMU: from now on it can be looked up, if Linux knows its node.
    pub(crate) fn begin<D>(
        linux: &Linux,
        tables: &mut Tables<D>,
        device: DeviceId,
        driver: DriverId,
        ops: SharedIommu,
    ) -> Self {
        let node = tables.devices[device].node();
        let node = node.filter(|node| !linux.quirks.unknown_iommus.contains(node));
        let published = tables.publish(device, node, driver, ops);
        Self { published, device, driver, walk: Walk::default(), probe: None, groups: VecDeque::new() }
    }

    pub(crate) fn device(&self) -> DeviceId {
        self.device
    }

    pub(crate) fn next_piece(&self) -> &'static str {
        self.probe.as_ref().map_or("walk: next device, next group, or the end", Probe::next_piece)
    }

    /// The progress of the walk.
    pub(crate) fn walk(&self) -> &Walk {
        &self.walk
    }

    /// Whether it is in the middle of a device.
    pub(crate) fn is_probing(&self) -> bool {
        self.probe.is_some()
    }

    /// The groups that wait for their domains.
    pub(crate) fn groups(&self) -> &VecDeque<GroupId> {
        &self.groups
    }

    /// The progress of that probe.
    pub(crate) fn stage(&self) -> impl Hash {
        self.probe.as_ref().map(Probe::stage)
    }

    pub(crate) fn advance<D>(mut self, linux: &mut Linux, tables: &mut Tables<D>) -> Option<Self> {
        let instance = self.published.id();
        // The IOMMU was removed in the meantime.
        tables.instances.find(instance)?;
        if let Some(probe) = self.probe.take() {
            let progress = probe.advance(linux, tables);
            return self.go_on(linux, tables, progress);
        }
        if let Some(device) = self.walk.next_on_bus(&tables.buses) {
            let probe = Probe::new(device, Trigger::Replay, DomainTime::AtEndOfWalk);
            let progress = probe.advance(linux, tables);
            return self.go_on(linux, tables, progress);
        }
        while let Some(group) = self.groups.pop_front() {
            // A bind's own probe may have joined the group, and given it its domain.
            if tables.groups.contains(group) && !tables.groups[group].has_domain() {
                return match set_up_domain(tables, group) {
                    Ok(()) => Some(self),
                    Err(refused) => self.fail(linux, tables, &refused),
                };
            }
        }
        if self.walk.next_bus(&tables.buses) {
            return Some(self);
        }
        tables.instances.ready(self.published);
        tables.log.event(Event::Ready(instance));
        linux.bound(tables, self.device, self.driver, None);
        None
    }

    fn go_on<D>(mut self, linux: &mut Linux, tables: &mut Tables<D>, progress: Progress) -> Option<Self> {
        match progress {
            Progress::Unlocked(probe) => self.probe = Some(probe),
            Progress::Done(Ok(Some(group))) if !self.groups.contains(&group) => self.groups.push_back(group),
            Progress::Done(Ok(_)) => {}
            Progress::Done(Err(refused)) => return self.fail(linux, tables, &refused),
        }
        Some(self)
    }

    /// An error of one device ends the walk and unregisters the IOMMU; its driver ignores the result (`viommu_probe`).
    fn fail<D>(self, linux: &mut Linux, tables: &mut Tables<D>, refused: &Refusal) -> Option<Self> {
        unregister(linux, tables, self.published.id(), &refused.detail);
        linux.bound(tables, self.device, self.driver, None);
        None
    }
}

/// Takes an IOMMU off the list after an error; all its devices lose their groups (Linux:
/// `iommu_device_unregister`).
fn unregister<D>(linux: &mut Linux, tables: &mut Tables<D>, instance: InstanceId, detail: &str) {
    let why = format!("the registration of {} failed: {detail}", tables.iommu_name(instance));
    for member in tables.instances[instance].members().to_vec() {
        let by = || {
            let lost = tables.devices[member].name();
            format!("{lost} lost its group through the error of another device: {detail}")
        };
        tables.invariants.broken(Id::I5, by);
        withdraw(tables, member, LeaveCause::Other);
        linux.set(tables, member, DevIommu::Abandoned(why.clone()));
    }
    linux.unlist(instance);
    let detail = detail.into();
    tables.log.event(Event::Linux(LinuxEvent::RegistrationFailed { instance, detail }));
}
