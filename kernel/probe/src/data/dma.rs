//! The result of phase 1 for a device: its group, or why it does not have one.

use alloc::string::String;
use alloc::vec::Vec;

use addr::EndpointId;

use crate::data::firmware::Untranslated;
use crate::data::id::{FwNode, GroupId, InstanceId, Unit};
use crate::data::refusal::JoinError;
use crate::data::reserved::ReservedRegion;

/// The result of phase 1 for a device. Only a grouped device has attached endpoints.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum DmaState {
    /// It is not in a group.
    Ungrouped(Ungrouped),
    /// It is in a group.
    Grouped(Membership),
}

/// The result of phase 1 for a device that is not in a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ungrouped {
    /// Phase 1 has not run.
    Unprobed,
    /// It is not behind an IOMMU.
    Untranslated(Untranslated),
    /// Firmware's description of its IOMMU is wrong; the finding with this ID has the details.
    MapInvalid(&'static str),
    /// It is an IOMMU that firmware puts behind itself; it is never translated by itself.
    IsIommu,
    /// It is behind these IOMMUs, which are not ready. Nothing has been set up with any other.
    Waiting(Vec<FwNode>),
    /// It cannot join a group.
    Refused(JoinError),
}

/// A device's place in a group.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Membership {
    group: GroupId,
    fwspecs: Vec<Fwspec>,
    leader: Unit,
    reserved: Vec<ReservedRegion>,
    trigger: Trigger,
    why: String,
}

impl Membership {
    /// Membership in `group`, behind the IOMMUs of `fwspecs`; `leader` leads the device's isolation
    /// class.
    pub(crate) fn new(
        (group, why): (GroupId, String),
        fwspecs: Vec<Fwspec>,
        leader: Unit,
        reserved: Vec<ReservedRegion>,
        trigger: Trigger,
    ) -> Self {
        Self { group, fwspecs, leader, reserved, trigger, why }
    }

    /// Moves the same device, with its endpoints, to another group.
    pub(crate) fn move_to(&mut self, group: GroupId) {
        self.group = group;
    }

    /// The group.
    #[must_use]
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// The IOMMUs that translate the device, with its endpoints; one entry per instance.
    #[must_use]
    pub fn fwspecs(&self) -> &[Fwspec] {
        &self.fwspecs
    }

    /// The first unit of its isolation class.
    pub(crate) fn leader(&self) -> Unit {
        self.leader
    }

    /// Reserved regions of the device, as its IOMMUs and firmware report them.
    pub(crate) fn reserved(&self) -> &[ReservedRegion] {
        &self.reserved
    }

    /// The trigger of the probe.
    #[must_use]
    pub fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// Why it is in this group.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// A defect for the test of invariant I10.
    #[cfg(test)]
    pub(crate) fn forge_endpoints(&mut self, endpoints: Vec<EndpointId>) {
        self.fwspecs[0].endpoints = endpoints;
    }
}

/// The endpoints of a device at one IOMMU instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fwspec {
    /// The instance, by identity.
    pub instance: InstanceId,
    /// Endpoints that the instance knows, without duplicates, in firmware's order.
    pub endpoints: Vec<EndpointId>,
    /// The property or table that they are from.
    pub source: &'static str,
}

/// The trigger of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// It was added while its IOMMU was ready.
    Add,
    /// Its IOMMU was published.
    Replay,
    /// A driver is about to bind, or has just been unbound.
    Bind,
}

impl Trigger {
    /// The word in the report.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replay => "replay",
            Self::Bind => "bind",
        }
    }
}
