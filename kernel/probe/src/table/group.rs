//! IOMMU groups: devices that cannot be isolated from each other share a group and its default domain.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::mem;
use core::ops::Index;

use crate::data::domain::DomainType;
use crate::data::id::{BusId, DeviceId, DomainHandle, GroupId, InstanceId, OwnershipId, Unit, number};
use crate::data::lease::{Lease, Lessor};
use crate::data::sorted_map::SortedMap;

/// One group.
#[derive(Clone, Debug)]
pub struct Group {
    id: GroupId,
    members: Vec<DeviceId>,
    /// Isolation classes in this group; several if firmware gives devices of different classes one endpoint.
    classes: Vec<(BusId, Unit)>,
    default_domain: Option<DefaultDomain>,
    users: Users,
}

/// One domain on each instance that a member of a group is behind.
pub(crate) type OnInstances = Vec<(InstanceId, DomainHandle)>;

/// A group's default domain, of one type.
#[derive(Clone, Debug)]
struct DefaultDomain {
    domain_type: DomainType,
    on: OnInstances,
    lessor: Lessor,
}

/// The users of the DMA of a group's members: bound drivers or one owner, never both (Linux: `owner_cnt`, and `owner`).
#[derive(Clone, Debug)]
enum Users {
    /// This many bound drivers, through the default domain.
    Drivers(u32),
    /// One owner, which chooses the domain: the members are attached to the domains `on`.
    Owner { ownership: OwnershipId, on: OnInstances },
}

impl Group {
    /// Number.
    pub fn id(&self) -> GroupId {
        self.id
    }

    /// Members in the order in which they joined.
    pub fn members(&self) -> &[DeviceId] {
        &self.members
    }

    /// Type of the default domain, once there is one.
    pub fn domain_type(&self) -> Option<DomainType> {
        self.default_domain.as_ref().map(|domain| domain.domain_type)
    }

    /// Domains to which the members are attached, or will be: the default domain, or the owner's choice.
    pub fn domains(&self) -> &[(InstanceId, DomainHandle)] {
        match &self.users {
            Users::Drivers(_) => self.default_domains(),
            Users::Owner { on, .. } => on,
        }
    }

    /// The default domain on each instance.
    pub(crate) fn default_domains(&self) -> &[(InstanceId, DomainHandle)] {
        self.default_domain.as_ref().map_or(&[], |domain| &domain.on)
    }

    /// A lease on the default domain.
    pub(crate) fn lease(&self) -> Option<Lease> {
        self.default_domain.as_ref().map(|domain| domain.lessor.lease())
    }

    /// The domain on an instance to which the members are attached.
    pub(crate) fn domain_on(&self, instance: InstanceId) -> Option<DomainHandle> {
        on_instance(self.domains(), instance)
    }

    /// The default domain on an instance.
    pub(crate) fn default_domain_on(&self, instance: InstanceId) -> Option<DomainHandle> {
        on_instance(self.default_domains(), instance)
    }

    /// Whether it has a default domain.
    pub(crate) fn has_domain(&self) -> bool {
        self.default_domain.is_some()
    }

    /// Whether it holds devices of several isolation classes.
    pub(crate) fn is_linked(&self) -> bool {
        self.classes.len() > 1
    }

    /// Bound drivers that use the default domain; none while the group is claimed.
    pub fn owners(&self) -> u32 {
        match self.users {
            Users::Drivers(count) => count,
            Users::Owner { .. } => 0,
        }
    }

    /// The ownership under which the group is claimed, if it is.
    pub(crate) fn ownership(&self) -> Option<OwnershipId> {
        match self.users {
            Users::Drivers(_) => None,
            Users::Owner { ownership, .. } => Some(ownership),
        }
    }
}

/// The domain on one of several instances.
pub(crate) fn on_instance(
    domains: &[(InstanceId, DomainHandle)],
    instance: InstanceId,
) -> Option<DomainHandle> {
    domains.iter().find(|(on, _)| *on == instance).map(|(_, domain)| *domain)
}

/// All groups, by number and by isolation class.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    /// By number.
    groups: Vec<Option<Group>>,
    by_class: SortedMap<(BusId, Unit), GroupId>,
    /// Numbers in `groups` that are free.
    free: BTreeSet<u32>,
    losses: u64,
}

