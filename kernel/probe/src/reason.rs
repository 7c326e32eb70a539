//! Why a device has no group: one of a closed set of reasons.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::core::Core;
use crate::table::device::{Device, DmaState};
use crate::table::instance::InstanceState;
use crate::traits::firmware::{FwNode, Translation, Untranslated};

/// Why a device has no group. Every device without one has exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoGroup {
    /// It is an IOMMU, which never translates itself.
    IsIommu,
    /// Firmware describes no IOMMU, and there is none.
    NoIommu,
    /// There is an IOMMU, and firmware does not describe any.
    Undescribed,
    /// Firmware's map leads it nowhere; if the map is wrong there, the finding of this ID says how.
    NotInMap(Option<&'static str>),
    /// Its whole bus is behind no IOMMU.
    BusBypasses,
    /// Firmware has disabled the IOMMU with this name.
    Disabled(String),
    /// It is a host bridge, and the IOMMU with this name is behind it.
    BehindIt(String),
    /// No driver has bound the IOMMU with this name; what the last one said.
    NoDriver(String, Option<String>),
    /// Its IOMMU will not have it.
    Refused(String),
    /// What firmware names as its IOMMU with these names is not there.
    WaitingFor(String),
    /// Linux's paths only: nothing has asked firmware about it, because no driver was bound to it.
    NotProbed,
    /// Linux's paths only: firmware has led it to this IOMMU, and nobody has probed it there.
    NeverProbedAt(String),
    /// Linux's paths only: its IOMMU was there and did not take it.
    Abandoned(String),
}

impl NoGroup {
    /// Whether firmware means the device to be translated, and it is not: isolation is lost.
    ///
    /// The other reasons are what firmware says: a machine that is meant to be so. A device that Linux's paths have
    /// not asked firmware about counts as lost, since firmware leads it to an IOMMU.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        match self {
            Self::IsIommu
            | Self::NoIommu
            | Self::Undescribed
            | Self::NotInMap(None)
            | Self::BusBypasses
            | Self::Disabled(_)
            | Self::BehindIt(_) => false,
            Self::NotInMap(Some(_))
            | Self::NoDriver(..)
            | Self::Refused(_)
            | Self::WaitingFor(_)
            | Self::NotProbed
            | Self::NeverProbedAt(_)
            | Self::Abandoned(_) => true,
        }
    }
}

impl fmt::Display for NoGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IsIommu => f.write_str("is the IOMMU"),
            Self::NoIommu => f.write_str("no IOMMU in this machine"),
            Self::Undescribed => {
                f.write_str("not in the firmware's map: firmware does not describe an IOMMU")
            }
            Self::NotInMap(None) => f.write_str("not in the firmware's map"),
            Self::NotInMap(Some(finding)) => write!(f, "not in the firmware's map: {finding}"),
            Self::BusBypasses => f.write_str("bus bypasses"),
            Self::Disabled(node) => write!(f, "IOMMU disabled: {node}"),
            Self::BehindIt(node) => write!(f, "IOMMU is behind it: {node}"),
            Self::NoDriver(node, None) => write!(f, "IOMMU has no driver: {node}"),
            Self::NoDriver(node, Some(error)) => write!(f, "IOMMU has no driver: {node} ({error})"),
            Self::Refused(detail) => write!(f, "refused by the IOMMU: {detail}"),
            Self::WaitingFor(nodes) => write!(f, "waiting for: {nodes}"),
            Self::NotProbed => f.write_str("not probed: no driver was bound"),
            Self::NeverProbedAt(node) => write!(f, "translated by firmware, never probed: {node}"),
            Self::Abandoned(why) => write!(f, "abandoned: {why}"),
        }
    }
}

