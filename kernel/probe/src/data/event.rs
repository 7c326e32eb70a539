//! What happened, in order; the log and the tests read it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::data::dma::Trigger;
use crate::data::domain::DomainType;
use crate::data::firmware::Untranslated;
use crate::data::id::{DeviceId, DomainHandle, DriverId, FwNode, GroupId, InstanceId};
use crate::data::linux_event::LinuxEvent;

/// One step of the probe path that can be seen from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A device was put on its bus.
    DeviceAdded(DeviceId),
    /// A device left its bus.
    DeviceRemoved(DeviceId),
    /// Firmware leads a device to no IOMMU.
    Untranslated {
        /// The device.
        device: DeviceId,
        /// Why.
        why: Untranslated,
    },
    /// A device waits for IOMMUs that are not ready.
    Waiting {
        /// The device.
        device: DeviceId,
        /// What for.
        nodes: Vec<FwNode>,
    },
    /// A device's IOMMU will not have it, or it cannot be isolated.
    Refused {
        /// The device.
        device: DeviceId,
        /// What was asked and answered.
        detail: String,
    },
    /// A device joined a group.
    Joined {
        /// The device.
        device: DeviceId,
        /// The group.
        group: GroupId,
        /// What made the core probe it.
        trigger: Trigger,
    },
    /// A device left its group.
    Left {
        /// The device.
        device: DeviceId,
        /// The group.
        group: GroupId,
    },
    /// Two groups turned out to be one.
    Merged {
        /// The group that remains.
        into: GroupId,
        /// The group that is gone.
        from: GroupId,
    },
    /// Part of a group has nothing to do with the rest any more.
    Split {
        /// The group that was.
        from: GroupId,
        /// The new group.
        new: GroupId,
    },
    /// A group's default domain exists on an instance.
    DefaultDomain {
        /// The group.
        group: GroupId,
        /// Type of the domain.
        kind: DomainType,
        /// Where.
        instance: InstanceId,
        /// The domain there.
        domain: DomainHandle,
    },
    /// A group could not have the type of domain that was asked for, and got this one.
    DomainFallback {
        /// The group.
        group: GroupId,
        /// What it got.
        kind: DomainType,
        /// Why.
        detail: String,
    },
    /// An IOMMU can be looked up; the replay begins.
    Published(InstanceId),
    /// The replay against this IOMMU is over.
    Ready(InstanceId),
    /// An IOMMU is gone; nothing refers to it.
    Unpublished(InstanceId),
    /// Events that occur only on Linux's paths.
    Linux(LinuxEvent),
    /// A driver is bound.
    Bound {
        /// The device.
        device: DeviceId,
        /// Its driver.
        driver: DriverId,
    },
    /// A driver was unbound.
    Unbound {
        /// The device.
        device: DeviceId,
        /// The driver that it had.
        driver: DriverId,
    },
    /// A driver's own probe failed.
    BindFailed {
        /// The device.
        device: DeviceId,
        /// The driver.
        driver: DriverId,
        /// What it said.
        detail: String,
    },
    /// A driver looked at a device and found that it is none of its own.
    Declined {
        /// The device.
        device: DeviceId,
        /// The driver.
        driver: DriverId,
        /// What it said.
        detail: String,
    },
    /// A bind is put off.
    Deferred {
        /// The device.
        device: DeviceId,
        /// The driver.
        driver: DriverId,
        /// What it waits for.
        detail: String,
    },
    /// A driver binds although the device's IOMMU never came (Linux: "deferred probe timeout, ignoring
    /// dependency").
    DependencyIgnored {
        /// The device.
        device: DeviceId,
        /// What it had waited for.
        nodes: Vec<FwNode>,
    },
}
