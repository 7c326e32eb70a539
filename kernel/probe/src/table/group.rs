//! IOMMU groups: what cannot be isolated from each other shares one, and one default domain.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;

use addr::{Iova, Range};

use crate::core::BusId;
use crate::table::device::DeviceId;
use crate::table::instance::InstanceId;
use crate::traits::bus::Unit;
use crate::traits::iommu::{DomainHandle, ReservedRegion};

/// A group's number; the lowest free one when it was made (invariant I7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Type of a group's default domain, in the words of Linux's `type` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DomainType {
    /// Translated, invalidations flushed at once.
    Dma,
    /// Translated, invalidations flushed late.
    DmaFq,
    /// Untranslated.
    Identity,
}

impl DomainType {
    /// The word in the report.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dma => "DMA",
            Self::DmaFq => "DMA-FQ",
            Self::Identity => "identity",
        }
    }
}

/// One group.
#[derive(Clone, Debug, Hash)]
pub struct Group {
    pub(crate) id: GroupId,
    pub(crate) members: Vec<DeviceId>,
    /// Isolation classes that are in this group; more than one if firmware gives two of them one endpoint.
    pub(crate) classes: Vec<(BusId, Unit)>,
    pub(crate) default_domain: Option<DefaultDomain>,
    /// Bound drivers that use the default domain (Linux: `owner_cnt`).
    pub(crate) owners: u32,
}

/// A group's default domain: of one type, with one domain on each instance that a member is behind.
#[derive(Clone, Debug, Hash)]
pub(crate) struct DefaultDomain {
    pub(crate) kind: DomainType,
    pub(crate) on: Vec<(InstanceId, DomainHandle)>,
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
        self.default_domain.as_ref().map(|domain| domain.kind)
    }

    /// Domains of the group: which instance, and the domain there.
    pub fn domains(&self) -> &[(InstanceId, DomainHandle)] {
        self.default_domain.as_ref().map_or(&[], |domain| &domain.on)
    }

    /// Bound drivers that use the default domain.
    pub fn owners(&self) -> u32 {
        self.owners
    }
}

/// All groups, by number and by isolation class.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Groups {
    /// By number.
    groups: Vec<Option<Group>>,
    by_class: BTreeMap<(BusId, Unit), GroupId>,
    /// Numbers in `groups` that are free.
    free: BTreeSet<u32>,
}

impl Groups {
    /// Makes a group under the lowest free number.
    pub(crate) fn create(&mut self) -> GroupId {
        let number = self.free.pop_first().unwrap_or_else(|| {
            self.groups.push(None);
            self.groups.len() as u32 - 1
        });
        let id = GroupId(number);
        let group = Group { id, members: Vec::new(), classes: Vec::new(), default_domain: None, owners: 0 };
        self.groups[number as usize] = Some(group);
        id
    }

    /// Removes an empty group and everything that led to it.
    pub(crate) fn remove(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get_mut(id.0 as usize).and_then(Option::take) {
            for class in group.classes {
                if self.by_class.get(&class) == Some(&id) {
                    self.by_class.remove(&class);
                }
            }
            self.free.insert(id.0);
        }
    }

    pub(crate) fn of_class(&self, class: (BusId, Unit)) -> Option<GroupId> {
        self.by_class.get(&class).copied()
    }

    /// Notes that devices of isolation class `class` belong to group `id`.
    pub(crate) fn add_class(&mut self, id: GroupId, class: (BusId, Unit)) {
        if self.by_class.insert(class, id) != Some(id) {
            self.get_mut(id).classes.push(class);
        }
    }

    /// No member of isolation class `class` is left in group `id`.
    pub(crate) fn remove_class(&mut self, id: GroupId, class: (BusId, Unit)) {
        if self.by_class.get(&class) == Some(&id) {
            self.by_class.remove(&class);
        }
        self.get_mut(id).classes.retain(|other| *other != class);
    }

    pub(crate) fn contains(&self, id: GroupId) -> bool {
        self.groups.get(id.0 as usize).is_some_and(Option::is_some)
    }

    pub(crate) fn get(&self, id: GroupId) -> &Group {
        self.groups[id.0 as usize].as_ref().expect("a group ID is held only while its group exists")
    }

    pub(crate) fn get_mut(&mut self, id: GroupId) -> &mut Group {
        self.groups[id.0 as usize].as_mut().expect("a group ID is held only while its group exists")
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

    /// A defect for the test of invariant I7.
    #[cfg(test)]
    pub(crate) fn pass_over_a_number(&mut self) {
        self.groups.push(None);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().flatten()
    }
}

/// Sorts reserved regions by start and joins those of one kind that touch or overlap, as Linux does for
/// `reserved_regions` (`iommu_insert_resv_region`).
pub(crate) fn merge_reserved(mut regions: Vec<ReservedRegion>) -> Vec<ReservedRegion> {
    regions.sort_by_key(|region| (region.range.start(), region.kind, region.range.end()));
    let mut merged: Vec<ReservedRegion> = Vec::with_capacity(regions.len());
    for region in regions {
        let touching = merged.iter_mut().rev().find(|earlier| {
            earlier.kind == region.kind && region.range.start().0 <= earlier.range.end().0.saturating_add(1)
        });
        match touching {
            Some(earlier) => earlier.range = span(earlier.range, region.range),
            None => merged.push(region),
        }
    }
    merged
}

fn span(a: Range<Iova>, b: Range<Iova>) -> Range<Iova> {
    Range::new(a.start().min(b.start()), a.end().max(b.end())).expect("both ranges are ordered")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traits::iommu::ReservedKind;

    fn region(start: u64, end: u64, kind: ReservedKind) -> ReservedRegion {
        ReservedRegion { range: Range::new(Iova(start), Iova(end)).unwrap(), kind }
    }

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

    #[test]
    fn touching_regions_of_one_kind_merge_and_others_do_not() {
        use ReservedKind::{Msi, Reserved};
        let merged = merge_reserved(alloc::vec![
            region(0x3000, 0x3fff, Msi),
            region(0x1000, 0x1fff, Msi),
            region(0x2000, 0x2fff, Msi),
            region(0x4000, 0x4fff, Reserved),
            region(0x6000, 0x6fff, Reserved),
        ]);
        assert_eq!(
            merged,
            [region(0x1000, 0x3fff, Msi), region(0x4000, 0x4fff, Reserved), region(0x6000, 0x6fff, Reserved)]
        );
    }

    #[test]
    fn a_region_at_the_end_of_the_address_space_does_not_wrap() {
        let last = region(u64::MAX - 0xfff, u64::MAX, ReservedKind::Msi);
        assert_eq!(merge_reserved(alloc::vec![last, last]), [last]);
    }
}
