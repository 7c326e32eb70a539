//! `legacy`: Linux 6.14 and older, as 6.12.95 does it.
//!
//! Firmware's map is read only when a driver binds: a device without a driver has no group, groups
//! are created in the order of binds, and a group can lack a device that was bound before.

use crate::linux::adapter::LinuxQuirks;
use crate::linux::rules::{IsolationTime, LinuxPath, SelfLookup};

pub(crate) struct Legacy;

impl LinuxPath for Legacy {
    /// Phase 1 finds only the results of binds, so it finds nothing.
    fn asks_firmware(&self, _has_driver: bool, _is_translated: bool) -> bool {
        false
    }

    /// Always, because no other code does it (`of_iommu_configure`, `acpi_iommu_configure_id`: "replay").
    fn probes_at_bind(&self, _quirks: &LinuxQuirks, _had_state: bool) -> bool {
        true
    }

    /// An IOMMU that is listed can be used.
    fn waits_until_ready(&self, _has_state: bool) -> bool {
        false
    }

    /// Among the devices that its driver has bound; no device is probed before the IOMMU is one of
    /// them (`viommu_get_by_fwnode` before 72b6f7cd89ce).
    fn self_lookup(&self) -> SelfLookup {
        SelfLookup::AmongBound
    }

    /// Every probe is late.
    fn warns_of_late_probe(&self) -> bool {
        false
    }

    /// When the device is enumerated (`pci_acs_init`): too early for devices that are enumerated
    /// before the request.
    fn isolation_time(&self) -> IsolationTime {
        IsolationTime::AtEnumeration
    }

    /// Does not occur: a new group gets its domain at once.
    fn waits_for_default_domain(&self) -> bool {
        false
    }

    /// As soon as it is on its bus.
    fn binds_while_arriving(&self) -> bool {
        true
    }
}
