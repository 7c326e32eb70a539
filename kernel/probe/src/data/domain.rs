//! Kinds of domains, what is mapped in them, and the policy for a group's default domain.

use addr::{Iova, PhysAddr, Range};

/// Type of a group's default domain, in the words of Linux's `type` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DomainType {
    /// Translated, invalidations flushed at once.
    Dma,
    /// Translated, invalidations flushed late.
    DmaFq,
    /// Untranslated.
    Identity,
}

impl DomainType {
    /// The word in the report.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dma => "DMA",
            Self::DmaFq => "DMA-FQ",
            Self::Identity => "identity",
        }
    }
}

/// The user's choice of default domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainPolicy {
    /// Untranslated by default (`iommu.passthrough=1`).
    pub passthrough: bool,
    /// Invalidations are flushed at once (`iommu.strict=1`, the default).
    pub strict: bool,
}

impl Default for DomainPolicy {
    fn default() -> Self {
        Self { passthrough: false, strict: true }
    }
}

impl DomainPolicy {
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

/// The addresses that an endpoint in a domain can access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DomainKind {
    /// Only mapped addresses. An empty domain blocks every access.
    Paging,
    /// All addresses, untranslated.
    Identity,
}

/// The accesses that a mapping allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prot {
    /// The device may read.
    pub read: bool,
    /// The device may write.
    pub write: bool,
    /// The target is a device's window, not RAM.
    pub mmio: bool,
}

/// What a device finds at some addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The addresses that the device uses.
    pub iova: Range<Iova>,
    /// Where they lead: the first address of a physical range of the same size.
    pub phys: PhysAddr,
    /// The accesses that it allows.
    pub prot: Prot,
}

impl Mapping {
    /// Whether `next` begins where this one ends, in I/O virtual and in physical addresses, with the same accesses.
    #[must_use]
    pub fn continues(&self, next: &Self) -> bool {
        let Self { iova, phys, prot } = *self;
        let size = iova.end().0.wrapping_sub(iova.start().0).checked_add(1);
        let end = size.and_then(|size| Some((iova.start().0.checked_add(size)?, phys.0.checked_add(size)?)));
        end == Some((next.iova.start().0, next.phys.0)) && prot == next.prot
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
