//! A domain as the drivers of its devices, or the owner of its group, see it: a place to map memory in, and nothing else.

use alloc::rc::{Rc, Weak};
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

use addr::{Iova, Range};

use crate::data::domain::{DomainType, Mapping};
use crate::data::id::{DomainHandle, GroupId, InstanceId, OwnershipId};
use crate::data::lease::Lease;
use crate::data::refusal::{Refusal, RefusalCause};
use crate::data::reserved::{ReservedRegion, merge_reserved};
use crate::phase2::claim::{Dma, DmaClaim};
use crate::table::Tables;
use crate::traits::iommu::{IommuOps, SharedIommu};

/// The default domain of a group, or its owner's, on every IOMMU that its members are behind.
///
/// It does not keep an IOMMU alive: once that is unpublished, requests are refused as [`RefusalCause::Dead`]. Nor does it
/// keep the domain: once that has ended, because the group has another one, or the owner has released it, requests are
/// refused as [`RefusalCause::NoEntry`].
#[derive(Clone)]
pub struct GroupDomain {
    group: GroupId,
    domain_type: DomainType,
    on: Vec<(Weak<RefCell<dyn IommuOps>>, DomainHandle)>,
    reserved: Vec<ReservedRegion>,
    lease: Lease,
}

/// The default domain that translates the device of a claim. None if nothing does, if its group does not exist any more, or
/// if the driver that is bound does not count as a user of it: another owner may have claimed the group.
pub(crate) fn of_claim<D>(tables: &Tables<D>, claim: &DmaClaim) -> Option<GroupDomain> {
    let Dma::Translated { group, .. } = claim.dma() else { return None };
    if tables.devices.find(claim.device())?.binding()?.owns != Some(group) {
        return None;
    }
    let this = &tables.groups[group];
    Some(domain(tables, &[group], this.domain_type()?, this.default_domains(), this.lease()?))
}

/// The domain that an owner has attached, if it has.
pub(crate) fn of_owner<D>(tables: &Tables<D>, ownership: OwnershipId) -> Option<GroupDomain> {
    let (on, lease) = tables.ownerships[ownership].own()?;
    let groups = tables.groups.owned_by(ownership);
    (!groups.is_empty()).then(|| domain(tables, &groups, DomainType::Dma, on, lease))
}

fn domain<D>(
    tables: &Tables<D>,
    groups: &[GroupId],
    domain_type: DomainType,
    on: &[(InstanceId, DomainHandle)],
    lease: Lease,
) -> GroupDomain {
    let on = on.iter().map(|(id, domain)| (Rc::downgrade(tables.instances[*id].shared_ops()), *domain));
    let memberships = groups.iter().flat_map(|group| tables.memberships(*group));
    let reserved = memberships.flat_map(|membership| membership.reserved().iter().copied()).collect();
    let (on, reserved) = (on.collect(), merge_reserved(reserved));
    GroupDomain { group: groups[0], domain_type, on, reserved, lease }
}

impl GroupDomain {
    /// The group.
    #[must_use]
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// Type of the domain. Nothing is mapped in an identity domain.
    #[must_use]
    pub fn domain_type(&self) -> DomainType {
        self.domain_type
    }

    /// Addresses that must not be used for mappings: the reserved regions of all members.
    #[must_use]
    pub fn reserved(&self) -> &[ReservedRegion] {
        &self.reserved
    }

    /// Size in bytes that every mapping must be a multiple of, on every IOMMU; none if one of them is gone.
    #[must_use]
    pub fn granule(&self) -> Option<u64> {
        let mut largest = None;
        for (ops, _) in &self.on {
            largest = largest.max(Some(ops.upgrade()?.borrow().granule()));
        }
        largest
    }

    /// The addresses that mappings may have on every IOMMU; none if there are none, or an IOMMU is gone.
    #[must_use]
    pub fn aperture(&self) -> Option<Range<Iova>> {
        let mut common: Option<Range<Iova>> = None;
        for (ops, _) in &self.on {
            let own = ops.upgrade()?.borrow().aperture();
            let so_far = common.unwrap_or(own);
            common = Some(Range::new(so_far.start().max(own.start()), so_far.end().min(own.end()))?);
        }
        common
    }

    /// Makes mappings. One result for each, in order: a mapping is made on every IOMMU or on none.
    ///
    /// # Errors
    ///
    /// For each mapping: an IOMMU refuses it, or is gone.
    pub fn map(&self, mappings: &[Mapping]) -> Vec<Result<(), Refusal>> {
        if self.lease.is_over() {
            return vec![Err(self.ended()); mappings.len()];
        }
        let mut results = vec![Ok(()); mappings.len()];
        for (place, (ops, domain)) in self.on.iter().enumerate() {
            let outcomes = match upgrade(ops) {
                Ok(ops) => ops.borrow_mut().map_all(*domain, mappings),
                Err(gone) => vec![Err(gone); mappings.len()],
            };
            for ((result, outcome), mapping) in results.iter_mut().zip(outcomes).zip(mappings) {
                match (&result, outcome) {
                    (Ok(()), Ok(())) => {}
                    (Ok(()), Err(refusal)) => {
                        unmap_on(&self.on[..place], mapping.iova);
                        *result = Err(refusal);
                    }
                    (Err(_), Ok(())) => unmap_on(&self.on[place..=place], mapping.iova),
                    (Err(_), Err(_)) => {}
                }
            }
        }
        results
    }

    /// Removes mappings. One result for each range, in order: the first refusal, if an IOMMU refuses.
    ///
    /// # Errors
    ///
    /// For each range: a mapping would be split, an IOMMU refuses, or is gone.
    pub fn unmap(&self, ranges: &[Range<Iova>]) -> Vec<Result<(), Refusal>> {
        if self.lease.is_over() {
            return vec![Err(self.ended()); ranges.len()];
        }
        let mut results = vec![Ok(()); ranges.len()];
        for (ops, domain) in &self.on {
            let outcomes = match upgrade(ops) {
                Ok(ops) => ops.borrow_mut().unmap_all(*domain, ranges),
                Err(gone) => vec![Err(gone); ranges.len()],
            };
            for (result, outcome) in results.iter_mut().zip(outcomes) {
                if result.is_ok() {
                    *result = outcome;
                }
            }
        }
        results
    }
}

impl GroupDomain {
    /// Why nothing is mapped any more: an IOMMU is gone, or only the domain.
    fn ended(&self) -> Refusal {
        let detail = "the domain has ended".to_string();
        let ended = Refusal { cause: RefusalCause::NoEntry, endpoint: None, detail };
        self.on.iter().find_map(|(ops, _)| upgrade(ops).err()).unwrap_or(ended)
    }
}

/// Takes back a mapping that another IOMMU refused.
fn unmap_on(on: &[(Weak<RefCell<dyn IommuOps>>, DomainHandle)], iova: Range<Iova>) {
    for (ops, domain) in on {
        if let Some(ops) = ops.upgrade() {
            // The mapping has just been made. If the IOMMU fails here, it has died, and its record with it.
            let _ = ops.borrow_mut().unmap(*domain, iova);
        }
    }
}

fn upgrade(ops: &Weak<RefCell<dyn IommuOps>>) -> Result<SharedIommu, Refusal> {
    let detail = "the IOMMU is not there any more";
    let gone = || Refusal { cause: RefusalCause::Dead, endpoint: None, detail: detail.to_string() };
    ops.upgrade().ok_or_else(gone)
}
