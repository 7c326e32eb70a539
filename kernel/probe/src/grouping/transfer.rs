//! Moving all members of groups to other domains, and back if an IOMMU refuses (Linux: `__iommu_group_set_domain`).

use alloc::vec::Vec;

use crate::data::id::{DeviceId, DomainHandle, GroupId, InstanceId};
use crate::data::refusal::Refusal;
use crate::grouping::refusal;
use crate::table::Tables;
use crate::table::group::on_instance;

/// A member that is attached neither to the domain to which it was moved nor to the one that its group uses.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) device: DeviceId,
    pub(crate) refusal: Refusal,
}

/// What a path does with a member that could not be attached where it must be.
pub(crate) type OnLost<D> = fn(&mut Tables<D>, Lost);

/// Attaches all members of `groups` to the domains `to`. The groups' own records do not change.
///
/// # Errors
///
/// An instance refuses. The members are attached to the domains of their groups again, except for those that `on_lost`
/// was called for.
pub(crate) fn move_members<D>(
    tables: &mut Tables<D>,
    groups: &[GroupId],
    to: &[(InstanceId, DomainHandle)],
    on_lost: OnLost<D>,
) -> Result<(), Refusal> {
    let members: Vec<DeviceId> =
        groups.iter().flat_map(|group| tables.groups[*group].members()).copied().collect();
    for (place, member) in members.iter().enumerate() {
        if let Err(refused) = attach(tables, *member, to) {
            let lost: Vec<Lost> =
                members[..=place].iter().filter_map(|member| put_back(tables, *member)).collect();
            lost.into_iter().for_each(|lost| on_lost(tables, lost));
            return Err(refused);
        }
    }
    Ok(())
}

/// Attaches a member to the domain that its group uses.
pub(crate) fn put_back<D>(tables: &mut Tables<D>, member: DeviceId) -> Option<Lost> {
    let group = tables.membership(member)?.group();
    let domains = tables.groups[group].domains().to_vec();
    attach(tables, member, &domains).err().map(|refusal| Lost { device: member, refusal })
}

/// Attaches every endpoint of a member to one of `domains`.
fn attach<D>(
    tables: &mut Tables<D>,
    member: DeviceId,
    domains: &[(InstanceId, DomainHandle)],
) -> Result<(), Refusal> {
    let fwspecs = tables.membership(member).map(|membership| membership.fwspecs().to_vec());
    for fwspec in fwspecs.iter().flatten() {
        let Some(domain) = on_instance(domains, fwspec.instance) else { continue };
        tables
            .instances
            .attach(fwspec, domain)
            .map_err(|refused| refusal::named(tables, fwspec.instance, refused))?;
    }
    Ok(())
}
