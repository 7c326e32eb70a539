//! Whether a device's DMA is set up: what phase 1 has found out, read and turned into a claim.

use alloc::format;
use alloc::string::String;

use crate::data::dma::{DmaState, Ungrouped};
use crate::data::id::DeviceId;
use crate::data::refusal::JoinError;
use crate::phase2::claim::{Direct, Dma, DmaClaim};
use crate::table::Tables;
use crate::table::bind::Until;

/// Phase 2 has no answer yet: the bind has to be put off.
#[derive(Debug)]
pub(crate) struct NotYet {
    device: DeviceId,
    until: Until,
}

/// Whether the device's DMA is set up, and how. Changes nothing.
///
/// # Errors
///
/// Not yet, and what has to come first.
pub(crate) fn answer<D>(tables: &Tables<D>, device: DeviceId) -> Result<DmaClaim, NotYet> {
    let direct = match tables.devices[device].dma() {
        DmaState::Grouped(membership) => {
            // The replay that made the group, of whichever IOMMU, may not have reached its default domain yet.
            let group = &tables.groups[membership.group()];
            let instance = membership.fwspecs()[0].instance;
            let set_up = group.domain_type().zip(group.domain_on(instance));
            let (domain_type, domain) = set_up.ok_or(NotYet { device, until: Until::Domain })?;
            let dma = Dma::Translated { group: group.id(), domain_type, instance, domain };
            return Ok(DmaClaim::new(device, dma));
        }
        DmaState::Ungrouped(Ungrouped::Waiting(nodes)) => {
            return Err(NotYet { device, until: Until::Ready(nodes.clone()) });
        }
        // Before phase 1 there is no answer.
        DmaState::Ungrouped(Ungrouped::Unprobed) => return Err(NotYet { device, until: Until::AnyBind }),
        DmaState::Ungrouped(Ungrouped::Untranslated(why)) => Direct::Untranslated(*why),
        DmaState::Ungrouped(Ungrouped::MapInvalid(_)) => Direct::MapInvalid,
        DmaState::Ungrouped(Ungrouped::IsIommu) => Direct::IsIommu,
        // Its requests would arrive in the owner's domain.
        DmaState::Ungrouped(Ungrouped::Refused(JoinError::Claimed { .. })) => {
            return Err(NotYet { device, until: Until::Release });
        }
        DmaState::Ungrouped(Ungrouped::Refused(_)) => Direct::Refused,
    };
    Ok(DmaClaim::new(device, Dma::Direct(direct)))
}

impl NotYet {
    /// What has to come first.
    pub(crate) fn until(self) -> Until {
        self.until
    }

    /// Waits no longer (Linux: "ignoring dependency"): the device does its DMA past the IOMMU.
    pub(crate) fn ignore(self) -> DmaClaim {
        DmaClaim::new(self.device, Dma::Direct(Direct::DependencyIgnored))
    }
}

/// What a deferral waits for, for people.
pub(crate) fn describe<D>(tables: &Tables<D>, until: &Until) -> String {
    match until {
        Until::Ready(nodes) => {
            format!("waiting for {}", tables.node_names(nodes))
        }
        Until::Domain => "waiting for its group's default domain".into(),
        Until::Release => "waiting for the release of a claimed group".into(),
        Until::AnyBind => "waiting for another driver".into(),
    }
}
