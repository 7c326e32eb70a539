//! Why a device has no group: one of a closed set of reasons.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::core::Core;
use crate::device::{Device, DmaState};
use crate::firmware::{FwNode, Untranslated};

/// Why a device has no group. Every device without one has exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoGroup {
    /// It is an IOMMU, which never translates itself.
    IsIommu,
    /// Firmware describes no IOMMU.
    NoIommu,
    /// Firmware's map leads it nowhere; if the map is wrong there, the finding of this ID says how.
    NotInMap(Option<&'static str>),
    /// Its whole bus is behind no IOMMU.
    BusBypasses,
    /// Firmware has disabled the IOMMU with this name.
    Disabled(String),
    /// No driver has bound the IOMMU with this name; what the last one said.
    NoDriver(String, Option<String>),
    /// Its IOMMU will not have it.
    Refused(String),
    /// What firmware names as its IOMMU with these names is not there.
    WaitingFor(String),
}

impl fmt::Display for NoGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IsIommu => f.write_str("is the IOMMU"),
            Self::NoIommu => f.write_str("no IOMMU in this machine"),
            Self::NotInMap(None) => f.write_str("not in the firmware's map"),
            Self::NotInMap(Some(finding)) => write!(f, "not in the firmware's map: {finding}"),
            Self::BusBypasses => f.write_str("bus bypasses"),
            Self::Disabled(node) => write!(f, "IOMMU disabled: {node}"),
            Self::NoDriver(node, None) => write!(f, "IOMMU has no driver: {node}"),
            Self::NoDriver(node, Some(error)) => write!(f, "IOMMU has no driver: {node} ({error})"),
            Self::Refused(detail) => write!(f, "refused by the IOMMU: {detail}"),
            Self::WaitingFor(nodes) => write!(f, "waiting for: {nodes}"),
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
            DmaState::Unprobed => NoGroup::NotInMap(None),
            DmaState::MapInvalid(finding) => NoGroup::NotInMap(Some(finding)),
            DmaState::Untranslated(Untranslated::NoIommu) => NoGroup::NoIommu,
            DmaState::Untranslated(Untranslated::NotInMap) => NoGroup::NotInMap(None),
            DmaState::Untranslated(Untranslated::BusBypasses) => NoGroup::BusBypasses,
            DmaState::Untranslated(Untranslated::Disabled(node)) => {
                NoGroup::Disabled(self.firmware.name(*node))
            }
            DmaState::Refused(detail) => NoGroup::Refused(detail.clone()),
            DmaState::Waiting(nodes) => self.missing(nodes),
        })
    }

    /// Nobody drives what firmware names: an IOMMU, or a device that is not one; or there is no such thing.
    fn missing(&self, nodes: &[FwNode]) -> NoGroup {
        for node in nodes.iter().filter(|node| self.instance_by_node(**node).is_none()) {
            let device = self.devices().find(|device| device.node() == Some(*node));
            if device.is_some_and(|device| device.driver().is_none()) || self.firmware.is_iommu(*node) {
                let error = device.and_then(Device::last_bind_error).map(Into::into);
                return NoGroup::NoDriver(self.firmware.name(*node), error);
            }
        }
        let names: Vec<String> = nodes.iter().map(|node| self.firmware.name(*node)).collect();
        NoGroup::WaitingFor(names.join(", "))
    }
}
