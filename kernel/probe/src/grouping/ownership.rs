//! Ownership of a group's DMA: claimed, attached to a domain of the owner's, released.
//!
//! The rules are those of Linux 6.12 to 7.3 (`iommu_group_claim_dma_owner`, `iommu_device_claim_dma_owner`,
//! `iommu_group_release_dma_owner`, `iommu_device_use_default_domain`), and the same on every path. Where `fixed` changes
//! groups at run time, the parts of a claimed group that is split stay claimed together, and a device that would join a
//! claimed group with another one has no group until the release.

use alloc::collections::BTreeSet;

use crate::data::dma::Fwspec;
use crate::data::domain::DomainKind;
use crate::data::event::Event;
use crate::data::id::{BusId, DeviceId, GroupId, InstanceId, OwnershipId, Unit};
use crate::data::ownership::{ClaimRefused, OwnedGroup, Owner};
use crate::data::refusal::{JoinError, Refusal};
use crate::grouping::domain;
use crate::grouping::transfer::{OnLost, move_members, put_back};
use crate::table::Tables;
use crate::table::group::OnInstances;

/// Claims a group: no driver uses it, and from now on no access of a member gets through.
///
/// # Errors
///
/// See [`ClaimRefused`].
pub(crate) fn claim<D>(
    tables: &mut Tables<D>,
    group: GroupId,
    owner: Owner,
    on_lost: OnLost<D>,
) -> Result<OwnedGroup, ClaimRefused> {
    let this = &tables.groups[group];
    if let Some(ownership) = this.ownership() {
        return Err(ClaimRefused::Claimed(group, tables.ownerships[ownership].owner().clone()));
    }
    if this.owners() > 0 {
        return Err(ClaimRefused::InUse(group, this.owners()));
    }
    if !this.has_domain() {
        return Err(ClaimRefused::NoDefaultDomain(group));
    }
    if domain::has_direct_region(tables, group) {
        return Err(ClaimRefused::Direct(group));
    }
    let instances = domain::instances_of(tables, group);
    let blocking = domain::alloc_on(tables, &instances, DomainKind::Paging).map_err(ClaimRefused::Refused)?;
    if let Err(refused) = move_members(tables, &[group], &blocking, on_lost) {
        domain::free(tables, blocking);
        return Err(ClaimRefused::Refused(refused));
    }
    let ownership = tables.ownerships.begin(owner.clone(), blocking.clone());
    tables.groups.claim(group, ownership, blocking);
    tables.log.event(Event::Claimed { group, owner });
    Ok(OwnedGroup::new(ownership))
}

/// Claims the group of a device. The same owner may claim it for several devices, and more than once for each.
///
/// # Errors
///
/// See [`ClaimRefused`].
pub(crate) fn claim_for_device<D>(
    tables: &mut Tables<D>,
    device: DeviceId,
    owner: Owner,
    on_lost: OnLost<D>,
) -> Result<OwnedGroup, ClaimRefused> {
    let Some(group) = tables.membership(device).map(|membership| membership.group()) else {
        return Err(ClaimRefused::NoGroup);
    };
    match tables.groups[group].ownership() {
        Some(ownership) if *tables.ownerships[ownership].owner() == owner => {
            tables.ownerships.add_claim(ownership);
            tables.log.event(Event::Claimed { group, owner });
            Ok(OwnedGroup::new(ownership))
        }
        _ => claim(tables, group, owner, on_lost),
    }
}

/// Attaches all members to domains of the owner's own, in which it maps; they are made if it has none.
///
/// # Errors
///
/// An instance refuses; all accesses are blocked as before.
pub(crate) fn attach_own<D>(
    tables: &mut Tables<D>,
    ownership: OwnershipId,
    on_lost: OnLost<D>,
) -> Result<(), Refusal> {
    if tables.ownerships[ownership].own().is_some() {
        return Ok(());
    }
    let groups = tables.groups.owned_by(ownership);
    let instances: BTreeSet<InstanceId> =
        groups.iter().flat_map(|group| domain::instances_of(tables, *group)).collect();
    let own = domain::alloc_on(tables, &instances, DomainKind::Paging)?;
    if let Err(refused) = move_members(tables, &groups, &own, on_lost) {
        domain::free(tables, own);
        return Err(refused);
    }
    for group in groups {
        tables.groups.claim(group, ownership, own.clone());
    }
    tables.ownerships.set_own(ownership, Some(own));
    Ok(())
}

