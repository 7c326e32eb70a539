//! The operations on a group's DMA at run time: claims and releases of ownership, and changes of type.
//!
//! A release takes the value that the claim made. An owner that goes on after it does not compile:
//!
//! ```compile_fail,E0382
//! use probe::{Core, OwnedGroup, Refusal};
//!
//! fn use_after_release(core: &mut Core<u32>, owned: OwnedGroup) -> Result<(), Refusal> {
//!     core.release(owned)?;
//!     core.attach_own_domain(&owned)
//! }
//! ```
//!
//! Nor can a claim be made by hand:
//!
//! ```compile_fail,E0451
//! use probe::OwnedGroup;
//!
//! fn own() -> OwnedGroup {
//!     OwnedGroup { ownership: unreachable!() }
//! }
//! ```
//!
//! In the right order, it compiles:
//!
//! ```
//! use probe::{Core, OwnedGroup, Refusal};
//!
//! fn use_and_release(core: &mut Core<u32>, owned: OwnedGroup) -> Result<(), Refusal> {
//!     core.attach_own_domain(&owned)?;
//!     core.release(owned)
//! }
//! ```

use alloc::vec::Vec;

use crate::core::Core;
use crate::data::domain::DomainType;
use crate::data::id::{DeviceId, GroupId};
use crate::data::ownership::{ClaimRefused, OwnedGroup, Owner, TypeRefused, TypeRequest};
use crate::data::refusal::Refusal;
use crate::grouping::transfer::OnLost;
use crate::grouping::{change_type, ownership, regroup};
use crate::linux::group::keep_lost_member;
use crate::phase2::domain::{self, GroupDomain};
use crate::table::group::Group;
use crate::table::ownership::Ownership;

impl<D> Core<D> {
    /// Claims the DMA of a device and of all that shares its group for an owner outside of the drivers that are bound, as
    /// iommufd does. One owner may hold several such claims; the group is released with the last one.
    ///
    /// From then on, every access of a member is blocked, and no driver that uses the default domain binds one.
    ///
    /// # Errors
    ///
    /// See [`ClaimRefused`]; nothing has changed.
    ///
    /// # Panics
    ///
    /// If there is no such device.
    pub fn claim_device(&mut self, device: DeviceId, owner: Owner) -> Result<OwnedGroup, ClaimRefused> {
        let on_lost = self.on_lost();
        ownership::claim_for_device(&mut self.tables, device, owner, on_lost)
    }

    /// Attaches the members to a domain of the owner's own, which is empty at first.
    ///
    /// # Errors
    ///
    /// An IOMMU refuses; all accesses stay blocked.
    pub fn attach_own_domain(&mut self, owned: &OwnedGroup) -> Result<(), Refusal> {
        let on_lost = self.on_lost();
        ownership::attach_own(&mut self.tables, owned.ownership(), on_lost)
    }

    /// The domain of the owner's own, in which it can map memory for the members; none while all accesses are blocked.
    #[must_use]
    pub fn own_domain(&self, owned: &OwnedGroup) -> Option<GroupDomain> {
        domain::of_owner(&self.tables, owned.ownership())
    }

    /// Blocks all accesses of the members. The owner's own domain, if there is one, ends, with all that is mapped there.
    ///
    /// # Errors
    ///
    /// An IOMMU refuses; the owner's domain stays attached.
    pub fn block(&mut self, owned: &OwnedGroup) -> Result<(), Refusal> {
        let on_lost = self.on_lost();
        ownership::block(&mut self.tables, owned.ownership(), on_lost)
    }

    /// Gives a claim back. With the owner's last claim, the members return to the default domain.
    ///
    /// # Errors
    ///
    /// A member does not return. On `fixed` it leaves the group; on Linux's paths it stays where it is, and the report
    /// has an error. The ownership has ended all the same.
    #[expect(clippy::needless_pass_by_value, reason = "the proof of ownership must not outlive it")]
    pub fn release(&mut self, owned: OwnedGroup) -> Result<(), Refusal> {
        let on_lost = self.on_lost();
        ownership::release(&mut self.tables, &owned, on_lost).map_or(Ok(()), Err)
    }

    /// Changes the type of a group's default domain (Linux: a write to the group's `type` file), and returns the new type.
    ///
    /// # Errors
    ///
    /// See [`TypeRefused`]; the type is the old one.
    ///
    /// # Panics
    ///
    /// If there is no such group.
    pub fn change_type(&mut self, group: GroupId, request: TypeRequest) -> Result<DomainType, TypeRefused> {
        let on_lost = self.on_lost();
        change_type::change_type(&mut self.tables, group, request, on_lost)
    }

    /// The ownership under which a group is claimed, if it is.
    pub fn ownership(&self, group: &Group) -> Option<&Ownership> {
        self.tables.ownerships.find(group.ownership()?)
    }

    /// The groups that are claimed under an ownership: none if their members have gone, more than one after a split.
    #[must_use]
    pub fn owned_groups(&self, owned: &OwnedGroup) -> Vec<GroupId> {
        self.tables.groups.owned_by(owned.ownership())
    }

    /// The same claim in a [`fork`](Self::fork) of the machine, which it must not leave.
    pub fn forked_claim(&self, owned: &OwnedGroup) -> OwnedGroup {
        OwnedGroup::new(owned.ownership())
    }

    /// What this path does with a member that its IOMMU does not attach where it must be.
    fn on_lost(&self) -> OnLost<D> {
        match self.linux {
            None => regroup::drop_member,
            Some(_) => keep_lost_member,
        }
    }
}
