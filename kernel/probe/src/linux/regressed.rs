//! `regressed`: Linux 6.15 to 6.16.3, as 6.16.3 does it.
//!
//! The core runs phase 1. An IOMMU driver that searches for its instance among the devices it has bound (virtio-iommu)
//! does not find it during its own registration, so its walk does not group any device. Where a bind still probes, the
//! groups are created late; where it does not, there are none, without any message. (6.15.0 also lacked the test for
//! readiness and the test for a second read of firmware's map; 6.15.1 added both.)

use crate::linux::adapter::LinuxQuirks;
use crate::linux::rules::{IsolationTime, LinuxPath, SelfLookup};

pub(crate) struct Regressed;

impl LinuxPath for Regressed {
    /// Phase 1 does, unless a bind has done it or is about to (6.15, bcb81ac6ae3c; "Avoid introducing more races",
    /// 6.15.1).
    fn asks_firmware(&self, has_driver: bool, is_translated: bool) -> bool {
        !has_driver && !is_translated
    }

    /// Only where firmware's adapter still does it, and only if phase 1 is not in progress, which is inferred from the
    /// device's IOMMU state (6.15, bcb81ac6ae3c).
    fn probes_at_bind(&self, quirks: &LinuxQuirks, had_state: bool) -> bool {
        quirks.probes_at_bind && !had_state
    }

    /// A bind waits until the walk is over; the caller is a bind if the device has no IOMMU state (6.15.1,
    /// da33e87bd2bf).
    fn waits_until_ready(&self, has_state: bool) -> bool {
        !has_state
    }

    /// Among the devices that its driver has bound, which include it only after its probe, and therefore after its
    /// registration (`viommu_get_by_fwnode` before 72b6f7cd89ce).
    fn self_lookup(&self) -> SelfLookup {
        SelfLookup::AmongBound
    }

    /// Printed after the IOMMU has accepted the device (6.15, 73d2f10957f5).
    fn warns_of_late_probe(&self) -> bool {
        true
    }

    /// When the device is enumerated (`pci_acs_init`): too early for devices that are enumerated
    /// before the request.
    fn isolation_time(&self) -> IsolationTime {
        IsolationTime::AtEnumeration
    }

    /// A bind is deferred until the walk has given the group its domain (6.15, b46064a18810).
    fn waits_for_default_domain(&self) -> bool {
        true
    }

    /// As soon as it is on its bus.
    fn binds_while_arriving(&self) -> bool {
        true
    }
}
