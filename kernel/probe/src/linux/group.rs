//! Linux's groups: whatever a device's neighbours are in at this moment.

use alloc::collections::BTreeMap;
use alloc::vec;

use crate::check::Id;
use crate::core::Core;
use crate::data::event::Event;
use crate::linux::LinuxPath;
use crate::linux::probe::Domain;
use crate::table::device::{DeviceId, Fwspec, LinuxFwspec, Membership, Trigger};
use crate::table::group::{DefaultDomain, GroupId};
use crate::table::instance::InstanceId;
use crate::traits::bus::{Joining, Unit};
use crate::traits::iommu::Refusal;

impl<D> Core<D> {
    /// The IOMMU's driver takes a device, and its bus finds or makes its group (Linux: `iommu_init_device` from
    /// `probe_device` on, and the rest of `__iommu_probe_device`). A group that has no domain yet is returned.
    ///
    /// # Errors
    ///
    /// The IOMMU refuses; nothing of the device remains there.
    pub(crate) fn join_as_linux(
        &mut self,
        path: &dyn LinuxPath,
        device: DeviceId,
        (instance, fwspec): (InstanceId, LinuxFwspec),
        trigger: Trigger,
        domain: Domain,
    ) -> Result<Option<GroupId>, Refusal> {
        // Of all endpoints the first alone is asked about, and speaks for the others (`viommu_probe_endpoint`).
        let first = &fwspec.endpoints[..1];
        let accepted = match self.instance_mut(instance).ops.probe_device(first) {
            Ok(accepted) => accepted,
            Err(refusal) => return Err(self.refused(device, refusal)),
        };
        self.check_itself(device, &[instance]);
        let Joining { group, why } = self.joining(device);
        let group = group.unwrap_or_else(|| self.groups.create());
        if path.warns_of_late_probe() && self.device(device).has_driver() {
            let name = self.device(device).name.clone();
            self.invariants.broken(Id::I3, || alloc::format!("{name} was grouped when its driver was set"));
            self.events.push(Event::Late(device));
        }
        let this = self.device(device);
        let leader = self.buses[this.bus.0 as usize].bus.grouping(this.unit).leader;
        let LinuxFwspec { endpoints, source, .. } = fwspec;
        let fwspecs = vec![Fwspec { instance, endpoints, source }];
        let mut reserved = accepted.reserved;
        reserved.extend(self.reserved_by_firmware(device));
        self.enter(device, Membership { group, fwspecs, leader, reserved, trigger, why });
        self.events.push(Event::Joined { device, group, trigger });

        let attached = if self.groups.get(group).default_domain.is_some() {
            self.attach_member(group, device)
        } else if domain == Domain::AtEndOfWalk {
            return Ok(Some(group));
        } else {
            self.set_up_linux_domain(group)
        };
        match attached {
            Ok(()) => Ok(None),
            Err(refusal) => {
                self.withdraw(device);
                Err(self.refused(device, refusal))
            }
        }
    }

    /// Gives a group its default domain and attaches all members, one after the other, whatever the others
    /// were answered (Linux: `iommu_setup_default_domain`).
    ///
    /// # Errors
    ///
    /// The first refusal. The group keeps its domain.
    pub(crate) fn set_up_linux_domain(&mut self, group: GroupId) -> Result<(), Refusal> {
        let kind = self.choose_type(group);
        self.groups.get_mut(group).default_domain = Some(DefaultDomain { kind, on: vec![] });
        let members = self.groups.get(group).members.clone();
        let mut result = Ok(());
        for member in members {
            result = result.and(self.attach_member(group, member));
        }
        result
    }

    /// The group that the bus finds for a device, going by who is in which group now.
    fn joining(&self, device: DeviceId) -> Joining {
        let this = self.device(device);
        let slot = &self.buses[this.bus.0 as usize];
        let groups: BTreeMap<Unit, GroupId> = slot
            .devices
            .iter()
            .filter_map(|other| Some((self.device(*other).unit, self.membership(*other)?.group)))
            .collect();
        slot.bus.joining(this.unit, this.arriving, &|unit| groups.get(&unit).copied())
    }

    fn refused(&mut self, device: DeviceId, refusal: Refusal) -> Refusal {
        self.find_refusal(device, &refusal);
        self.set_dma(device, crate::table::device::DmaState::Refused(refusal.detail.clone()));
        refusal
    }
}
