//! Ownerships of DMA: who has claimed groups, how often, and with which domains.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem;
use core::ops::Index;

use crate::data::id::{DeviceId, DomainHandle, InstanceId, OwnershipId};
use crate::data::lease::{Lease, Lessor};
use crate::data::ownership::Owner;
use crate::table::group::OnInstances;

/// A domain that an owner maps in.
#[derive(Clone, Debug)]
struct OwnDomain {
    on: OnInstances,
    lessor: Lessor,
}

/// One ownership, from the first claim to the last release. It may have several groups if the claimed one was split.
#[derive(Clone, Debug)]
pub struct Ownership {
    owner: Owner,
    /// Claims that were not released (Linux: `owner_cnt` of a claimed group).
    claims: u32,
    /// Domains without a mapping. They exist all the time, so that blocking needs nothing new.
    blocking: OnInstances,
    /// The owner's own domains, while it has some.
    own: Option<OwnDomain>,
    /// Devices that would have joined a claimed group with another one.
    kept_out: Vec<DeviceId>,
}

impl Ownership {
    /// Who it is.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Claims that were not released.
    pub fn claims(&self) -> u32 {
        self.claims
    }

    /// Whether every access is blocked: the owner has no domain of its own attached.
    pub fn is_blocked(&self) -> bool {
        self.own.is_none()
    }

    /// Devices that have no group until this ownership ends.
    pub(crate) fn kept_out(&self) -> &[DeviceId] {
        &self.kept_out
    }

    /// Whether a domain is one that the members may be attached to.
    pub(crate) fn has_domain(&self, domain: &(InstanceId, DomainHandle)) -> bool {
        self.blocking.contains(domain) || self.own.as_ref().is_some_and(|own| own.on.contains(domain))
    }

    /// The domains without a mapping.
    pub(crate) fn blocking(&self) -> &OnInstances {
        &self.blocking
    }

    /// The owner's own domains.
    pub(crate) fn own(&self) -> Option<(&OnInstances, Lease)> {
        self.own.as_ref().map(|own| (&own.on, own.lessor.lease()))
    }
}

/// All ownerships.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ownerships {
    ownerships: BTreeMap<OwnershipId, Ownership>,
    /// The number of the next one.
    next: u32,
}

/// # Panics
///
/// If it was released.
impl Index<OwnershipId> for Ownerships {
    type Output = Ownership;

    fn index(&self, id: OwnershipId) -> &Ownership {
        self.find(id).expect("an ownership lasts until its last claim is released")
    }
}

impl Ownerships {
    /// Begins an ownership with one claim.
    pub(crate) fn begin(&mut self, owner: Owner, blocking: OnInstances) -> OwnershipId {
        let id = OwnershipId(self.next);
        self.next += 1;
        let ownership = Ownership { owner, claims: 1, blocking, own: None, kept_out: Vec::new() };
        self.ownerships.insert(id, ownership);
        id
    }

    /// The ownership; none once its last claim was released.
    pub(crate) fn find(&self, id: OwnershipId) -> Option<&Ownership> {
        self.ownerships.get(&id)
    }

    /// Whether there is any.
    pub(crate) fn is_any(&self) -> bool {
        !self.ownerships.is_empty()
    }

    /// Ends an ownership; returns its domains and the devices that it kept out of groups.
    pub(crate) fn end(&mut self, id: OwnershipId) -> (OnInstances, Vec<DeviceId>) {
        let Some(Ownership { mut blocking, own, kept_out, .. }) = self.ownerships.remove(&id) else {
            return (Vec::new(), Vec::new());
        };
        blocking.extend(own.into_iter().flat_map(|own| own.on));
        (blocking, kept_out)
    }

    /// Counts one more claim.
    pub(crate) fn add_claim(&mut self, id: OwnershipId) {
        self.get_mut(id).claims += 1;
    }

    /// Counts one claim less, and returns how many are left.
    pub(crate) fn remove_claim(&mut self, id: OwnershipId) -> u32 {
        let claims = &mut self.get_mut(id).claims;
        *claims = claims.saturating_sub(1);
        *claims
    }

    /// A group is behind one more instance; this is the domain without a mapping there.
    pub(crate) fn add_blocking(&mut self, id: OwnershipId, domain: (InstanceId, DomainHandle)) {
        self.get_mut(id).blocking.push(domain);
    }

    /// The owner has domains of its own, or none any more; returns those that it had.
    pub(crate) fn set_own(&mut self, id: OwnershipId, on: Option<OnInstances>) -> OnInstances {
        let own = on.map(|on| OwnDomain { on, lessor: Lessor::default() });
        mem::replace(&mut self.get_mut(id).own, own).map_or(Vec::new(), |old| old.on)
    }

    /// A device stays without a group until this ownership ends.
    pub(crate) fn keep_out(&mut self, id: OwnershipId, device: DeviceId) {
        let kept_out = &mut self.get_mut(id).kept_out;
        if !kept_out.contains(&device) {
            kept_out.push(device);
        }
    }

    /// Takes all domains on an instance that is about to go.
    pub(crate) fn take_domains_on(&mut self, instance: InstanceId) -> Vec<DomainHandle> {
        let mut taken = Vec::new();
        for ownership in self.ownerships.values_mut() {
            let own = ownership.own.as_mut().map(|own| &mut own.on);
            for domains in [&mut ownership.blocking].into_iter().chain(own) {
                let gone = domains.extract_if(.., |(on, _)| *on == instance);
                taken.extend(gone.map(|(_, domain)| domain));
            }
        }
        taken
    }

    fn get_mut(&mut self, id: OwnershipId) -> &mut Ownership {
        self.ownerships.get_mut(&id).expect("an ownership lasts until its last claim is released")
    }

    /// A defect for the test of invariant I8.
    #[cfg(test)]
    pub(crate) fn forget(&mut self, id: OwnershipId) {
        self.ownerships.remove(&id);
    }
}
