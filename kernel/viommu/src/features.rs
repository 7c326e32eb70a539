//! Feature bits of the device (virtio 1.2, sections 5.13.3 and 6).

use bitflags::bitflags;

bitflags! {
    /// Feature bits that this driver knows.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Features: u64 {
        /// `input_range` of the configuration is valid.
        const INPUT_RANGE = 1 << 0;
        /// `domain_range` of the configuration is valid.
        const DOMAIN_RANGE = 1 << 1;
        /// MAP and UNMAP are available.
        const MAP_UNMAP = 1 << 2;
        /// Endpoints without a domain bypass; superseded by `BYPASS_CONFIG`, never accepted here.
        const BYPASS = 1 << 3;
        /// PROBE is available and `probe_size` is valid.
        const PROBE = 1 << 4;
        /// MAP knows the MMIO flag.
        const MMIO = 1 << 5;
        /// `bypass` of the configuration and the bypass flag of ATTACH are available.
        const BYPASS_CONFIG = 1 << 6;
        /// The device follows virtio 1.0 or later.
        const VERSION_1 = 1 << 32;
        /// The device's own accesses use platform addresses.
        const ACCESS_PLATFORM = 1 << 33;
    }
}

impl Features {
    /// What the driver accepts where it is offered.
    ///
    /// `ACCESS_PLATFORM` is included because an IOMMU does not translate its own accesses: its
    /// platform addresses are those that the `Hal` returns anyway. Event index and indirect
    /// descriptors are not: with one short request in flight they save nothing.
    pub(crate) const ACCEPTED: Self = Self::INPUT_RANGE
        .union(Self::DOMAIN_RANGE)
        .union(Self::MAP_UNMAP)
        .union(Self::PROBE)
        .union(Self::MMIO)
        .union(Self::BYPASS_CONFIG)
        .union(Self::VERSION_1)
        .union(Self::ACCESS_PLATFORM);
}
