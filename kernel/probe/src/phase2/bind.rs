//! Binding drivers, and the ownership of default domains that comes with it.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::activity::{Deferred, Until, Work};
use crate::core::Core;
use crate::data::event::Event;
use crate::data::finding::{Finding, Severity};
use crate::fixed;
use crate::path::Path;
use crate::table::device::{Binding, DeviceId, DmaState, DriverId};
use crate::table::group::GroupId;
use crate::traits::driver::{BindError, DmaClaim, Provides};
use crate::traits::iommu::IommuOps;

/// How a driver's own probe ended.
pub(crate) enum Outcome {
    /// It is bound.
    Bound,
    /// It brings an IOMMU. On Linux's paths it is bound only when that is registered.
    Iommu(Box<dyn IommuOps>),
    /// It is to be tried again, for this reason.
    Deferred(String),
    /// The next driver may try.
    Failed,
}

impl<D> Core<D> {
    /// One attempt to bind a driver to a device that has none: the first driver that matches and succeeds.
    /// What the bind sets in motion is returned.
    ///
    /// A device that was put off before and is put off again keeps its place among those that wait (Linux:
    /// `driver_deferred_probe_add`).
    pub(crate) fn bind_at_once(&mut self, device: DeviceId) -> Option<Work> {
        let mut slot = 0;
        while let Some(driver) = self.matching_driver(device, slot) {
            let group = match fixed::set_up_dma(self, device) {
                Ok(group) => group,
                Err(until) => {
                    let detail = self.describe(&until);
                    self.defer(device, driver, until, detail);
                    return None;
                }
            };
            match self.call_driver(device, driver, group) {
                Outcome::Bound => return None,
                Outcome::Iommu(ops) => {
                    self.bound(device, driver, None);
                    return Some(fixed::iommu_bound(self, device, ops));
                }
                Outcome::Deferred(why) => {
                    self.defer(device, driver, Until::AnyBind, why);
                    return None;
                }
                Outcome::Failed => slot = driver.0 as usize + 1,
            }
        }
        self.forget_deferral(device);
        None
    }

    /// The first driver from `slot` on that is for a device which a driver may bind now.
    pub(crate) fn matching_driver(&self, device: DeviceId, slot: usize) -> Option<DriverId> {
        let device = self.device(device);
        let matches =
            |slot: &usize| self.drivers[*slot].as_ref().is_some_and(|driver| self.is_for(&**driver, device));
        let slot = (slot..self.drivers.len()).find(matches).filter(|_| device.may_bind())?;
        Some(DriverId(u32::try_from(slot).expect("fewer than 2^32 drivers")))
    }

    /// Phase 2 is over: ownership, then the driver's own probe.
    pub(crate) fn call_driver(
        &mut self,
        device: DeviceId,
        driver: DriverId,
        group: Option<GroupId>,
    ) -> Outcome {
        let Some(mut code) = self.drivers[driver.0 as usize].take() else {
            return Outcome::Failed;
        };
        let owns = if code.manages_dma() { None } else { group };
        self.claim(owns);
        let result = code.bind(&self.device(device).handle, &DmaClaim::new(group));
        self.drivers[driver.0 as usize] = Some(code);
        match result {
            Ok(Provides::Nothing) => {
                self.bound(device, driver, owns);
                Outcome::Bound
            }
            Ok(Provides::Iommu(ops)) => {
                // It is not translated, so it owns nothing.
                self.unclaim(owns);
                Outcome::Iommu(ops)
            }
            Err(BindError::Defer(why)) => {
                self.unclaim(owns);
                Outcome::Deferred(why)
            }
            Err(BindError::Declined(detail)) => {
                self.unclaim(owns);
                self.events.push(Event::Declined { device, driver, detail });
                Outcome::Failed
            }
            Err(BindError::Failed(detail)) => {
                self.unclaim(owns);
                let this = self.device_mut(device);
                this.last_bind_error = Some(detail.clone());
                let subject = this.name.clone();
                let sentence = format!("{} cannot drive {subject}: {detail}", self.driver_name(driver));
                self.find(Finding { id: "driver-failed", severity: Severity::Warning, subject, sentence });
                self.events.push(Event::BindFailed { device, driver, detail });
                Outcome::Failed
            }
        }
    }

