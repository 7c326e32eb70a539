//! Why a device has no group: one of a closed set of reasons.

use alloc::string::String;
use core::fmt;

use crate::core::Core;
use crate::data::dma::{DmaState, Ungrouped};
use crate::data::firmware::{Translation, Untranslated};
use crate::data::id::FwNode;
use crate::data::refusal::JoinError;
use crate::linux::reason::{self, LinuxReason};
use crate::table::device::Device;

/// Why a device has no group. Every device without one has exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoGroup {
    /// It is an IOMMU, which never translates itself.
    IsIommu,
    /// Firmware describes no IOMMU, and there is none.
    NoIommu,
    /// There is an IOMMU, and firmware does not describe any.
    Undescribed,
    /// Firmware's map does not translate it; if the map is malformed there, the finding with this ID has the details.
    NotInMap(Option<&'static str>),
    /// Its whole bus is not behind an IOMMU.
    BusBypasses,
    /// Firmware has disabled the IOMMU with this name.
    Disabled(String),
    /// It is a host bridge, and the IOMMU with this name is behind it.
    BehindIt(String),
    /// No driver has bound the IOMMU with this name; the error of the last driver that tried.
    NoDriver(String, Option<String>),
    /// It cannot join a group: its IOMMU refuses it, or its IOMMUs do not go together.
    Refused(JoinError),
    /// The IOMMUs with these names, which firmware refers to, do not exist.
    WaitingFor(String),
    /// A reason that occurs only on Linux's paths.
    Linux(LinuxReason),
}

impl NoGroup {
    /// Whether the device is not translated although firmware puts it behind an IOMMU: its isolation is lost.
    ///
    /// The other reasons follow from firmware's description of the machine. A device for which Linux's paths have not
    /// read firmware's map counts as lost, because the map translates it.
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
            | Self::Linux(_) => true,
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
            Self::Refused(error) => write!(f, "refused by the IOMMU: {error}"),
            Self::WaitingFor(nodes) => write!(f, "waiting for: {nodes}"),
            Self::Linux(reason) => reason.fmt(f),
        }
    }
}

impl<D> Core<D> {
    /// Why `device` has no group; `None` if it has one.
    pub fn no_group(&self, device: &Device<D>) -> Option<NoGroup> {
        let DmaState::Ungrouped(why) = device.dma() else { return None };
        if self.tables.instances.of_device(device.id()).is_some() {
            return Some(NoGroup::IsIommu);
        }
        if let Some(linux) = &self.linux
            && let Some(reason) = reason::of_state(linux, &self.tables, device.id())
        {
            return Some(NoGroup::Linux(reason));
        }
        Some(match why {
            Ungrouped::IsIommu => NoGroup::IsIommu,
            Ungrouped::Unprobed => self.not_asked(device),
            Ungrouped::MapInvalid(finding) => NoGroup::NotInMap(Some(finding)),
            Ungrouped::Untranslated(why) => self.untranslated(*why),
            Ungrouped::Refused(error) => NoGroup::Refused(error.clone()),
            Ungrouped::Waiting(nodes) => self.missing(device, nodes),
        })
    }

    fn untranslated(&self, why: Untranslated) -> NoGroup {
        match why {
            Untranslated::NoIommu if self.instances().next().is_some() => NoGroup::Undescribed,
            Untranslated::NoIommu => NoGroup::NoIommu,
            Untranslated::NotInMap => NoGroup::NotInMap(None),
            Untranslated::BusBypasses => NoGroup::BusBypasses,
            Untranslated::Disabled(node) => NoGroup::Disabled(self.node_name(node)),
            Untranslated::BehindIt(node) => NoGroup::BehindIt(self.node_name(node)),
        }
    }

    /// The probe path has not read firmware's map, which may not contain the device either.
    fn not_asked(&self, device: &Device<D>) -> NoGroup {
        let bus = &self.tables.buses[device.bus()];
        let Some(parent) = bus.firmware_parent(device.unit()) else { return NoGroup::NotInMap(None) };
        match self.tables.firmware.translate(parent, &bus.input_ids(device.unit())) {
            Ok(Translation::Nowhere(why)) => self.untranslated(why),
            Ok(Translation::Endpoints(references)) => {
                match references.iter().all(|reference| Some(reference.iommu) == device.node()) {
                    true => NoGroup::IsIommu,
                    false => NoGroup::Linux(LinuxReason::NotProbed),
                }
            }
            Err(error) => NoGroup::NotInMap(Some(error.finding.id)),
        }
    }

    /// The reference of firmware leads to an IOMMU without a driver, to a device that is not an IOMMU, or to no device.
    fn missing(&self, device: &Device<D>, nodes: &[FwNode]) -> NoGroup {
        if let Some(linux) = &self.linux
            && let Some(reason) = reason::of_waiting(linux, &self.tables, device.id(), nodes)
        {
            return NoGroup::Linux(reason);
        }
        for node in nodes.iter().filter(|node| self.tables.instances.by_node(**node).is_none()) {
            let device = self.devices().find(|device| device.node() == Some(*node));
            if device.is_some_and(|device| device.driver().is_none()) || self.tables.firmware.is_iommu(*node)
            {
                let error = device.and_then(Device::last_bind_error).map(Into::into);
                return NoGroup::NoDriver(self.node_name(*node), error);
            }
        }
        NoGroup::WaitingFor(self.tables.node_names(nodes))
    }
}
