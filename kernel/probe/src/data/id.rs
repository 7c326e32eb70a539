//! Identities. A number is never used again in one run, except for that of a group.

use core::fmt;

/// A bus, by identity; in the order in which the buses were added, which is the order of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BusId(pub(crate) u32);

/// A device's number on its bus. The bus assigns it, and only that bus can interpret it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit(pub u32);

/// A device, by identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub(crate) u32);

/// A registered driver, by identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DriverId(pub(crate) u32);

/// One IOMMU instance, by identity. Publishing an IOMMU makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub(crate) u32);

/// One ownership of DMA, from its first claim to its last release, by identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OwnershipId(pub(crate) u32);

/// A domain of one instance: one set of translations that endpoints are attached to.
///
/// [`IommuOps::alloc_domain`](crate::IommuOps::alloc_domain) assigns it; the number is the instance's own domain ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainHandle(pub u32);

/// A firmware node, by identity: a device tree node, an ACPI device, a VIOT node.
///
/// Two nodes are the same if and only if their `FwNode`s are equal; a device *without* a node has
/// none, and none is not equal to anything. Only the firmware adapter interprets the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FwNode(pub u32);

/// A group's number; the lowest free one when it was made (invariant I7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        u64::from(self.0).fmt(f)
    }
}

/// The number of the entry at `position` of a table.
pub(crate) fn number(position: usize) -> u32 {
    u32::try_from(position).expect("a machine has fewer than 2^32 of anything")
}