    /// A driver's probe has succeeded (Linux: `driver_bound`): whoever waits for any driver tries again.
    pub(crate) fn bound(&mut self, device: DeviceId, driver: DriverId, owns: Option<GroupId>) {
        let this = self.device_mut(device);
        this.binding = None;
        this.driver = Some(Binding { driver, owns });
        this.last_bind_error = None;
        self.forget_deferral(device);
        self.events.push(Event::Bound { device, driver });
        self.wake(|until| matches!(until, Until::AnyBind));
        if self.path != Path::Fixed {
            for other in self.devices.iter_mut().flatten() {
                other.triggered |= other.binding.is_some();
            }
        }
    }

    /// Takes the driver off a device. On `fixed` an IOMMU's users lose theirs first, and their groups: nobody
    /// may do DMA through an IOMMU that is gone. On Linux's paths they lose their groups alone.
    pub(crate) fn release_driver(&mut self, device: DeviceId) {
        if let Some(instance) = self.instance_of_device(device) {
            let node = self.instance(instance).node;
            for user in self.instance(instance).members.clone() {
                if self.path == Path::Fixed {
                    self.release_driver(user);
                }
                self.leave_group(user);
                self.device_mut(user).dma = DmaState::Waiting(node.into_iter().collect());
                self.queue_bind(user);
            }
            self.check_unreferenced(instance);
            self.instances[instance.0 as usize] = None;
            self.events.push(Event::Unpublished(instance));
        }
        let Some(Binding { driver, owns }) = self.device_mut(device).driver.take() else {
            return;
        };
        if let Some(mut code) = self.drivers[driver.0 as usize].take() {
            code.unbind(&self.device(device).handle);
            self.drivers[driver.0 as usize] = Some(code);
        }
        self.unclaim(owns);
        self.events.push(Event::Unbound { device, driver });
    }

    /// Puts a bind off.
    pub(crate) fn defer(&mut self, device: DeviceId, driver: DriverId, until: Until, detail: String) {
        self.events.push(Event::Deferred { device, driver, detail });
        match self.deferred.iter_mut().find(|deferred| deferred.device == device) {
            Some(deferred) => deferred.until = until,
            None => self.deferred.push(Deferred { device, until }),
        }
    }

    pub(crate) fn forget_deferral(&mut self, device: DeviceId) {
        self.deferred.retain(|deferred| deferred.device != device);
    }

    /// What a deferral waits for, for people.
    pub(crate) fn describe(&self, until: &Until) -> String {
        match until {
            Until::Ready(nodes) => {
                let names: Vec<String> = nodes.iter().map(|node| self.firmware.name(*node)).collect();
                format!("waiting for {}", names.join(", "))
            }
            Until::Domain => "waiting for its group's default domain".into(),
            Until::AnyBind => "waiting for another driver".into(),
        }
    }

    /// Queues the deferred binds that `over` says are waiting no longer.
    pub(crate) fn wake(&mut self, over: impl Fn(&Until) -> bool) {
        let (awake, asleep): (Vec<Deferred>, Vec<Deferred>) =
            core::mem::take(&mut self.deferred).into_iter().partition(|deferred| over(&deferred.until));
        self.deferred = asleep;
        for deferred in awake {
            self.queue_bind(deferred.device);
        }
    }

    /// Counts one more user of a group's default domain (Linux: `iommu_device_use_default_domain`).
    fn claim(&mut self, owns: Option<GroupId>) {
        if let Some(group) = owns {
            self.groups.get_mut(group).owners += 1;
        }
    }

    /// The group may be gone by now: on Linux's paths an IOMMU takes it along while its users are bound.
    fn unclaim(&mut self, owns: Option<GroupId>) {
        if let Some(group) = owns.filter(|group| self.groups.contains(*group)) {
            let owners = &mut self.groups.get_mut(group).owners;
            *owners = owners.saturating_sub(1);
        }
    }
}
