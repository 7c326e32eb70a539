//! An IOMMU registers: it is listed, all buses are walked, and then its driver is bound.
//! (Linux: `iommu_device_register`, `bus_iommu_probe`.)

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use core::hash::Hash;

use crate::activity::Work;
use crate::check::Id;
use crate::core::Core;
use crate::data::event::Event;
use crate::linux::probe::{Domain, Probe, Progress};
use crate::table::device::{DeviceId, DmaState, DriverId, Trigger};
use crate::table::group::GroupId;
use crate::table::instance::{InstanceId, InstanceState};
use crate::traits::iommu::{IommuOps, Refusal};

/// A registration between two pieces.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Registration {
    instance: InstanceId,
    /// The IOMMU, whose driver is not bound before this is over.
    device: DeviceId,
    driver: DriverId,
    bus: usize,
    /// The device that was walked over last on this bus.
    after: Option<DeviceId>,
    /// Its probe, while the probe lock is free in the middle of it.
    probe: Option<Probe>,
    /// Groups that this walk made on this bus, and that have no domain yet.
    groups: VecDeque<GroupId>,
}

impl Registration {
    /// Lists the IOMMU: from now on it can be looked up.
    pub(crate) fn begin<D>(
        core: &mut Core<D>,
        device: DeviceId,
        driver: DriverId,
        ops: Box<dyn IommuOps>,
    ) -> Self {
        let instance = core.publish(device, core.driver_name(driver), ops);
        Self { instance, device, driver, bus: 0, after: None, probe: None, groups: VecDeque::new() }
    }

    pub(crate) fn device(&self) -> DeviceId {
        self.device
    }

    pub(crate) fn next_piece(&self) -> &'static str {
        self.probe.as_ref().map_or("walk: next device, next group, or the end", Probe::next_piece)
    }

    /// The bus, the device that was walked over last, and the groups that wait for their domains.
    pub(crate) fn position(&self) -> (usize, Option<DeviceId>, &VecDeque<GroupId>) {
        (self.bus, self.after, &self.groups)
    }

    /// The bus, and the device that was walked over last, if the walk is not in the middle of one.
    pub(crate) fn between_devices(&self) -> Option<(usize, Option<DeviceId>)> {
        self.probe.is_none().then_some((self.bus, self.after))
    }

    /// How far the probe of that device is.
    pub(crate) fn stage(&self) -> impl Hash {
        self.probe.as_ref().map(Probe::stage)
    }

    pub(crate) fn advance<D>(mut self, core: &mut Core<D>) -> Option<Work> {
        // The IOMMU went while this was under way.
        core.instances[self.instance.0 as usize].as_ref()?;
        let path = core.linux_path();
        if let Some(probe) = self.probe.take() {
            let progress = probe.advance(core, path);
            return self.go_on(core, progress);
        }
        if let Some(device) = core.next_on_bus(self.bus, self.after) {
            self.after = Some(device);
            let progress = Probe::new(device, Trigger::Replay, Domain::AtEndOfWalk).advance(core, path);
            return self.go_on(core, progress);
        }
        while let Some(group) = self.groups.pop_front() {
            // A bind's own probe may have joined the group, and given it its domain.
            if core.groups.contains(group) && core.groups.get(group).default_domain.is_none() {
                return match core.set_up_linux_domain(group) {
                    Ok(()) => Some(Work::Register(self)),
                    Err(refusal) => self.fail(core, &refusal),
                };
            }
        }
        self.bus += 1;
        self.after = None;
        if self.bus < core.buses.len() {
            return Some(Work::Register(self));
        }
        core.instance_mut(self.instance).state = InstanceState::Ready;
        core.events.push(Event::Ready(self.instance));
        core.bound(self.device, self.driver, None);
        None
    }

    fn go_on<D>(mut self, core: &mut Core<D>, progress: Progress) -> Option<Work> {
        match progress {
            Progress::Unlocked(probe) => self.probe = Some(probe),
            Progress::Done(Ok(Some(group))) if !self.groups.contains(&group) => self.groups.push_back(group),
            Progress::Done(Ok(_)) => {}
            Progress::Done(Err(refusal)) => return self.fail(core, &refusal),
        }
        Some(Work::Register(self))
    }

    /// One device's error ends the walk, and the IOMMU with it; its driver does not look at the result
    /// (`viommu_probe`).
    fn fail<D>(self, core: &mut Core<D>, refusal: &Refusal) -> Option<Work> {
        core.unregister(self.instance, &refusal.detail);
        core.bound(self.device, self.driver, None);
        None
    }
}

impl<D> Core<D> {
    /// Takes an IOMMU off the list after an error; all its devices lose their groups (Linux:
    /// `iommu_device_unregister`).
    fn unregister(&mut self, instance: InstanceId, detail: &str) {
        let name = self.iommu_name(instance);
        for member in self.instance(instance).members.clone() {
            let lost = self.device(member).name.clone();
            self.invariants
                .broken(Id::I5, || format!("{lost} lost its group by an error of another: {detail}"));
            self.withdraw(member);
            let why: String = format!("the registration of {name} ended: {detail}");
            self.set_dma(member, DmaState::Abandoned(why));
        }
        self.instance_mut(instance).state = InstanceState::Unregistered;
        self.events.push(Event::RegistrationFailed { instance, detail: detail.into() });
    }
}