/// Blocks all accesses of the members again; the owner's domains, and what it has mapped there, are gone.
///
/// # Errors
///
/// An instance refuses; the owner's domains stay attached.
pub(crate) fn block<D>(
    tables: &mut Tables<D>,
    ownership: OwnershipId,
    on_lost: OnLost<D>,
) -> Result<(), Refusal> {
    let groups = tables.groups.owned_by(ownership);
    let blocking = tables.ownerships[ownership].blocking().clone();
    move_members(tables, &groups, &blocking, on_lost)?;
    for group in groups {
        tables.groups.claim(group, ownership, blocking.clone());
    }
    let own = tables.ownerships.set_own(ownership, None);
    domain::free(tables, own);
    Ok(())
}

/// Gives a claim back. With the last one, the members return to the default domain. Returns what could not be attached to
/// it, after `on_lost` has dealt with it.
pub(crate) fn release<D>(tables: &mut Tables<D>, owned: &OwnedGroup, on_lost: OnLost<D>) -> Option<Refusal> {
    let ownership = owned.ownership();
    if tables.ownerships.remove_claim(ownership) > 0 {
        return None;
    }
    let mut first = None;
    for group in tables.groups.owned_by(ownership) {
        tables.groups.release(group);
        tables.log.event(Event::Released { group });
        for member in tables.groups[group].members().to_vec() {
            if let Some(lost) = put_back(tables, member) {
                first.get_or_insert_with(|| lost.refusal.clone());
                on_lost(tables, lost);
            }
        }
    }
    let (domains, kept_out) = tables.ownerships.end(ownership);
    domain::free(tables, domains);
    let kept_out = kept_out
        .into_iter()
        .filter(|device| tables.devices.find(*device).is_some() && tables.membership(*device).is_none());
    let kept_out = kept_out.collect();
    tables.binds.queue_probes(kept_out);
    first
}

/// Refuses a device that would make one group of a claimed group and another one.
///
/// # Errors
///
/// It would; the device is probed again when the claim is released.
pub(crate) fn refuse_merge<D>(
    tables: &mut Tables<D>,
    device: DeviceId,
    class: (BusId, Unit),
    fwspecs: &[Fwspec],
) -> Result<(), JoinError> {
    if !tables.ownerships.is_any() {
        return Ok(());
    }
    let mut groups: BTreeSet<GroupId> = tables.groups.of_class(class).into_iter().collect();
    for fwspec in fwspecs {
        let attached = |endpoint| tables.instances[fwspec.instance].attachment(endpoint);
        groups.extend(fwspec.endpoints.iter().filter_map(|endpoint| Some(attached(*endpoint)?.group)));
    }
    let owners = groups.iter().map(|group| (tables.groups[*group].ownership(), *group));
    let Some((_, first)) = owners.clone().next() else { return Ok(()) };
    let of_first = tables.groups[first].ownership();
    let Some((of_other, other)) = owners.clone().find(|(ownership, _)| *ownership != of_first) else {
        return Ok(());
    };
    for ownership in of_first.into_iter().chain(of_other) {
        tables.ownerships.keep_out(ownership, device);
    }
    Err(JoinError::Claimed { first, other })
}

/// Domains that a part of a claimed group is attached to when the group is split: those of the whole.
pub(crate) fn claim_part<D>(tables: &mut Tables<D>, whole: GroupId, part: GroupId) {
    if let Some(ownership) = tables.groups[whole].ownership() {
        let on: OnInstances = tables.groups[whole].domains().to_vec();
        tables.groups.claim(part, ownership, on);
    }
}
