//! Binding drivers, and the ownership of default domains that comes with it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::core::{Core, Deferred, Until};
use crate::device::{Binding, DeviceId, DmaState, DriverId};
use crate::driver::{BindError, DmaClaim, Provides};
use crate::event::Event;
use crate::finding::{Finding, Severity};
use crate::group::GroupId;
use crate::path::fixed;

impl<D> Core<D> {
    /// One attempt to bind a driver to a device that has none: the first driver that matches and succeeds.
    ///
    /// A device that was put off before and is put off again keeps its place among those that wait (Linux:
    /// `driver_deferred_probe_add`).
    pub(crate) fn bind_step(&mut self, device: DeviceId) {
        let matching: Vec<usize> = (0..self.drivers.len())
            .filter(|slot| {
                self.drivers[*slot].as_ref().is_some_and(|driver| driver.matches(&self.device(device).handle))
            })
            .collect();
        for slot in matching {
            if !self.device(device).may_bind() || !self.try_driver(device, slot) {
                return;
            }
        }
        self.forget_deferral(device);
    }

    /// Phase 2 with one driver. True if the next driver may try.
    fn try_driver(&mut self, device: DeviceId, slot: usize) -> bool {
        let driver = DriverId(u32::try_from(slot).expect("fewer than 2^32 drivers"));
        let group = match fixed::set_up_dma(self, device) {
            Ok(group) => group,
            Err(until) => {
                self.defer(device, driver, until, None);
                return false;
            }
        };
        let Some(mut code) = self.drivers[slot].take() else {
            return true;
        };
        let owns = if code.manages_dma() { None } else { group };
        self.claim(owns);
        let result = code.bind(&self.device(device).handle, &DmaClaim::new(group));
        self.drivers[slot] = Some(code);
        match result {
            Ok(provides) => {
                let this = self.device_mut(device);
                this.driver = Some(Binding { driver, owns });
                this.last_bind_error = None;
                self.forget_deferral(device);
                self.events.push(Event::Bound { device, driver });
                self.wake(|until| matches!(until, Until::AnyBind));
                if let Provides::Iommu(ops) = provides {
                    fixed::iommu_bound(self, device, ops);
                }
                false
            }
            Err(BindError::Defer(why)) => {
                self.unclaim(owns);
                self.defer(device, driver, Until::AnyBind, Some(why));
                false
            }
            Err(BindError::Declined(detail)) => {
                self.unclaim(owns);
                self.events.push(Event::Declined { device, driver, detail });
                true
            }
            Err(BindError::Failed(detail)) => {
                self.unclaim(owns);
                let this = self.device_mut(device);
                this.last_bind_error = Some(detail.clone());
                let subject = this.name.clone();
                let sentence = format!("{} cannot drive {subject}: {detail}", self.driver_name(driver));
                self.find(Finding { id: "driver-failed", severity: Severity::Warning, subject, sentence });
                self.events.push(Event::BindFailed { device, driver, detail });
                true
            }
        }
    }

    /// Takes the driver off a device. An IOMMU's users lose theirs first, and their groups: nobody may do
    /// DMA through an IOMMU that is gone.
    pub(crate) fn release_driver(&mut self, device: DeviceId) {
        if let Some(instance) = self.instance_of_device(device) {
            let node = self.instance(instance).node;
            for user in self.instance(instance).members.clone() {
                self.release_driver(user);
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

    fn defer(&mut self, device: DeviceId, driver: DriverId, until: Until, why: Option<String>) {
        let detail = why.unwrap_or_else(|| match &until {
            Until::Ready(nodes) => {
                let names: Vec<String> = nodes.iter().map(|node| self.firmware.name(*node)).collect();
                format!("waiting for {}", names.join(", "))
            }
            Until::AnyBind => "waiting for another driver".into(),
        });
        self.events.push(Event::Deferred { device, driver, detail });
        match self.deferred.iter_mut().find(|deferred| deferred.device == device) {
            Some(deferred) => deferred.until = until,
            None => self.deferred.push(Deferred { device, until }),
        }
    }

    fn forget_deferral(&mut self, device: DeviceId) {
        self.deferred.retain(|deferred| deferred.device != device);
    }

    /// Counts one more user of a group's default domain (Linux: `iommu_device_use_default_domain`).
    fn claim(&mut self, owns: Option<GroupId>) {
        if let Some(group) = owns {
            self.groups.get_mut(group).owners += 1;
        }
    }

    fn unclaim(&mut self, owns: Option<GroupId>) {
        if let Some(group) = owns {
            self.groups.get_mut(group).owners -= 1;
        }
    }
}