/// # Panics
///
/// If there is no such group.
impl Index<GroupId> for Groups {
    type Output = Group;

    fn index(&self, id: GroupId) -> &Group {
        self.groups[id.0 as usize].as_ref().expect("a group ID is held only while its group exists")
    }
}

impl Groups {
    /// Makes a group under the lowest free number.
    pub(crate) fn create(&mut self) -> GroupId {
        let free = self.free.pop_first().unwrap_or_else(|| {
            self.groups.push(None);
            number(self.groups.len() - 1)
        });
        let id = GroupId(free);
        let (members, classes) = (Vec::new(), Vec::new());
        let group = Group { id, members, classes, default_domain: None, users: Users::Drivers(0) };
        self.groups[free as usize] = Some(group);
        id
    }

    /// Removes an empty group and its entries by isolation class.
    pub(crate) fn remove(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get_mut(id.0 as usize).and_then(Option::take) {
            for class in group.classes {
                if self.by_class.get(class) == Some(&id) {
                    self.by_class.remove(class);
                }
            }
            self.free.insert(id.0);
        }
    }

    pub(crate) fn of_class(&self, class: (BusId, Unit)) -> Option<GroupId> {
        self.by_class.get(class).copied()
    }

    /// Notes that devices of isolation class `class` belong to group `id`.
    pub(crate) fn add_class(&mut self, id: GroupId, class: (BusId, Unit)) {
        let is_new = self.by_class.get(class) != Some(&id);
        *self.by_class.get_or_insert(class, id) = id;
        if is_new {
            self.get_mut(id).classes.push(class);
        }
    }

    /// No member of isolation class `class` is left in group `id`.
    pub(crate) fn remove_class(&mut self, id: GroupId, class: (BusId, Unit)) {
        if self.by_class.get(class) == Some(&id) {
            self.by_class.remove(class);
        }
        self.get_mut(id).classes.retain(|other| *other != class);
    }

    pub(crate) fn contains(&self, id: GroupId) -> bool {
        self.groups.get(id.0 as usize).is_some_and(Option::is_some)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().flatten()
    }

    /// Makes a device the last member of a group.
    pub(crate) fn add_member(&mut self, id: GroupId, device: DeviceId) {
        self.get_mut(id).members.push(device);
    }

    /// Takes a member out of a group; `owned` is the group whose owner its driver was. True if no member is left.
    pub(crate) fn remove_member(&mut self, id: GroupId, device: DeviceId, owned: Option<GroupId>) -> bool {
        self.remove_owner(owned.filter(|owned| *owned == id));
        let group = self.get_mut(id);
        group.members.retain(|member| *member != device);
        group.members.is_empty()
    }

    /// Counts a device that has left its group although its own IOMMU did not refuse it.
    pub(crate) fn count_loss(&mut self) {
        self.losses += 1;
    }

    /// The number of such devices.
    pub(crate) fn losses(&self) -> u64 {
        self.losses
    }

    /// Gives a group a default domain, which is on no instance yet.
    pub(crate) fn begin_default_domain(&mut self, id: GroupId, domain_type: DomainType) {
        self.get_mut(id).default_domain =
            Some(DefaultDomain { domain_type, on: Vec::new(), lessor: Lessor::default() });
    }

    /// The default domain of a group is on one more instance, and of this type.
    pub(crate) fn add_domain(
        &mut self,
        id: GroupId,
        domain_type: DomainType,
        on: (InstanceId, DomainHandle),
    ) {
        if let Some(default_domain) = &mut self.get_mut(id).default_domain {
            default_domain.domain_type = domain_type;
            default_domain.on.push(on);
        }
    }

    /// Gives a group another default domain; returns the one that it had on each instance.
    pub(crate) fn replace_default_domain(
        &mut self,
        id: GroupId,
        domain_type: DomainType,
        on: OnInstances,
    ) -> OnInstances {
        let new = DefaultDomain { domain_type, on, lessor: Lessor::default() };
        self.get_mut(id).default_domain.replace(new).map_or(Vec::new(), |old| old.on)
    }

