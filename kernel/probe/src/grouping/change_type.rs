//! Changing the type of a group's default domain at run time, as a write to Linux's `type` file does
//! (`iommu_group_store_type`, `iommu_setup_default_domain`).
//!
//! The rules are those of Linux 6.12 to 7.3, and the same on every path. A group without a member, which Linux refuses,
//! does not exist here. Unlike Linux, `DMA-FQ` is refused behind an IOMMU that cannot flush late.

use alloc::string::ToString;

use crate::data::domain::{DomainKind, DomainType};
use crate::data::event::Event;
use crate::data::id::GroupId;
use crate::data::ownership::{TypeRefused, TypeRequest};
use crate::data::refusal::Refusal;
use crate::grouping::transfer::{OnLost, move_members};
use crate::grouping::{direct, domain};
use crate::table::Tables;
use crate::table::group::OnInstances;

/// Changes the type of a group's default domain, and returns the new type.
///
/// `DMA` becomes `DMA-FQ` in place, also under a driver or an owner. Every other change makes a new domain and moves all
/// members to it.
///
/// # Errors
///
/// See [`TypeRefused`]; the group keeps its default domain.
pub(crate) fn change_type<D>(
    tables: &mut Tables<D>,
    group: GroupId,
    request: TypeRequest,
    on_lost: OnLost<D>,
) -> Result<DomainType, TypeRefused> {
    let this = &tables.groups[group];
    let old_type = this.domain_type().ok_or(TypeRefused::NoDefaultDomain(group))?;
    if request == TypeRequest::DmaFq && old_type == DomainType::Dma {
        if !domain::flushes_late(tables, group) {
            return Err(TypeRefused::NoFlushQueue(group));
        }
        tables.groups.set_domain_type(group, DomainType::DmaFq);
        tables.log.event(Event::TypeChanged { group, kind: DomainType::DmaFq });
        return Ok(DomainType::DmaFq);
    }
    if let Some(ownership) = this.ownership() {
        return Err(TypeRefused::Claimed(group, tables.ownerships[ownership].owner().clone()));
    }
    if this.owners() > 0 {
        return Err(TypeRefused::InUse(group, this.owners()));
    }
    let wanted = match request {
        TypeRequest::Auto => domain::choose_type(tables, group),
        TypeRequest::Dma => DomainType::Dma,
        TypeRequest::Identity | TypeRequest::DmaFq if domain::has_untrusted(tables, group) => {
            return Err(TypeRefused::Untrusted(group));
        }
        TypeRequest::Identity => DomainType::Identity,
        TypeRequest::DmaFq => domain::possible_type(tables, group, DomainType::DmaFq),
    };
    if wanted == old_type {
        return Ok(old_type);
    }
    let (kind, new) = alloc_type(tables, group, wanted, request).map_err(TypeRefused::Refused)?;
    if let Err(refused) = fill_and_enter(tables, group, kind, &new, on_lost) {
        domain::free(tables, new);
        return Err(TypeRefused::Refused(refused));
    }
    for (instance, domain) in &new {
        tables.log.event(Event::DefaultDomain { group, kind, instance: *instance, domain: *domain });
    }
    let old = tables.groups.replace_default_domain(group, kind, new);
    domain::free(tables, old);
    tables.log.event(Event::TypeChanged { group, kind });
    Ok(kind)
}

/// A new domain on each instance. As at boot, only a type that nothing has asked for by name has a substitute.
fn alloc_type<D>(
    tables: &mut Tables<D>,
    group: GroupId,
    wanted: DomainType,
    request: TypeRequest,
) -> Result<(DomainType, OnInstances), Refusal> {
    let instances = domain::instances_of(tables, group);
    match domain::alloc_on(tables, &instances, wanted.into()) {
        Ok(domains) => Ok((wanted, domains)),
        Err(refused) if request == TypeRequest::Auto && wanted != DomainType::Dma => {
            let domains = domain::alloc_on(tables, &instances, DomainKind::Paging)?;
            let (kind, detail) = (DomainType::Dma, refused.to_string());
            tables.log.event(Event::DomainFallback { group, kind, detail });
            Ok((kind, domains))
        }
        Err(refused) => Err(refused),
    }
}

/// Maps what firmware wants mapped in the new domain, then moves all members there.
fn fill_and_enter<D>(
    tables: &mut Tables<D>,
    group: GroupId,
    kind: DomainType,
    new: &OnInstances,
    on_lost: OnLost<D>,
) -> Result<(), Refusal> {
    if kind != DomainType::Identity {
        for member in tables.groups[group].members().to_vec() {
            direct::map_direct_regions(tables, group, member, new)?;
        }
    }
    move_members(tables, &[group], new, on_lost)
}
