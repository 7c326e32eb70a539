//! Putting a device into its group, and taking it out again.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use addr::EndpointId;

use crate::check::Id;
use crate::core::{BusId, Core};
use crate::data::event::Event;
use crate::data::finding::{Finding, Severity};
use crate::path::Path;
use crate::phase1::resolve::Target;
use crate::table::device::{DeviceId, DmaState, Fwspec, Membership, Trigger};
use crate::table::group::GroupId;
use crate::table::instance::{Attachment, InstanceId};
use crate::traits::bus::Unit;
use crate::traits::iommu::{Accepted, Refusal, RefusalCause, ReservedRegion};

/// A device is in a group.
pub(crate) struct Joined {
    pub(crate) group: GroupId,
    /// The group was made for it; it has no default domain yet.
    pub(crate) created: bool,
}

impl<D> Core<D> {
    /// Has every target accept the device, finds or makes its group, and attaches it if the group has a
    /// default domain.
    ///
    /// # Errors
    ///
    /// One of the instances refuses, or the device cannot be isolated; nothing of it remains anywhere.
    pub(crate) fn join(
        &mut self,
        device: DeviceId,
        targets: &[Target],
        trigger: Trigger,
    ) -> Result<Joined, String> {
        let instances: Vec<InstanceId> = targets.iter().map(|target| target.instance).collect();
        self.check_itself(device, &instances);
        self.refuse_mixed_drivers(device, targets)?;
        let mut fwspecs = Vec::with_capacity(targets.len());
        let mut reserved = Vec::new();
        for target in targets {
            let accepted = self.accept(device, target)?;
            reserved.extend(accepted.reserved);
            fwspecs.push(Fwspec {
                instance: target.instance,
                endpoints: accepted.endpoints,
                source: target.source,
            });
        }

        reserved.extend(self.reserved_by_firmware(device));
        let this = self.device(device);
        let grouping = self.buses[this.bus.0 as usize].bus.grouping(this.unit);
        let class = (this.bus, grouping.leader);
        let (group, created, why) = self.find_or_create_group(device, class, &fwspecs, grouping.why);
        let leader = grouping.leader;
        self.enter(device, Membership { group, fwspecs, leader, reserved, trigger, why });
        self.groups.add_class(group, class);
        if self.groups.get(group).default_domain.is_some()
            && let Err(refusal) = self.attach_member(group, device)
        {
            self.find_refusal(device, &refusal);
            self.expel(device);
            return Err(refusal.detail);
        }
        self.events.push(Event::Joined { device, group, trigger });
        Ok(Joined { group, created })
    }

    /// What firmware itself wants kept for a device, beside what its IOMMU says.
    pub(crate) fn reserved_by_firmware(&self, device: DeviceId) -> Vec<ReservedRegion> {
        self.device(device).node.map_or(Vec::new(), |node| self.firmware.reserved(node))
    }

    /// Takes a device out of its group, if it is in one. The last member takes the group along.
    pub(crate) fn leave_group(&mut self, device: DeviceId) {
        let Some(membership) = self.withdraw(device) else { return };
        if !self.groups.contains(membership.group) || self.path != Path::Fixed {
            return;
        }
        let class = (self.device(device).bus, membership.leader);
        let mut remaining = self.groups.get(membership.group).members.iter();
        if !remaining.any(|member| self.class_of(*member) == Some(class)) {
            self.groups.remove_class(membership.group, class);
        }
        self.split(membership.group);
        if self.groups.contains(membership.group) {
            self.free_unused_domains(membership.group);
        }
    }