impl<D> Core<D> {
    /// Why `device` has no group; `None` if it has one.
    pub fn no_group(&self, device: &Device<D>) -> Option<NoGroup> {
        if self.instance_of_device(device.id()).is_some() && !matches!(device.dma, DmaState::Grouped(_)) {
            return Some(NoGroup::IsIommu);
        }
        Some(match &device.dma {
            DmaState::Grouped(_) => return None,
            DmaState::IsIommu => NoGroup::IsIommu,
            DmaState::Unprobed => self.not_asked(device),
            DmaState::MapInvalid(finding) => NoGroup::NotInMap(Some(finding)),
            DmaState::Untranslated(why) => self.untranslated(*why),
            DmaState::Refused(detail) => NoGroup::Refused(detail.clone()),
            DmaState::Waiting(nodes) => self.missing(device, nodes),
            DmaState::Probing => match self.oops() {
                Some(oops) => NoGroup::Abandoned(oops.into()),
                None => NoGroup::NotProbed,
            },
            DmaState::Translated(fwspec) => NoGroup::NeverProbedAt(self.firmware.name(fwspec.node)),
            DmaState::Abandoned(why) => NoGroup::Abandoned(why.clone()),
        })
    }

    fn untranslated(&self, why: Untranslated) -> NoGroup {
        match why {
            Untranslated::NoIommu if self.instances().next().is_some() => NoGroup::Undescribed,
            Untranslated::NoIommu => NoGroup::NoIommu,
            Untranslated::NotInMap => NoGroup::NotInMap(None),
            Untranslated::BusBypasses => NoGroup::BusBypasses,
            Untranslated::Disabled(node) => NoGroup::Disabled(self.firmware.name(node)),
            Untranslated::BehindIt(node) => NoGroup::BehindIt(self.firmware.name(node)),
        }
    }

    /// The probe path has not asked firmware, which may have nothing to say all the same.
    fn not_asked(&self, device: &Device<D>) -> NoGroup {
        let bus = &self.buses[device.bus.0 as usize].bus;
        let Some(parent) = bus.firmware_parent(device.unit) else { return NoGroup::NotInMap(None) };
        match self.firmware.translate(parent, &bus.input_ids(device.unit)) {
            Ok(Translation::Nowhere(why)) => self.untranslated(why),
            Ok(Translation::Endpoints(references)) => {
                match references.iter().all(|reference| Some(reference.iommu) == device.node) {
                    true => NoGroup::IsIommu,
                    false => NoGroup::NotProbed,
                }
            }
            Err(error) => NoGroup::NotInMap(Some(error.finding.id)),
        }
    }

    /// Nobody drives what firmware names: an IOMMU, or a device that is not one; or there is no such thing. On Linux's
    /// paths the IOMMU may have become ready after the device was last asked.
    fn missing(&self, device: &Device<D>, nodes: &[FwNode]) -> NoGroup {
        let unregistered = |node: &FwNode| {
            self.instances()
                .find(|other| other.state == InstanceState::Unregistered && other.node == Some(*node))
        };
        if let Some(instance) = nodes.iter().find_map(unregistered) {
            let name = self.iommu_name(instance.id);
            return NoGroup::Abandoned(format!("the registration of {name} ended with an error"));
        }
        for node in nodes.iter().filter(|node| self.instance_by_node(**node).is_none()) {
            let device = self.devices().find(|device| device.node() == Some(*node));
            if device.is_some_and(|device| device.driver().is_none()) || self.firmware.is_iommu(*node) {
                let error = device.and_then(Device::last_bind_error).map(Into::into);
                return NoGroup::NoDriver(self.firmware.name(*node), error);
            }
        }
        let names: Vec<String> = nodes.iter().map(|node| self.firmware.name(*node)).collect();
        let names = names.join(", ");
        let is_ready = |node: &FwNode| {
            self.instance_by_node(*node).is_some_and(|instance| instance.state == InstanceState::Ready)
        };
        match nodes.iter().all(is_ready) {
            true if device.has_driver() => {
                NoGroup::Abandoned(format!("{names} became ready only after its driver was bound"))
            }
            true => NoGroup::NeverProbedAt(names),
            false => NoGroup::WaitingFor(names),
        }
    }
}
