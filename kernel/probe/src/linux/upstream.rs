//! `upstream`: Linux 6.17 to 7.3, as 7.3.4 does it.
//!
//! Phase 1 reads firmware's map when a device is added and when an IOMMU registers, and an IOMMU finds itself during its
//! registration. Remaining defects: an error of one endpoint unregisters the IOMMU; a device behind two IOMMUs waits
//! only for the first; if there is no replay, a bind leaves the device without a group.

use crate::linux::adapter::LinuxQuirks;
use crate::linux::rules::{IsolationTime, LinuxPath, SelfLookup};

pub(crate) struct Upstream;

impl LinuxPath for Upstream {
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

    /// On the virtio bus, where it is since it was added (6.16.4, 72b6f7cd89ce).
    fn self_lookup(&self) -> SelfLookup {
        SelfLookup::AmongDevices
    }

    /// Printed after the IOMMU has accepted the device (6.15, 73d2f10957f5).
    fn warns_of_late_probe(&self) -> bool {
        true
    }

    /// Just before the device is grouped (7.0, c41e2fb67e26).
    fn isolation_time(&self) -> IsolationTime {
        IsolationTime::AtTranslation
    }

    /// A bind is deferred until the walk has given the group its domain (6.15, b46064a18810).
    fn waits_for_default_domain(&self) -> bool {
        true
    }

    /// Not before `device_add` is over (7.2).
    fn binds_while_arriving(&self) -> bool {
        false
    }
}