    /// The default domain is of another type from now on, and stays the same domain.
    pub(crate) fn set_domain_type(&mut self, id: GroupId, domain_type: DomainType) {
        if let Some(domain) = &mut self.get_mut(id).default_domain {
            domain.domain_type = domain_type;
        }
    }

    /// Takes the default domain of a group on instances that are not `used` any more.
    pub(crate) fn take_unused_domains(&mut self, id: GroupId, used: &BTreeSet<InstanceId>) -> OnInstances {
        let group = self.get_mut(id);
        if let Users::Owner { on, .. } = &mut group.users {
            on.retain(|(instance, _)| used.contains(instance));
        }
        match &mut group.default_domain {
            Some(domain) => domain.on.extract_if(.., |(instance, _)| !used.contains(instance)).collect(),
            None => Vec::new(),
        }
    }

    /// Takes the default domain of a group on all instances.
    pub(crate) fn take_domains(&mut self, id: GroupId) -> OnInstances {
        mem::take(&mut self.get_mut(id).default_domain).map_or(Vec::new(), |domain| domain.on)
    }

    /// Counts one more user of a group's default domain (Linux: `iommu_device_use_default_domain`).
    ///
    /// # Errors
    ///
    /// The group is claimed.
    pub(crate) fn add_owner(&mut self, group: Option<GroupId>) -> Result<(), OwnershipId> {
        match group.map(|id| &mut self.get_mut(id).users) {
            Some(Users::Drivers(count)) => *count += 1,
            Some(Users::Owner { ownership, .. }) => return Err(*ownership),
            None => {}
        }
        Ok(())
    }

    /// Counts one less. The group may be gone by now.
    pub(crate) fn remove_owner(&mut self, group: Option<GroupId>) {
        if let Some(id) = group.filter(|id| self.contains(*id))
            && let Users::Drivers(count) = &mut self.get_mut(id).users
        {
            *count = count.saturating_sub(1);
        }
    }

    /// A group belongs to an ownership, and its members are attached to the domains `on`.
    pub(crate) fn claim(&mut self, id: GroupId, ownership: OwnershipId, on: OnInstances) {
        self.get_mut(id).users = Users::Owner { ownership, on };
    }

    /// The members of a claimed group that are behind one more instance are attached to this domain there.
    pub(crate) fn add_owned_domain(&mut self, id: GroupId, domain: (InstanceId, DomainHandle)) {
        if let Users::Owner { on, .. } = &mut self.get_mut(id).users {
            on.push(domain);
        }
    }

    /// A group is not claimed any more.
    pub(crate) fn release(&mut self, id: GroupId) {
        self.get_mut(id).users = Users::Drivers(0);
    }

    /// The groups that are claimed under an ownership.
    pub(crate) fn owned_by(&self, ownership: OwnershipId) -> Vec<GroupId> {
        self.iter().filter(|group| group.ownership() == Some(ownership)).map(Group::id).collect()
    }

    /// One more than the largest number that was given out.
    pub(crate) fn numbers(&self) -> usize {
        self.groups.len()
    }

    /// Whether the numbers in use and the free ones together are all numbers given out so far.
    pub(crate) fn numbers_are_complete(&self) -> bool {
        let unused = self.groups.iter().filter(|group| group.is_none()).count();
        self.free.len() == unused && self.free.iter().all(|free| !self.contains(GroupId(*free)))
    }

    fn get_mut(&mut self, id: GroupId) -> &mut Group {
        self.groups[id.0 as usize].as_mut().expect("a group ID is held only while its group exists")
    }

    /// A defect for the test of invariant I7.
    #[cfg(test)]
    pub(crate) fn pass_over_a_number(&mut self) {
        self.groups.push(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_given_out() {
        let mut groups = Groups::default();
        let ids: Vec<u32> = (0..4).map(|_| groups.create().0).collect();
        assert_eq!(ids, [0, 1, 2, 3]);
        groups.remove(GroupId(1));
        groups.remove(GroupId(2));
        assert_eq!(groups.create(), GroupId(1));
        assert_eq!(groups.create(), GroupId(2));
        assert_eq!(groups.create(), GroupId(4));
    }
}
