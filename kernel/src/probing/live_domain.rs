//! A domain that exists in an IOMMU, for measurements of the IOMMU.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use probe::{DomainHandle, DomainType, SharedIommu};
use viommu::Counters;

use super::Probing;

/// A paging domain that has an endpoint, so that its mappings are requests to the device.
pub struct LiveDomain {
    /// Name of its IOMMU.
    pub name: String,
    /// Its IOMMU.
    pub iommu: SharedIommu,
    /// Its handle there.
    pub domain: DomainHandle,
    /// Reads the counters of the IOMMU's driver.
    pub counters: Box<dyn Fn() -> Counters>,
}

impl Probing {
    /// The default domain of the first group that is translated.
    #[must_use]
    pub fn live_domain(&self) -> Option<LiveDomain> {
        let is_paging = |kind| matches!(kind, Some(DomainType::Dma | DomainType::DmaFq));
        let group = self.core.groups().find(|group| is_paging(group.domain_type()))?;
        let &(instance, domain) = group.domains().first()?;
        let device = self.core.device(self.core.instance(instance).device());
        let iommus = self.iommus.borrow();
        let iommu = &iommus.iter().find(|bound| bound.device == *device.handle())?.iommu;
        let (shared, counted) = (iommu.clone(), iommu.clone());
        Some(LiveDomain {
            name: device.name().to_string(),
            iommu: shared,
            domain,
            counters: Box::new(move || counted.borrow().counters()),
        })
    }
}
