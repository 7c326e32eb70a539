//! Ownership of a group's DMA, as VFIO and iommufd claim it, and refusals of what it excludes.

use alloc::string::String;
use core::fmt;

use crate::data::id::{GroupId, OwnershipId};
use crate::data::refusal::Refusal;

/// Who claims the DMA of a group, for example `vfio`. Two claims are by the same owner if the names are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub String);

/// Proof that its holder owns the DMA of a group.
///
/// Until [`Core::release`](crate::Core::release) takes it, no driver that uses the default domain binds a member, and every
/// access of a member is blocked unless the owner has attached a domain of its own. A value that is dropped instead leaves
/// the group blocked.
#[must_use = "the group stays claimed until the ownership is released"]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct OwnedGroup {
    ownership: OwnershipId,
}

impl OwnedGroup {
    /// For a claim that has just been counted.
    pub(crate) fn new(ownership: OwnershipId) -> Self {
        Self { ownership }
    }

    /// The ownership that the claim is a part of.
    pub(crate) fn ownership(&self) -> OwnershipId {
        self.ownership
    }
}

/// Why a claim is refused. The text ends with the error of Linux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimRefused {
    /// The device is not in a group.
    NoGroup,
    /// The group has no default domain yet, to which it could return.
    NoDefaultDomain(GroupId),
    /// So many bound drivers use the default domain of the group.
    InUse(GroupId, u32),
    /// The group is claimed already, by this owner.
    Claimed(GroupId, Owner),
    /// A member must have addresses mapped one to one, which a domain that blocks all accesses does not have (Linux since
    /// 6.6: `require_direct`).
    Direct(GroupId),
    /// An IOMMU does not move a member to the blocking domain.
    Refused(Refusal),
}

impl fmt::Display for ClaimRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGroup => f.write_str("the device is not in a group (ENODEV)"),
            Self::NoDefaultDomain(group) => write!(f, "group {group} has no default domain yet (EBUSY)"),
            Self::InUse(group, drivers) => in_use(f, *group, *drivers),
            Self::Claimed(group, owner) => claimed(f, *group, owner),
            Self::Direct(group) => {
                write!(f, "a member of group {group} must have addresses mapped one to one (EINVAL)")
            }
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

/// A type of default domain that is requested for a group, in the words of Linux's `type` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TypeRequest {
    /// `identity`
    Identity,
    /// `DMA`
    Dma,
    /// `DMA-FQ`
    DmaFq,
    /// `auto`: the type that the group would get at boot.
    Auto,
}

impl TypeRequest {
    /// All requests.
    pub const ALL: [Self; 4] = [Self::Identity, Self::Dma, Self::DmaFq, Self::Auto];

    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Dma => "DMA",
            Self::DmaFq => "DMA-FQ",
            Self::Auto => "auto",
        }
    }

    /// The request that `word` means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|request| request.word() == word)
    }
}

/// Why the type of a default domain is not changed. The text ends with the error of Linux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeRefused {
    /// The device is not in a group.
    NoGroup,
    /// The group has no default domain yet.
    NoDefaultDomain(GroupId),
    /// So many bound drivers use the default domain.
    InUse(GroupId, u32),
    /// The group is claimed by this owner.
    Claimed(GroupId, Owner),
    /// A member is untrusted, and gets no type but `DMA`.
    Untrusted(GroupId),
    /// An IOMMU that the group is behind cannot flush late.
    NoFlushQueue(GroupId),
    /// An IOMMU does not make the domain, or does not move a member to it.
    Refused(Refusal),
}

impl fmt::Display for TypeRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGroup => f.write_str("the device is not in a group (ENODEV)"),
            Self::NoDefaultDomain(group) => write!(f, "group {group} has no default domain yet (EINVAL)"),
            Self::InUse(group, drivers) => in_use(f, *group, *drivers),
            Self::Claimed(group, owner) => claimed(f, *group, owner),
            Self::Untrusted(group) => write!(f, "group {group} has an untrusted member (EINVAL)"),
            Self::NoFlushQueue(group) => write!(f, "group {group} is behind an IOMMU without a flush queue"),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

fn in_use(f: &mut fmt::Formatter<'_>, group: GroupId, drivers: u32) -> fmt::Result {
    let noun = if drivers == 1 { "driver" } else { "drivers" };
    write!(f, "group {group} is in use by {drivers} {noun} (EPERM)")
}

fn claimed(f: &mut fmt::Formatter<'_>, group: GroupId, owner: &Owner) -> fmt::Result {
    write!(f, "group {group} is claimed by {} (EPERM)", owner.0)
}
