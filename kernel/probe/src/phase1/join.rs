//! From the IOMMU instances of a device into its group.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::EndpointId;

use crate::data::dma::{Fwspec, Membership};
use crate::data::event::Event;
use crate::data::finding::{Finding, Severity};
use crate::data::id::{BusId, DeviceId, GroupId, InstanceId, Unit};
use crate::data::refusal::{Accepted, JoinError};
use crate::data::reserved::ReservedRegion;
use crate::grouping::membership::{LeaveCause, enter};
use crate::grouping::{domain, ownership, refusal, regroup};
use crate::phase1::usable::{Join, Target};
use crate::table::Tables;
use crate::table::instance::Instances;
use crate::table::invariant::Id;

/// A device is in a group.
pub(crate) struct Joined {
    pub(crate) group: GroupId,
    /// The group was made for it; it has no default domain yet.
    pub(crate) created: bool,
}

/// Asks every instance to accept the device, finds or makes its group, and attaches it if the group has a default
/// domain.
///
/// # Errors
///
/// One of the instances refuses, or they cannot share a group; nothing of the device remains anywhere.
pub(crate) fn join<D>(tables: &mut Tables<D>, join: Join) -> Result<Joined, JoinError> {
    let device = join.device();
    check_itself(tables, device, join.targets().iter().map(|target| target.instance));
    if let Err(error) = have_one_driver(&tables.instances, join.targets()) {
        let place = tables.devices[device].name().into();
        let sentence = format!("{error}; it stays without a group");
        tables.log.find(Finding { id: "mixed-iommus", severity: Severity::Warning, place, sentence });
        return Err(error);
    }
    let mut fwspecs = Vec::new();
    let mut reserved = Vec::new();
    for target in join.targets() {
        let accepted = accept(tables, device, target)?;
        reserved.extend(accepted.reserved);
        fwspecs.push(Fwspec {
            instance: target.instance,
            endpoints: accepted.endpoints,
            source: target.source,
        });
    }

    reserved.extend(reserved_by_firmware(tables, device));
    let this = &tables.devices[device];
    let grouping = tables.buses[this.bus()].grouping(this.unit());
    let (class, leader) = ((this.bus(), grouping.leader), grouping.leader);
    ownership::refuse_merge(tables, device, class, &fwspecs)?;
    let (group, created, why) = find_or_create_group(tables, device, class, &fwspecs, grouping.why);
    enter(tables, device, Membership::new((group, why), fwspecs, leader, reserved, join.trigger()));
    tables.groups.add_class(group, class);
    if tables.groups[group].has_domain()
        && let Err(refused) = domain::attach_member(tables, group, device)
    {
        refusal::find_refusal(tables, device, &refused);
        regroup::leave_group(tables, device, LeaveCause::OwnRefusal);
        return Err(JoinError::Refused(refused));
    }
    tables.log.event(Event::Joined { device, group, trigger: join.trigger() });
    Ok(Joined { group, created })
}

/// Regions that firmware reserves for a device, in addition to those that its IOMMU reports.
pub(crate) fn reserved_by_firmware<D>(tables: &Tables<D>, device: DeviceId) -> Vec<ReservedRegion> {
    tables.devices[device].node().map_or(Vec::new(), |node| tables.firmware.reserved(node))
}

/// A device is about to be grouped: no driver may have bound it (invariant I3), and it is not one of its own IOMMUs
/// (I4).
pub(crate) fn check_itself<D>(
    tables: &mut Tables<D>,
    device: DeviceId,
    mut instances: impl Iterator<Item = InstanceId>,
) {
    let this = &tables.devices[device];
    if this.driver().is_some() {
        let by = || format!("{} is grouped although a driver is bound to it", this.name());
        tables.invariants.broken(Id::I3, by);
    }
    if instances.any(|instance| tables.instances[instance].device() == device) {
        tables.invariants.broken(Id::I4, || format!("{} translates itself", this.name()));
    }
}

/// Whether all instances have the same driver: a group has one default domain, and only a common driver can keep its
/// parts on several IOMMUs the same.
///
/// # Errors
///
/// The first two drivers that differ.
fn have_one_driver(instances: &Instances, targets: &[Target]) -> Result<(), JoinError> {
    let mut drivers = targets.iter().map(|target| instances[target.instance].driver());
    let Some(first) = drivers.next() else { return Ok(()) };
    match drivers.find(|name| *name != first) {
        Some(other) => Err(JoinError::MixedDrivers { first, other }),
        None => Ok(()),
    }
}

/// Asks one instance about the device's endpoints on it.
///
/// # Errors
///
/// It refuses every endpoint.
fn accept<D>(tables: &mut Tables<D>, device: DeviceId, target: &Target) -> Result<Accepted, JoinError> {
    let instance = target.instance;
    let answer = tables.instances.ops_mut(instance).probe_device(&target.endpoints);
    match answer {
        Ok(accepted) => {
            for refused in &accepted.refused {
                let refused = refusal::named(tables, instance, refused.clone());
                refusal::find_partial_refusal(tables, device, &refused);
            }
            for remark in &accepted.remarks {
                let place = tables.devices[device].name().into();
                let sentence = format!("IOMMU {}: {remark}", tables.iommu_name(instance));
                let severity = Severity::Warning;
                tables.log.find(Finding { id: "iommu-remark", severity, place, sentence });
            }
            Ok(accepted)
        }
        Err(refused) => {
            let refused = refusal::named(tables, instance, refused);
            refusal::find_refusal(tables, device, &refused);
            Err(JoinError::Refused(refused))
        }
    }
}

/// The group of the device's isolation class, or of the devices that share an endpoint with it, because no IOMMU can
/// isolate those. If there are several such groups, they are merged.
fn find_or_create_group<D>(
    tables: &mut Tables<D>,
    device: DeviceId,
    class: (BusId, Unit),
    fwspecs: &[Fwspec],
    why: String,
) -> (GroupId, bool, String) {
    let by_class = tables.groups.of_class(class);
    let mut shared: Vec<(EndpointId, GroupId)> = Vec::new();
    for fwspec in fwspecs {
        for endpoint in &fwspec.endpoints {
            if let Some(attachment) = tables.instances[fwspec.instance].attachment(*endpoint) {
                shared.push((*endpoint, attachment.group));
            }
        }
    }
    let outside = shared.iter().copied().find(|(_, group)| Some(*group) != by_class);
    let Some((endpoint, by_endpoint)) = outside else {
        return match by_class {
            Some(group) => (group, false, why),
            None => (tables.groups.create(), true, why),
        };
    };

    let mut group = by_class.unwrap_or(by_endpoint);
    for (_, other) in shared {
        group = regroup::merge(tables, group, other);
    }
    let place: String = tables.devices[device].name().into();
    let sentence = format!(
        "endpoint {endpoint} is shared with devices in group {group}; they cannot be isolated from each other"
    );
    tables.log.find(Finding { id: "shared-endpoint", severity: Severity::Warning, place, sentence });
    let created = !tables.groups.contains(group);
    if created {
        group = tables.groups.create();
    }
    (group, created, format!("shares endpoint {endpoint} with other devices"))
}
