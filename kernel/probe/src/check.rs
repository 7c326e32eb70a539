//! The invariants I1 to I11 of the probe path, checked while it runs.
//!
//! I3, I4 and I5 are looked at in the step that could break them, the others whenever the machine has
//! come to rest. What breaks one is remembered, the first time, and never forgiven in the same run.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::activity::Until;
use crate::core::Core;
use crate::path::Path;
use crate::phase1::regroup::{First, Link};
use crate::phase1::resolve::{Asker, Resolution};
use crate::table::device::{Device, DeviceId, DmaState};
use crate::table::group::GroupId;
use crate::table::instance::{Attachment, Instance, InstanceId, InstanceState};
use crate::traits::firmware::FwNode;

/// Which invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    /// Groups follow from topology and firmware alone: one isolation class, one group.
    I1,
    /// At rest no device whose IOMMU is there and healthy is without a group.
    I2,
    /// No device is grouped while a driver is bound to it.
    I3,
    /// No IOMMU translates itself.
    I4,
    /// One device's failure costs no other device its group.
    I5,
    /// All members of a group are attached, to the group's domain, by every endpoint.
    I6,
    /// Groups get the lowest free number.
    I7,
    /// A group's owners are the bound drivers that use its default domain.
    I8,
    /// Only a grouped device has anything at an IOMMU.
    I9,
    /// Groups are exactly what isolation classes and shared endpoints connect, in which there is no order.
    I10,
    /// Nobody refers to, or waits for the readiness of, an IOMMU that is gone or ready.
    I11,
}

/// One invariant, and what broke it first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `I1` to `I11`.
    pub id: &'static str,
    /// What broke it; `None` if it held all the time.
    pub broken_by: Option<String>,
}

const NAMES: [&str; 11] = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11"];

/// What broke which invariant first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Invariants {
    broken_by: [Option<String>; 11],
}

impl Invariants {
    pub(crate) fn broken(&mut self, id: Id, by: impl FnOnce() -> String) {
        self.broken_by[id as usize].get_or_insert_with(by);
    }

    pub(crate) fn broken_ones(&self) -> [bool; 11] {
        core::array::from_fn(|i| self.broken_by[i].is_some())
    }

    pub(crate) fn verdicts(&self) -> [Verdict; 11] {
        core::array::from_fn(|i| Verdict { id: NAMES[i], broken_by: self.broken_by[i].clone() })
    }
}

impl<D> Core<D> {
    /// Checks what must hold when nothing is left to do. Cost is linear in devices.
    pub(crate) fn check_at_rest(&mut self) {
        let mut broken = Vec::new();
        if self.path != Path::Fixed {
            self.check_as_firmware_says(&mut broken);
        }
        self.check_classes(&mut broken);
        self.check_devices(&mut broken);
        self.check_groups(&mut broken);
        self.check_instances(&mut broken);
        if self.connected(self.devices().map(|device| device.id)) != self.partition() {
            broken.push((Id::I10, "the groups are not what classes and endpoints connect".into()));
        }
        for (id, by) in broken {
            self.invariants.broken(id, || by);
        }
    }

    /// An IOMMU is about to go: its users must be gone before.
    pub(crate) fn check_unreferenced(&mut self, instance: InstanceId) {
        if !self.instance(instance).endpoints.is_empty() || !self.instance(instance).members.is_empty() {
            self.invariants.broken(Id::I11, || "an IOMMU went before its users".into());
        }
    }

    fn check_classes(&self, broken: &mut Vec<(Id, String)>) {
        let mut firsts = First::new();
        for device in self.devices() {
            let Some(membership) = self.membership(device.id) else {
                continue;
            };
            let leader = self.buses[device.bus.0 as usize].bus.grouping(device.unit).leader;
            let first = *firsts.entry(Link::Class(device.bus, leader)).or_insert(device.id);
            if self.membership(first).is_some_and(|other| other.group != membership.group) {
                let first = &self.device(first).name;
                broken.push((
                    Id::I1,
                    format!("{} and {first} cannot be isolated and are in two groups", device.name),
                ));
            }
        }
    }

    fn check_devices(&self, broken: &mut Vec<(Id, String)>) {
        let ready =
            |node| self.instance_by_node(node).is_some_and(|instance| instance.state == InstanceState::Ready);
        let is_behind = |device: &Device<D>, nodes: &[FwNode]| {
            device.node.is_some_and(|own| nodes.iter().any(|node| self.firmware.is_behind(*node, own)))
        };
        for device in self.devices() {
            match &device.dma {
                // A host bridge that waited for an IOMMU behind itself could not have done otherwise than to give up.
                DmaState::Waiting(nodes)
                    if nodes.iter().all(|node| ready(*node)) && !is_behind(device, nodes) =>
                {
                    broken
                        .push((Id::I2, format!("{} has no group although its IOMMU is ready", device.name)));
                }
                DmaState::Unprobed if self.path == Path::Fixed => {
                    broken.push((Id::I2, format!("{} was never probed", device.name)));
                }
                DmaState::Probing | DmaState::Translated(_) => {
                    broken.push((Id::I9, format!("{} has IOMMU state and no group", device.name)));
                }
                _ => {}
            }
        }
    }

