//! Events in order, for the log and the tests.

use alloc::string::String;
use alloc::vec::Vec;

use crate::data::dma::Trigger;
use crate::data::domain::DomainType;
use crate::data::firmware::Untranslated;
use crate::data::id::{DeviceId, DomainHandle, DriverId, FwNode, GroupId, InstanceId};
use crate::data::linux_event::LinuxEvent;
use crate::data::ownership::Owner;
use crate::data::refusal::JoinError;

/// One visible step of the probe path.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A device was put on its bus.
    DeviceAdded(DeviceId),
    /// A device left its bus.
    DeviceRemoved(DeviceId),
    /// A device is not behind an IOMMU.
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
        /// The IOMMUs.
        nodes: Vec<FwNode>,
    },
    /// A device cannot join a group.
    Refused {
        /// The device.
        device: DeviceId,
        /// Why.
        error: JoinError,
    },
    /// A device joined a group.
    Joined {
        /// The device.
        device: DeviceId,
        /// The group.
        group: GroupId,
        /// The trigger of the probe.
        trigger: Trigger,
    },
    /// A device left its group.
    Left {
        /// The device.
        device: DeviceId,
        /// The group.
        group: GroupId,
    },
    /// Two groups were merged.
    Merged {
        /// The group that remains.
        into: GroupId,
        /// The group that was removed.
        from: GroupId,
    },
    /// A group was split because a part is no longer connected with the rest.
    Split {
        /// The old group.
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
    /// A group got another type of domain than requested.
    DomainFallback {
        /// The group.
        group: GroupId,
        /// The type that it got.
        kind: DomainType,
        /// Why.
        detail: String,
    },
    /// The default domain of a group is of another type now.
    TypeChanged {
        /// The group.
        group: GroupId,
        /// The new type.
        kind: DomainType,
    },
    /// A group was claimed, or claimed once more.
    Claimed {
        /// The group.
        group: GroupId,
        /// Who claimed it.
        owner: Owner,
    },
    /// A group is not claimed any more; its members are attached to the default domain.
    Released {
        /// The group.
        group: GroupId,
    },
    /// An IOMMU is published; its replay begins.
    Published(InstanceId),
    /// The replay for this IOMMU has finished.
    Ready(InstanceId),
    /// An IOMMU was removed; nothing refers to it.
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
        /// The error.
        detail: String,
    },
    /// A driver's probe declined a device.
    Declined {
        /// The device.
        device: DeviceId,
        /// The driver.
        driver: DriverId,
        /// The error.
        detail: String,
    },
    /// A bind is deferred.
    Deferred {
        /// The device.
        device: DeviceId,
        /// The driver.
        driver: DriverId,
        /// The dependency.
        detail: String,
    },
    /// A driver binds although the device's IOMMU never came (Linux: "deferred probe timeout, ignoring
    /// dependency").
    DependencyIgnored {
        /// The device.
        device: DeviceId,
        /// The missing dependency.
        nodes: Vec<FwNode>,
    },
}