    /// The same without a look at whether what remains still belongs together.
    pub(crate) fn withdraw(&mut self, device: DeviceId) -> Option<Membership> {
        self.membership(device)?;
        let DmaState::Grouped(membership) =
            core::mem::replace(&mut self.device_mut(device).dma, DmaState::Unprobed)
        else {
            unreachable!("the state was looked at above")
        };
        for fwspec in &membership.fwspecs {
            self.detach(fwspec);
            self.instance_mut(fwspec.instance).members.retain(|member| *member != device);
        }
        // Its driver, if it stays, owns nothing here any more, whoever gets the number next.
        let owned = self.device_mut(device).driver.as_mut().and_then(|binding| binding.owns.take());
        let group = self.groups.get_mut(membership.group);
        group.owners -= u32::from(owned == Some(membership.group));
        group.members.retain(|member| *member != device);
        let empty = group.members.is_empty();
        self.departures += 1;
        self.events.push(Event::Left { device, group: membership.group });
        if empty {
            self.free_domains(membership.group);
            self.groups.remove(membership.group);
        } else {
            // Of an IOMMU that goes, nothing may stay behind in the groups of those who remain.
            self.free_unused_domains(membership.group);
        }
        Some(membership)
    }

    /// Takes a device out of its group because its own IOMMU will not have it there.
    pub(crate) fn expel(&mut self, device: DeviceId) {
        self.leave_group(device);
        self.departures -= 1;
    }

    pub(crate) fn membership(&self, device: DeviceId) -> Option<&Membership> {
        match &self.device(device).dma {
            DmaState::Grouped(membership) => Some(membership),
            _ => None,
        }
    }

    pub(crate) fn class_of(&self, device: DeviceId) -> Option<(BusId, Unit)> {
        self.membership(device).map(|membership| (self.device(device).bus, membership.leader))
    }

    /// A device on several IOMMUs needs each of them set up by the same driver: one group has one
    /// default domain, and only one driver knows how to keep its parts the same.
    fn refuse_mixed_drivers(&mut self, device: DeviceId, targets: &[Target]) -> Result<(), String> {
        let driver = |target: &Target| self.instance(target.instance).driver;
        let first = driver(&targets[0]);
        let Some(other) = targets.iter().map(driver).find(|name| *name != first) else { return Ok(()) };
        let detail = format!("names IOMMUs of different drivers: {first} and {other}");
        let subject = self.device(device).name.clone();
        let sentence = format!("the device {detail}; it stays without a group");
        self.find(Finding { id: "mixed-iommus", severity: Severity::Warning, subject, sentence });
        Err(detail)
    }

    /// Asks one instance about the device's endpoints on it.
    fn accept(&mut self, device: DeviceId, target: &Target) -> Result<Accepted, String> {
        let asked = self.instance_mut(target.instance).ops.probe_device(&target.endpoints);
        match asked.map_err(|refusal| self.refusal_by(target.instance, refusal)) {
            Ok(accepted) => {
                for refusal in &accepted.refused {
                    self.find_partial_refusal(device, &self.refusal_by(target.instance, refusal.clone()));
                }
                for remark in &accepted.remarks {
                    let subject = self.device(device).name.clone();
                    let sentence = format!("{}: {remark}", self.iommu_name(target.instance));
                    self.find(Finding { id: "iommu-remark", severity: Severity::Warning, subject, sentence });
                }
                Ok(accepted)
            }
            Err(refusal) => {
                self.find_refusal(device, &refusal);
                Err(refusal.detail)
            }
        }
    }

    /// A refusal with the name of the instance that said it: a device may be behind several.
    pub(crate) fn refusal_by(&self, instance: InstanceId, refusal: Refusal) -> Refusal {
        Refusal { detail: format!("{}: {}", self.iommu_name(instance), refusal.detail), ..refusal }
    }

    pub(crate) fn find_refusal(&mut self, device: DeviceId, refusal: &Refusal) {
        let subject = self.device(device).name.clone();
        let id = match refusal.cause {
            RefusalCause::NoEntry => "unknown-endpoint",
            RefusalCause::Dead => "iommu-dead",
            _ => "endpoint-refused",
        };
        let sentence =
            format!("the IOMMU refuses {subject} ({}), which stays without a group", refusal.detail);
        self.find(Finding { id, severity: Severity::Warning, subject, sentence });
    }

    fn find_partial_refusal(&mut self, device: DeviceId, refusal: &Refusal) {
        let subject = self.device(device).name.clone();
        let sentence = format!("{}: the device is translated by its other endpoints only", refusal.detail);
        let id = if refusal.cause == RefusalCause::NoEntry { "unknown-endpoint" } else { "endpoint-refused" };
        self.find(Finding { id, severity: Severity::Info, subject, sentence });
    }

