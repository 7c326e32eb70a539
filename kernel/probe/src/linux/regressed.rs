//! `regressed`: Linux 6.15 to 6.16.3, as 6.16.3 does it.
//!
//! Phase 1 has become the core's business, and an IOMMU driver that looks for itself among the devices
//! it has bound (virtio-iommu) does not find itself while it registers: its walk finds nobody. Where binding
//! still probes, late groups come of it; where it does not, none, and without a word. (6.15.0 also had neither the
//! test for readiness nor the one for a second look at firmware; 6.15.1 brought both.)

use crate::linux::adapter::LinuxQuirks;
use crate::linux::rules::{IsolationTime, LinuxPath, SelfLookup};

pub(crate) struct Regressed;

impl LinuxPath for Regressed {
    /// Phase 1 asks, unless a bind has done it or is about to (6.15, bcb81ac6ae3c; "Avoid introducing more
    /// races", 6.15.1).
    fn asks_firmware(&self, has_driver: bool, is_translated: bool) -> bool {
        !has_driver && !is_translated
    }

    /// Only where firmware's adapter still does it, and only if phase 1 is not under way: both are told by
    /// whether the device had IOMMU state before (6.15, bcb81ac6ae3c).
    fn probes_at_bind(&self, quirks: &LinuxQuirks, had_state: bool) -> bool {
        quirks.probes_at_bind && !had_state
    }

    /// A bind waits until the walk is over, and a bind is who comes without IOMMU state (6.15.1, da33e87bd2bf).
    fn waits_until_ready(&self, has_state: bool) -> bool {
        !has_state
    }

    /// Among the devices that its driver has bound; it is one of them only when its probe, and so its
    /// registration, is over (`viommu_get_by_fwnode` before 72b6f7cd89ce).
    fn self_lookup(&self) -> SelfLookup {
        SelfLookup::AmongBound
    }

    /// Said once the IOMMU has taken the device (6.15, 73d2f10957f5).
    fn warns_of_late_probe(&self) -> bool {
        true
    }

    /// When the device is enumerated (`pci_acs_init`): too early for devices that are enumerated
    /// before the request.
    fn isolation_time(&self) -> IsolationTime {
        IsolationTime::AtEnumeration
    }

    /// A bind is put off until the walk has given the group its domain (6.15, b46064a18810).
    fn waits_for_default_domain(&self) -> bool {
        true
    }

    /// As soon as it is on its bus.
    fn binds_while_arriving(&self) -> bool {
        true
    }
}
