//! What phase 1 has found out about a device: its group, or why there is none.

use alloc::string::String;
use alloc::vec::Vec;

use addr::EndpointId;

use crate::data::firmware::Untranslated;
use crate::data::id::{FwNode, GroupId, InstanceId, Unit};
use crate::data::reserved::ReservedRegion;

/// What phase 1 has found out about a device. Only a grouped device has anything attached anywhere.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum DmaState {
    /// It is in no group.
    Ungrouped(Ungrouped),
    /// It is in a group.
    Grouped(Membership),
}

/// What phase 1 has found out about a device that is in no group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ungrouped {
    /// Phase 1 has not run.
    Unprobed,
    /// Firmware leads it to no IOMMU.
    Untranslated(Untranslated),
    /// Firmware's description of its IOMMU is wrong; the finding of this ID says how.
    MapInvalid(&'static str),
    /// Firmware leads it to itself: it is an IOMMU and stays outside of its own translation.
    IsIommu,
    /// Firmware leads it to these IOMMUs, which are not ready. Nothing has been set up with any other.
    Waiting(Vec<FwNode>),
    /// Its IOMMU does not accept it, or it cannot be isolated as firmware demands.
    Refused(String),
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
    /// A place in `group`, behind the IOMMUs of `fwspecs`; `leader` leads the device's isolation class.
    pub(crate) fn new(
        (group, why): (GroupId, String),
        fwspecs: Vec<Fwspec>,
        leader: Unit,
        reserved: Vec<ReservedRegion>,
        trigger: Trigger,
    ) -> Self {
        Self { group, fwspecs, leader, reserved, trigger, why }
    }

    /// The same device moves, with its endpoints, to another group.
    pub(crate) fn move_to(&mut self, group: GroupId) {
        self.group = group;
    }

    /// The group.
    #[must_use]
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// The IOMMUs that translate the device, and as which endpoints; one entry an instance.
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

    /// What made the core probe the device.
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

/// As which endpoints one IOMMU instance knows a device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fwspec {
    /// The instance, by identity.
    pub instance: InstanceId,
    /// Endpoints that the instance knows, without duplicates, in firmware's order.
    pub endpoints: Vec<EndpointId>,
    /// The property or table that said so.
    pub source: &'static str,
}

/// What made the core probe a device.
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
