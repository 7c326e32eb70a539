//! Domains of groups: of which type, on which instances, and which endpoints are attached to them.

use alloc::collections::BTreeSet;
use alloc::string::ToString;

use crate::data::dma::Fwspec;
use crate::data::domain::{DomainKind, DomainType};
use crate::data::event::Event;
use crate::data::id::{DeviceId, DomainHandle, GroupId, InstanceId, OwnershipId};
use crate::data::refusal::Refusal;
use crate::data::reserved::ReservedKind;
use crate::grouping::{direct, refusal};
use crate::table::Tables;
use crate::table::group::{OnInstances, on_instance};

/// Attaches every endpoint of a member to the group's domain: the default domain, or the one of the group's owner.
///
/// # Errors
///
/// An instance refuses; endpoints attached before are detached when the device leaves the group.
pub(crate) fn attach_member<D>(
    tables: &mut Tables<D>,
    group: GroupId,
    member: DeviceId,
) -> Result<(), Refusal> {
    let nth = |tables: &Tables<D>, index| tables.membership(member)?.fwspecs().get(index).cloned();
    let mut index = 0;
    while let Some(fwspec) = nth(tables, index) {
        attach_on(tables, group, &fwspec)
            .map_err(|refused| refusal::named(tables, fwspec.instance, refused))?;
        index += 1;
    }
    if tables.groups[group].domain_type() == Some(DomainType::Identity) {
        return Ok(());
    }
    let domains = tables.groups[group].default_domains().to_vec();
    direct::map_direct_regions(tables, group, member, &domains)
}

/// Frees a group's domains on instances that none of its members is behind any more.
pub(crate) fn free_unused_domains<D>(tables: &mut Tables<D>, group: GroupId) {
    let used = instances_of(tables, group);
    let unused = tables.groups.take_unused_domains(group, &used);
    free(tables, unused);
}

/// Frees all domains of a group that has no members any more.
pub(crate) fn free_domains<D>(tables: &mut Tables<D>, group: GroupId) {
    let domains = tables.groups.take_domains(group);
    free(tables, domains);
}

/// The type that the policy asks for, as far as every instance that the group is behind can do it.
pub(crate) fn choose_type<D>(tables: &Tables<D>, group: GroupId) -> DomainType {
    if has_untrusted(tables, group) {
        return DomainType::Dma;
    }
    possible_type(tables, group, tables.policy.default_domain_type())
}

/// `wanted`, or its substitute if an instance that the group is behind cannot flush late (Linux:
/// `iommu_dma_init_domain`).
pub(crate) fn possible_type<D>(tables: &Tables<D>, group: GroupId, wanted: DomainType) -> DomainType {
    if wanted == DomainType::DmaFq && !flushes_late(tables, group) { DomainType::Dma } else { wanted }
}

/// Whether every instance that the group is behind can flush late.
pub(crate) fn flushes_late<D>(tables: &Tables<D>, group: GroupId) -> bool {
    tables
        .memberships(group)
        .flat_map(|membership| membership.fwspecs())
        .all(|fwspec| tables.instances[fwspec.instance].ops().deferred_flush())
}

/// Whether a member may be anybody's.
pub(crate) fn has_untrusted<D>(tables: &Tables<D>, group: GroupId) -> bool {
    let is_untrusted = |member: &DeviceId| {
        let device = &tables.devices[*member];
        tables.buses[device.bus()].is_untrusted(device.unit())
    };
    tables.groups[group].members().iter().any(is_untrusted)
}

/// Whether a member must have addresses mapped one to one, in whatever domain it is.
pub(crate) fn has_direct_region<D>(tables: &Tables<D>, group: GroupId) -> bool {
    let mut regions = tables.memberships(group).flat_map(|membership| membership.reserved());
    regions.any(|region| region.kind == ReservedKind::Direct)
}

/// Instances that a group is behind.
pub(crate) fn instances_of<D>(tables: &Tables<D>, group: GroupId) -> BTreeSet<InstanceId> {
    let fwspecs = tables.memberships(group).flat_map(|membership| membership.fwspecs());
    fwspecs.map(|fwspec| fwspec.instance).collect()
}

/// A new domain on each of these instances, with no endpoint.
///
/// # Errors
///
/// An instance refuses; there is no new domain then.
pub(crate) fn alloc_on<D>(
    tables: &mut Tables<D>,
    instances: &BTreeSet<InstanceId>,
    kind: DomainKind,
) -> Result<OnInstances, Refusal> {
    let mut domains = OnInstances::new();
    for instance in instances {
        let outcome = tables.instances.ops_mut(*instance).alloc_domain(kind);
        match outcome {
            Ok(domain) => domains.push((*instance, domain)),
            Err(refused) => {
                free(tables, domains);
                return Err(refusal::named(tables, *instance, refused));
            }
        }
    }
    Ok(domains)
}

/// Frees domains to which no endpoint is attached.
pub(crate) fn free<D>(tables: &mut Tables<D>, domains: OnInstances) {
    for (instance, domain) in domains {
        tables.instances.ops_mut(instance).free_domain(domain);
    }
}

/// Attaches a member's endpoints on one instance.
fn attach_on<D>(tables: &mut Tables<D>, group: GroupId, fwspec: &Fwspec) -> Result<(), Refusal> {
    let default_domain = default_or_new(tables, group, fwspec.instance)?;
    let domain = match tables.groups[group].ownership() {
        None => default_domain,
        Some(ownership) => owned_or_blocking(tables, group, ownership, fwspec.instance)?,
    };
    tables.instances.attach(fwspec, domain)
}

/// The domain of a claimed group on an instance. On an instance that no member was behind before, that is one without a
/// mapping: the owner has mapped nothing there.
fn owned_or_blocking<D>(
    tables: &mut Tables<D>,
    group: GroupId,
    ownership: OwnershipId,
    instance: InstanceId,
) -> Result<DomainHandle, Refusal> {
    if let Some(domain) = tables.groups[group].domain_on(instance) {
        return Ok(domain);
    }
    let domain = match on_instance(tables.ownerships[ownership].blocking(), instance) {
        Some(domain) => domain,
        None => {
            let domain = tables.instances.ops_mut(instance).alloc_domain(DomainKind::Paging)?;
            tables.ownerships.add_blocking(ownership, (instance, domain));
            domain
        }
    };
    tables.groups.add_owned_domain(group, (instance, domain));
    Ok(domain)
}

/// The group's default domain on an instance, made now if this is the first member behind it.
///
/// If another type than plain DMA is not supported, the group falls back to DMA (Linux:
/// `iommu_group_alloc_default_domain`), if it has no domain of the other type elsewhere already.
fn default_or_new<D>(
    tables: &mut Tables<D>,
    group: GroupId,
    instance: InstanceId,
) -> Result<DomainHandle, Refusal> {
    let this = &tables.groups[group];
    if let Some(domain) = this.default_domain_on(instance) {
        return Ok(domain);
    }
    let mut kind = this.domain_type().unwrap_or(DomainType::Dma);
    let is_first = this.default_domains().is_empty();
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