    /// What firmware says and what Linux's paths have made of it; `fixed` keeps the two together by itself.
    fn check_as_firmware_says(&mut self, broken: &mut Vec<(Id, String)>) {
        let without: Vec<DeviceId> =
            self.devices().map(|device| device.id).filter(|id| self.membership(*id).is_none()).collect();
        for id in without {
            let name = self.device(id).name.clone();
            let waits_for_itself = match &self.device(id).dma {
                DmaState::Waiting(nodes) => nodes.iter().any(|node| self.device(id).node == Some(*node)),
                _ => false,
            };
            if waits_for_itself {
                broken.push((Id::I4, format!("{name} is an IOMMU and waits for itself")));
            }
            match self.resolve(id, Asker::Settled) {
                Resolution::Targets(_) if !matches!(self.device(id).dma, DmaState::Refused(_)) => {
                    broken.push((Id::I2, format!("{name} has no group although its IOMMU is ready")));
                }
                Resolution::Without(DmaState::Waiting(nodes)) => {
                    let gave_up = |instance: &Instance| {
                        instance.state == InstanceState::Unregistered
                            && instance.node.is_some_and(|node| nodes.contains(&node))
                    };
                    if let Some(iommu) = self.instances().find(|instance| gave_up(instance)) {
                        let iommu = self.iommu_name(iommu.id);
                        broken.push((Id::I2, format!("{name} has no group although {iommu} works")));
                        if self.deferred.iter().any(|deferred| deferred.device == id) {
                            let by = format!("{name} waits for {iommu}, which will not register again");
                            broken.push((Id::I11, by));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn check_groups(&self, broken: &mut Vec<(Id, String)>) {
        let mut owners = vec![0; self.groups.numbers()];
        for binding in self.devices().filter_map(|device| device.driver.as_ref()) {
            if let Some(count) = binding.owns.and_then(|group| owners.get_mut(group.0 as usize)) {
                *count += 1;
            }
        }
        for group in self.groups() {
            let bound = owners[group.id.0 as usize];
            if bound != group.owners {
                broken.push((
                    Id::I8,
                    format!("group {} counts {} owners and has {bound}", group.id, group.owners),
                ));
            }
            for member in &group.members {
                if !self.is_attached(*member, group.id) {
                    let name = &self.device(*member).name;
                    broken.push((Id::I6, format!("{name} is not attached as its group {} is", group.id)));
                }
            }
        }
        if !self.groups.numbers_are_complete() {
            broken.push((Id::I7, "a group number was passed over".into()));
        }
    }

    fn is_attached(&self, member: DeviceId, group: GroupId) -> bool {
        let Some(membership) = self.membership(member).filter(|membership| membership.group == group) else {
            return false;
        };
        membership.fwspecs.iter().all(|fwspec| {
            let endpoints = &self.instance(fwspec.instance).endpoints;
            let domain = self.domain_on(group, fwspec.instance);
            let is_here = |attachment: &Attachment| attachment.domain == domain && attachment.group == group;
            domain.is_some()
                && fwspec.endpoints.iter().all(|endpoint| endpoints.get(endpoint).is_some_and(is_here))
        })
    }

    fn check_instances(&self, broken: &mut Vec<(Id, String)>) {
        let mut users = vec![0; self.instances.len()];
        for fwspec in self.devices().filter_map(|d| self.membership(d.id)).flat_map(|m| &m.fwspecs) {
            users[fwspec.instance.0 as usize] += u32::try_from(fwspec.endpoints.len()).unwrap_or(u32::MAX);
        }
        for instance in self.instances() {
            let counted: u32 = instance.endpoints.values().map(|attachment| attachment.users).sum();
            if counted != users[instance.id.0 as usize] {
                let name = self.iommu_name(instance.id);
                broken.push((Id::I9, format!("{name} still has endpoints of devices without a group")));
            }
        }
        for deferred in &self.deferred {
            let has_domain = |group| self.groups.get(group).default_domain.is_some();
            if deferred.until == Until::Domain
                && self.membership(deferred.device).is_none_or(|membership| has_domain(membership.group))
            {
                let name = &self.device(deferred.device).name;
                broken.push((Id::I11, format!("{name} is left waiting for a default domain that is there")));
            }
            if let Until::Ready(nodes) = &deferred.until
                && nodes.iter().all(|node| {
                    self.instance_by_node(*node)
                        .is_some_and(|instance| instance.state == InstanceState::Ready)
                })
            {
                let name = &self.device(deferred.device).name;
                broken.push((Id::I11, format!("{name} is left waiting for an IOMMU that is ready")));
            }
        }
    }
}
