//! Linux's groups: derived from the current groups of a device's neighbours.

use alloc::format;
use alloc::vec;

use crate::data::dma::{Fwspec, Membership, Trigger, Ungrouped};
use crate::data::event::Event;
use crate::data::finding::{Finding, Severity};
use crate::data::id::{DeviceId, GroupId, InstanceId};
use crate::data::linux_event::LinuxEvent;
use crate::data::refusal::{JoinError, Refusal};
use crate::grouping::membership::{LeaveCause, enter, withdraw};
use crate::grouping::transfer::Lost;
use crate::grouping::{domain, refusal};
use crate::linux::adapter::Joining;
use crate::linux::state::{Linux, LinuxFwspec, WhyUngrouped};
use crate::phase1::join::{check_itself, reserved_by_firmware};
use crate::table::Tables;
use crate::table::invariant::Id;

/// The domain of a group that this probe makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum DomainTime {
    /// It is set up at once.
    Now,
    /// The walk sets it up at the end.
    AtEndOfWalk,
}

/// The IOMMU's driver takes a device, and its bus finds or makes its group (Linux: `iommu_init_device` from
/// `probe_device` on, and the rest of `__iommu_probe_device`). A group that has no domain yet is returned.
///
/// # Errors
///
/// The IOMMU refuses; nothing of the device remains there.
pub(crate) fn join_as_linux<D>(
    linux: &mut Linux,
    tables: &mut Tables<D>,
    device: DeviceId,
    (instance, fwspec): (InstanceId, LinuxFwspec),
    trigger: Trigger,
    domain_time: DomainTime,
) -> Result<Option<GroupId>, Refusal> {
    // Only the first endpoint is probed, on behalf of all others (`viommu_probe_endpoint`).
    let first = &fwspec.endpoints[..1];
    let answer = tables.instances.ops_mut(instance).probe_device(first);
    let accepted = match answer {
        Ok(accepted) => accepted,
        Err(refused) => return Err(refuse(linux, tables, device, refused)),
    };
    check_itself(tables, device, [instance].into_iter());
    let Joining { group, why } = linux.joining(tables, device);
    let group = group.unwrap_or_else(|| tables.groups.create());
    if linux.path.warns_of_late_probe() && linux.has_driver(tables, device) {
        let by = || format!("{} was grouped when its driver was already set", tables.devices[device].name());
        tables.invariants.broken(Id::I3, by);
        tables.log.event(Event::Linux(LinuxEvent::Late(device)));
    }
    let this = &tables.devices[device];
    let leader = tables.buses[this.bus()].grouping(this.unit()).leader;
    let LinuxFwspec { endpoints, source, .. } = fwspec;
    let fwspecs = vec![Fwspec { instance, endpoints, source }];
    let mut reserved = accepted.reserved;
    reserved.extend(reserved_by_firmware(tables, device));
    linux.clear(device);
    enter(tables, device, Membership::new((group, why), fwspecs, leader, reserved, trigger));
    tables.log.event(Event::Joined { device, group, trigger });

    let attached = if tables.groups[group].has_domain() {
        domain::attach_member(tables, group, device)
    } else if domain_time == DomainTime::AtEndOfWalk {
        return Ok(Some(group));
    } else {
        set_up_domain(tables, group)
    };
    match attached {
        Ok(()) => Ok(None),
        Err(refused) => {
            withdraw(tables, device, LeaveCause::OwnRefusal);
            Err(refuse(linux, tables, device, refused))
        }
    }
}

/// Gives a group its default domain and attaches all members one after the other, even after a
/// refusal (Linux: `iommu_setup_default_domain`).
///
/// # Errors
///
/// The first refusal. The group keeps its domain.
pub(crate) fn set_up_domain<D>(tables: &mut Tables<D>, group: GroupId) -> Result<(), Refusal> {
    let domain_type = domain::choose_type(tables, group);
    tables.groups.begin_default_domain(group, domain_type);
    let mut result = Ok(());
    for member in tables.groups[group].members().to_vec() {
        result = result.and(domain::attach_member(tables, group, member));
    }
    result
}

/// A member that could not be attached stays in its group, wherever it is attached (Linux:
/// `__iommu_group_set_domain_nofail`, which warns).
pub(crate) fn keep_lost_member<D>(tables: &mut Tables<D>, lost: Lost) {
    let place = tables.devices[lost.device].name().into();
    let sentence = format!("{}; it is not attached to the domain of its group", lost.refusal.detail);
    tables.log.find(Finding { id: "member-lost", severity: Severity::Error, place, sentence });
}

fn refuse<D>(linux: &mut Linux, tables: &mut Tables<D>, device: DeviceId, refused: Refusal) -> Refusal {
    refusal::find_refusal(tables, device, &refused);
    linux.settle(
        tables,
        device,
        WhyUngrouped::Known(Ungrouped::Refused(JoinError::Refused(refused.clone()))),
    );
    refused
}
