//! Default domains: of which type, and who is attached to them.

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::activity::Until;
use crate::core::Core;
use crate::data::event::Event;
use crate::table::device::{DeviceId, DmaState, Fwspec};
use crate::table::group::{DefaultDomain, DomainType, GroupId};
use crate::table::instance::InstanceId;
use crate::traits::iommu::{DomainHandle, DomainKind, Refusal};

/// What a user can choose about default domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Untranslated by default (`iommu.passthrough=1`).
    pub passthrough: bool,
    /// Invalidations are flushed at once (`iommu.strict=1`, the default).
    pub strict: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { passthrough: false, strict: true }
    }
}

impl Policy {
    /// The type that a group gets by default (Linux: `iommu_subsys_init`).
    #[must_use]
    pub fn default_domain_type(self) -> DomainType {
        match self {
            Self { passthrough: true, .. } => DomainType::Identity,
            Self { strict: false, .. } => DomainType::DmaFq,
            Self { .. } => DomainType::Dma,
        }
    }
}

impl<D> Core<D> {
    /// Gives a group its default domain, if it has none, and attaches every member; who cannot be attached
    /// leaves.
    pub(crate) fn set_up_default_domain(&mut self, group: GroupId) {
        // A number may come up twice in one replay: its group was merged away and the number given out again.
        if self.groups.get(group).default_domain.is_some() {
            return;
        }
        let kind = self.choose_type(group);
        self.groups.get_mut(group).default_domain = Some(DefaultDomain { kind, on: Vec::new() });
        for member in self.groups.get(group).members.clone() {
            self.attach_or_drop(group, member);
        }
        self.wake(|until| matches!(until, Until::Domain));
    }

    /// Attaches a member, or takes it out of the group if its IOMMU refuses.
    pub(crate) fn attach_or_drop(&mut self, group: GroupId, member: DeviceId) {
        // Another member's refusal may have split the group, or ended it.
        if self.membership(member).is_none_or(|membership| membership.group != group) {
            return;
        }
        if let Err(refusal) = self.attach_member(group, member) {
            self.find_refusal(member, &refusal);
            self.expel(member);
            let detail = refusal.detail;
            self.events.push(Event::Refused { device: member, detail: detail.clone() });
            self.device_mut(member).dma = DmaState::Refused(detail);
        }
    }

    /// Attaches every endpoint of a member to the group's default domain.
    ///
    /// # Errors
    ///
    /// An instance refuses; what was attached until then is detached when the device leaves the group.
    pub(crate) fn attach_member(&mut self, group: GroupId, member: DeviceId) -> Result<(), Refusal> {
        let fwspecs =
            self.membership(member).map(|membership| membership.fwspecs.clone()).unwrap_or_default();
        for fwspec in &fwspecs {
            self.attach_on(group, fwspec).map_err(|refusal| self.refusal_by(fwspec.instance, refusal))?;
        }
        self.map_direct_regions(group, member)
    }

    /// Attaches a member's endpoints on one instance.
    fn attach_on(&mut self, group: GroupId, fwspec: &Fwspec) -> Result<(), Refusal> {
        let domain = self.domain_or_new(group, fwspec.instance)?;
        let instance = self.instance_mut(fwspec.instance);
        for endpoint in &fwspec.endpoints {
            let Some(attachment) = instance.endpoints.get_mut(endpoint) else { continue };
            if attachment.domain != Some(domain) {
                instance.ops.attach(domain, *endpoint)?;
                attachment.domain = Some(domain);
            }
        }
        Ok(())
    }

    /// The group's domain on an instance.
    pub(crate) fn domain_on(&self, group: GroupId, instance: InstanceId) -> Option<DomainHandle> {
        let domains = self.groups.get(group).domains();
        domains.iter().find(|(on, _)| *on == instance).map(|(_, domain)| *domain)
    }

    /// Frees a group's domains on instances that none of its members is behind any more.
    pub(crate) fn free_unused_domains(&mut self, group: GroupId) {
        let members = self.groups.get(group).members.iter().filter_map(|member| self.membership(*member));
        let used: BTreeSet<InstanceId> =
            members.flat_map(|membership| &membership.fwspecs).map(|fwspec| fwspec.instance).collect();
        let Some(default_domain) = &mut self.groups.get_mut(group).default_domain else { return };
        let unused: Vec<_> =
            default_domain.on.extract_if(.., |(instance, _)| !used.contains(instance)).collect();
        for (instance, domain) in unused {
            self.instance_mut(instance).ops.free_domain(domain);
        }
    }

    /// Frees all domains of a group that has no members any more.
    pub(crate) fn free_domains(&mut self, group: GroupId) {
        if let Some(default_domain) = self.groups.get_mut(group).default_domain.take() {
            for (instance, domain) in default_domain.on {
                self.instance_mut(instance).ops.free_domain(domain);
            }
        }
    }

    /// The type asked for, as far as every instance that the group is behind can do it.
    pub(crate) fn choose_type(&self, group: GroupId) -> DomainType {
        let members = &self.groups.get(group).members;
        let untrusted = |member: &DeviceId| {
            let device = self.device(*member);
            self.buses[device.bus.0 as usize].bus.is_untrusted(device.unit)
        };
        if members.iter().any(untrusted) {
            return DomainType::Dma;
        }
        let wanted = self.policy.default_domain_type();
        let members = members.iter().filter_map(|member| self.membership(*member));
        let deferred_flush = members
            .flat_map(|membership| &membership.fwspecs)
            .all(|fwspec| self.instance(fwspec.instance).ops.deferred_flush());
        if wanted == DomainType::DmaFq && !deferred_flush { DomainType::Dma } else { wanted }
    }

    /// The group's domain on an instance, made now if this is the first member behind it.
    ///
    /// Where another type than plain DMA cannot be had, the group falls back to DMA (Linux:
    /// `iommu_group_alloc_default_domain`), if it has no domain of the other type elsewhere already.
    fn domain_or_new(&mut self, group: GroupId, instance: InstanceId) -> Result<DomainHandle, Refusal> {
        if let Some(domain) = self.domain_on(group, instance) {
            return Ok(domain);
        }
        let mut kind = self.groups.get(group).domain_type().unwrap_or(DomainType::Dma);
        let first = self.groups.get(group).domains().is_empty();
        let ops = &mut self.instance_mut(instance).ops;
        let domain = match (ops.alloc_domain(kind.into()), kind) {
            (Ok(domain), _) => domain,
            (Err(refusal), DomainType::Identity | DomainType::DmaFq) if first => {
                let domain = ops.alloc_domain(DomainKind::Paging)?;
                kind = DomainType::Dma;
                self.events.push(Event::DomainFallback { group, kind, detail: refusal.to_string() });
                domain
            }
            (Err(refusal), _) => return Err(refusal),
        };
        if let Some(default_domain) = &mut self.groups.get_mut(group).default_domain {
            default_domain.kind = kind;
            default_domain.on.push((instance, domain));
        }
        self.events.push(Event::DefaultDomain { group, kind, instance, domain });
        Ok(domain)
    }
}

impl From<DomainType> for DomainKind {
    fn from(kind: DomainType) -> Self {
        match kind {
            DomainType::Dma | DomainType::DmaFq => Self::Paging,
            DomainType::Identity => Self::Identity,
        }
    }
}
