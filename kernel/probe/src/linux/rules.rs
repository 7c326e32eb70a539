//! The differences between Linux versions.

use crate::linux::adapter::LinuxQuirks;

/// The behaviour that differs between Linux versions.
pub(crate) trait LinuxPath {
    /// Whether phase 1 (`iommu_init_device`) reads firmware's map, through the bus's `dma_configure`, depending on whether
    /// the device has a driver and whether the map has been read for it.
    fn asks_firmware(&self, has_driver: bool, is_translated: bool) -> bool;

    /// Whether a bind probes a device that firmware's map has just translated, depending on whether the device had IOMMU
    /// state (`dev->iommu`) before.
    fn probes_at_bind(&self, quirks: &LinuxQuirks, had_state: bool) -> bool;

    /// Whether a device waits for an IOMMU whose walk is not over, depending on whether it has IOMMU state
    /// (`iommu_fwspec_init`).
    fn waits_until_ready(&self, has_state: bool) -> bool;

    /// Where an IOMMU's driver searches for the instance with a firmware node.
    fn self_lookup(&self) -> SelfLookup;

    /// Whether there is a warning about a group that is created after a driver was set.
    fn warns_of_late_probe(&self) -> bool;

    /// When requested isolation is enabled.
    fn isolation_time(&self) -> IsolationTime;

    /// Whether a bind is deferred while the device's group has no default domain.
    fn waits_for_default_domain(&self) -> bool;

    /// Whether a driver may bind a device before `device_add` is over.
    fn binds_while_arriving(&self) -> bool;
}

/// Where an IOMMU's driver searches for its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SelfLookup {
    /// Among all devices, which include it before its driver begins.
    AmongDevices,
    /// Among those that its driver has bound, which include it only after its driver's probe.
    AmongBound,
}

/// When isolation (ACS) is enabled after it has been requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IsolationTime {
    /// When the device is enumerated, before it is added.
    AtEnumeration,
    /// When its DMA is configured (`pci_dma_configure`).
    AtTranslation,
}