    /// The group of the device's isolation class, or of the devices that have one of its endpoints: what
    /// shares an endpoint cannot be isolated by any IOMMU. More than one such group are one.
    fn find_or_create_group(
        &mut self,
        device: DeviceId,
        class: (BusId, Unit),
        fwspecs: &[Fwspec],
        why: String,
    ) -> (GroupId, bool, String) {
        let by_class = self.groups.of_class(class);
        let shared: Vec<(EndpointId, GroupId)> = fwspecs
            .iter()
            .flat_map(|fwspec| fwspec.endpoints.iter().map(|endpoint| (fwspec.instance, *endpoint)))
            .filter_map(|(instance, endpoint)| {
                self.instance(instance)
                    .endpoints
                    .get(&endpoint)
                    .map(|attachment| (endpoint, attachment.group))
            })
            .collect();
        let outside = shared.iter().copied().find(|(_, group)| Some(*group) != by_class);
        let Some((endpoint, by_endpoint)) = outside else {
            return match by_class {
                Some(group) => (group, false, why),
                None => (self.groups.create(), true, why),
            };
        };

        let mut group = by_class.unwrap_or(by_endpoint);
        for (_, other) in shared {
            group = self.merge(group, other);
        }
        let name = self.device(device).name.clone();
        let sentence = format!(
            "firmware gives {name} the endpoint {endpoint} of devices in group {group}: they cannot be isolated \
             from each other"
        );
        self.find(Finding { id: "shared-endpoint", severity: Severity::Warning, subject: name, sentence });
        let created = !self.groups.contains(group);
        if created {
            group = self.groups.create();
        }
        (group, created, format!("shares endpoint {endpoint} with other devices"))
    }

    /// Makes a device a member of its group, and of each instance that translates it.
    pub(crate) fn enter(&mut self, device: DeviceId, membership: Membership) {
        let group = membership.group;
        for fwspec in &membership.fwspecs {
            let instance = self.instance_mut(fwspec.instance);
            instance.members.push(device);
            for endpoint in &fwspec.endpoints {
                let fresh = Attachment { group, users: 0, domain: None };
                instance.endpoints.entry(*endpoint).or_insert(fresh).users += 1;
            }
        }
        self.groups.get_mut(group).members.push(device);
        self.device_mut(device).dma = DmaState::Grouped(membership);
    }

    /// Gives up a device's share in its endpoints; the last user's are detached.
    fn detach(&mut self, fwspec: &Fwspec) {
        for endpoint in &fwspec.endpoints {
            let instance = self.instance_mut(fwspec.instance);
            let Some(attachment) = instance.endpoints.get_mut(endpoint) else {
                continue;
            };
            attachment.users -= 1;
            if attachment.users > 0 {
                continue;
            }
            let domain = attachment.domain;
            instance.endpoints.remove(endpoint);
            if let Some(domain) = domain
                && let Err(refusal) = instance.ops.detach(domain, *endpoint)
            {
                let subject = self.iommu_name(fwspec.instance);
                let sentence = format!("{}: it was attached, and should have been detached", refusal.detail);
                self.find(Finding { id: "detach-refused", severity: Severity::Error, subject, sentence });
            }
        }
    }

    pub(crate) fn iommu_name(&self, instance: InstanceId) -> String {
        self.device(self.instance(instance).device).name.to_string()
    }

    /// A device is about to be grouped: no driver may have bound it, and it is not one of its own IOMMUs.
    pub(crate) fn check_itself(&mut self, device: DeviceId, instances: &[InstanceId]) {
        let this = self.device(device);
        let (name, driver) = (this.name.clone(), this.driver);
        if driver.is_some() {
            self.invariants.broken(Id::I3, || format!("{name} is grouped although a driver has bound it"));
        }
        if instances.iter().any(|instance| self.instance(*instance).device == device) {
            self.invariants.broken(Id::I4, || format!("{name} translates itself"));
        }
    }
}
