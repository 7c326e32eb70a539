//! Default domains: of which type, and which endpoints are attached to them.

use alloc::collections::BTreeSet;
use alloc::string::ToString;

use crate::data::dma::Fwspec;
use crate::data::domain::{DomainKind, DomainType};
use crate::data::event::Event;
use crate::data::id::{DeviceId, DomainHandle, GroupId, InstanceId};
use crate::data::refusal::Refusal;
use crate::grouping::{direct, refusal};
use crate::table::Tables;

/// Attaches every endpoint of a member to the group's default domain.
///
/// # Errors
///
/// An instance refuses; endpoints attached before are detached when the device leaves the group.
pub(crate) fn attach_member<D>(
    tables: &mut Tables<D>,
    group: GroupId,
    member: DeviceId,
) -> Result<(), Refusal> {
    let fwspecs = tables.membership(member).map(|membership| membership.fwspecs().to_vec());
    for fwspec in fwspecs.iter().flatten() {
        attach_on(tables, group, fwspec)
            .map_err(|refused| refusal::named(tables, fwspec.instance, refused))?;
    }
    direct::map_direct_regions(tables, group, member)
}

/// Frees a group's domains on instances that none of its members is behind any more.
pub(crate) fn free_unused_domains<D>(tables: &mut Tables<D>, group: GroupId) {
    let fwspecs = tables.memberships(group).flat_map(|membership| membership.fwspecs());
    let used: BTreeSet<InstanceId> = fwspecs.map(|fwspec| fwspec.instance).collect();
    for (instance, domain) in tables.groups.take_unused_domains(group, &used) {
        tables.instances.ops_mut(instance).free_domain(domain);
    }
}

/// Frees all domains of a group that has no members any more.
pub(crate) fn free_domains<D>(tables: &mut Tables<D>, group: GroupId) {
    for (instance, domain) in tables.groups.take_domains(group) {
        tables.instances.ops_mut(instance).free_domain(domain);
    }
}

/// The type asked for, as far as every instance that the group is behind can do it.
pub(crate) fn choose_type<D>(tables: &Tables<D>, group: GroupId) -> DomainType {
    let is_untrusted = |member: &DeviceId| {
        let device = &tables.devices[*member];
        tables.buses[device.bus()].is_untrusted(device.unit())
    };
    if tables.groups[group].members().iter().any(is_untrusted) {
        return DomainType::Dma;
    }
    let wanted = tables.policy.default_domain_type();
    let deferred_flush = tables
        .memberships(group)
        .flat_map(|membership| membership.fwspecs())
        .all(|fwspec| tables.instances[fwspec.instance].ops().deferred_flush());
    if wanted == DomainType::DmaFq && !deferred_flush { DomainType::Dma } else { wanted }
}

/// Attaches a member's endpoints on one instance.
fn attach_on<D>(tables: &mut Tables<D>, group: GroupId, fwspec: &Fwspec) -> Result<(), Refusal> {
    let domain = domain_or_new(tables, group, fwspec.instance)?;
    tables.instances.attach(fwspec, domain)
}

/// The group's domain on an instance, made now if this is the first member behind it.
///
/// If another type than plain DMA is not supported, the group falls back to DMA (Linux:
/// `iommu_group_alloc_default_domain`), if it has no domain of the other type elsewhere already.
fn domain_or_new<D>(
    tables: &mut Tables<D>,
    group: GroupId,
    instance: InstanceId,
) -> Result<DomainHandle, Refusal> {
    let this = &tables.groups[group];
    if let Some(domain) = this.domain_on(instance) {
        return Ok(domain);
    }
    let mut kind = this.domain_type().unwrap_or(DomainType::Dma);
    let is_first = this.domains().is_empty();
    let mut ops = tables.instances.ops_mut(instance);
    let domain = match (ops.alloc_domain(kind.into()), kind) {
        (Ok(domain), _) => domain,
        (Err(refusal), DomainType::Identity | DomainType::DmaFq) if is_first => {
            let domain = ops.alloc_domain(DomainKind::Paging)?;
            kind = DomainType::Dma;
            tables.log.event(Event::DomainFallback { group, kind, detail: refusal.to_string() });
            domain
        }
        (Err(refusal), _) => return Err(refusal),
    };
    drop(ops);
    tables.groups.add_domain(group, kind, (instance, domain));
    tables.log.event(Event::DefaultDomain { group, kind, instance, domain });
    Ok(domain)
}
