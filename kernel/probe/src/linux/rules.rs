//! The questions that tell one Linux from another.

use crate::linux::adapter::LinuxQuirks;

/// What one Linux does in its own way.
pub(crate) trait LinuxPath {
    /// Whether phase 1 (`iommu_init_device`) has firmware asked, by way of the bus's `dma_configure`, about
    /// a device that has a driver, or that firmware was asked about before.
    fn asks_firmware(&self, has_driver: bool, is_translated: bool) -> bool;

    /// Whether a bind probes a device that firmware has just led to an IOMMU, if the device had IOMMU state
    /// (`dev->iommu`) before the bind asked or had none.
    fn probes_at_bind(&self, quirks: &LinuxQuirks, had_state: bool) -> bool;

    /// Whether an IOMMU whose walk is not over makes a device wait that has IOMMU state, or has none
    /// (`iommu_fwspec_init`).
    fn waits_until_ready(&self, has_state: bool) -> bool;

    /// Where an IOMMU's driver searches for the instance that firmware's node means.
    fn self_lookup(&self) -> SelfLookup;

    /// Whether a group that is made after a driver was set is worth a warning.
    fn warns_of_late_probe(&self) -> bool;

    /// When isolation that was requested is switched on.
    fn isolation_time(&self) -> IsolationTime;

    /// Whether a bind is put off while the device's group has no default domain.
    fn waits_for_default_domain(&self) -> bool;

    /// Whether a driver may bind a device before `device_add` is over.
    fn binds_while_arriving(&self) -> bool;
}

/// Where an IOMMU's driver searches for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SelfLookup {
    /// Among all devices: it is there before its driver begins.
    AmongDevices,
    /// Among those that its driver has bound: it is there when its driver's probe is over.
    AmongBound,
}

/// When isolation (ACS) is switched on, once it has been requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IsolationTime {
    /// When the device is enumerated, before it is added.
    AtEnumeration,
    /// When its DMA is configured (`pci_dma_configure`).
    AtTranslation,
}
