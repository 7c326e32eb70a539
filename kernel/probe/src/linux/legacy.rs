//! `legacy`: Linux 6.14 and older, as 6.12.95 does it.
//!
//! Firmware is asked when a driver binds, and never before: what no driver wants has no group, groups come in
//! the order of binds, and a group can lack whom it should hold because that one was bound first.

use crate::linux::adapter::LinuxQuirks;
use crate::linux::rules::{IsolationTime, LinuxPath, SelfLookup};

pub(crate) struct Legacy;

impl LinuxPath for Legacy {
    /// Phase 1 finds what binds have left, which is nothing.
    fn asks_firmware(&self, _has_driver: bool, _is_translated: bool) -> bool {
        false
    }

    /// Always: nobody else does (`of_iommu_configure`, `acpi_iommu_configure_id`: "replay").
    fn probes_at_bind(&self, _quirks: &LinuxQuirks, _had_state: bool) -> bool {
        true
    }

    /// An IOMMU that is listed can be used.
    fn waits_until_ready(&self, _has_state: bool) -> bool {
        false
    }

    /// Among the devices that its driver has bound; nobody is probed before it is one of them
    /// (`viommu_get_by_fwnode` before 72b6f7cd89ce).
    fn self_lookup(&self) -> SelfLookup {
        SelfLookup::AmongBound
    }

    /// Every probe is late.
    fn warns_of_late_probe(&self) -> bool {
        false
    }

    /// When the device is enumerated (`pci_acs_init`): too early for whoever comes before the request.
    fn isolation_time(&self) -> IsolationTime {
        IsolationTime::AtEnumeration
    }

    /// There is no such state: who makes a group gives it its domain at once.
    fn waits_for_default_domain(&self) -> bool {
        false
    }

    /// As soon as it is on its bus.
    fn binds_while_arriving(&self) -> bool {
        true
    }
}
