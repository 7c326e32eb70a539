//! The driver's record of its domains and of their endpoints.

use alloc::collections::btree_map::Entry;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use addr::{EndpointId, Iova, PhysAddr, Range};

use crate::by_endpoint::ByEndpoint;
use crate::request::Request;

/// One mapping of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) iova: Range<Iova>,
    pub(crate) phys: PhysAddr,
    pub(crate) flags: u32,
}

impl Mapping {
    /// The request that makes it.
    pub(crate) fn request(&self, domain: u32) -> Request {
        let Self { iova, phys, flags } = *self;
        Request::Map { domain, iova, phys, flags }
    }
}

/// How a domain translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Translation {
    /// By the mappings that the caller requests.
    Paging,
    /// One to one, by mappings that the driver makes, because the device cannot bypass a domain.
    MappedIdentity,
    /// No translation: attached with the bypass flag. All users share one domain.
    Bypass {
        /// Number of users.
        users: usize,
    },
}

/// One domain. In the device it exists only while an endpoint is in it.
#[derive(Debug)]
pub(crate) struct Domain {
    pub(crate) translation: Translation,
    /// Ascending.
    members: Vec<EndpointId>,
    mappings: BTreeMap<Iova, Mapping>,
}

impl Domain {
    /// Whether the domain exists in the device.
    pub(crate) fn is_live(&self) -> bool {
        !self.members.is_empty()
    }

    /// The endpoints that are in it.
    pub(crate) fn members(&self) -> impl Iterator<Item = EndpointId> {
        self.members.iter().copied()
    }

    /// All mappings, by address.
    pub(crate) fn mappings(&self) -> impl Iterator<Item = Mapping> {
        self.mappings.values().copied()
    }

    /// A mapping that shares an address with `range`.
    pub(crate) fn overlapping(&self, range: Range<Iova>) -> Option<Mapping> {
        // Mappings do not overlap each other, so no other one reaches as far as the last that begins
        // before the end of `range`.
        let (_, last) = self.mappings.range(..=range.end()).next_back()?;
        last.iova.overlaps(&range).then_some(*last)
    }

    /// Inserts a mapping if it does not overlap another.
    ///
    /// `free` is the caller's for all calls in a row, and `None` for the first: a range without a mapping,
    /// so that mappings in ascending order cost one search.
    ///
    /// # Errors
    ///
    /// The mapping that it overlaps.
    pub(crate) fn insert_free(
        &mut self,
        mapping: Mapping,
        free: &mut Option<Range<Iova>>,
    ) -> Result<(), Mapping> {
        let iova = mapping.iova;
        let known = match *free {
            Some(known) if known.encloses(&iova) => known,
            _ => self.free_from(iova)?,
        };
        *free = iova.end().0.checked_add(1).and_then(|next| Range::new(Iova(next), known.end()));
        self.insert(mapping);
        Ok(())
    }

    /// The addresses from the start of `range` to the next mapping.
    fn free_from(&self, range: Range<Iova>) -> Result<Range<Iova>, Mapping> {
        if let Some(other) = self.overlapping(range) {
            return Err(other);
        }
        let next = self.mappings.range(range.end()..).next();
        let end = next.map_or(u64::MAX, |(start, _)| start.0 - 1);
        Ok(Range::new(range.start(), Iova(end)).unwrap_or(range))
    }

    pub(crate) fn insert(&mut self, mapping: Mapping) {
        self.mappings.insert(mapping.iova.start(), mapping);
    }

    pub(crate) fn remove(&mut self, mapping: &Mapping) {
        self.mappings.remove(&mapping.iova.start());
    }

    /// Removes the mappings in `range` and calls `removed` for each.
    ///
    /// # Errors
    ///
    /// A mapping that lies in `range` only in part; then nothing is removed.
    pub(crate) fn take_inside(
        &mut self,
        range: Range<Iova>,
        mut removed: impl FnMut(Mapping),
    ) -> Result<(), Mapping> {
        // The usual case: exactly one mapping.
        if let Entry::Occupied(entry) = self.mappings.entry(range.start())
            && entry.get().iova == range
        {
            removed(entry.remove());
            return Ok(());
        }
        let before = self.mappings.range(..range.start()).next_back();
        let last = self.mappings.range(..=range.end()).next_back();
        let split = |(_, mapping): &(&Iova, &Mapping)| {
            mapping.iova.overlaps(&range) && !range.encloses(&mapping.iova)
        };
        if let Some((_, mapping)) = before.into_iter().chain(last).find(split) {
            return Err(*mapping);
        }
        while let Some((start, _)) = self.mappings.range(range.start()..=range.end()).next() {
            let start = *start;
            self.mappings.remove(&start).into_iter().for_each(&mut removed);
        }
        Ok(())
    }
}

/// Why a domain was not freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReleaseError {
    #[error("the domain does not exist")]
    NoSuchDomain,
    #[error("an endpoint is still attached")]
    StillAttached,
}

/// All domains of the instance, and the domain of each endpoint.
#[derive(Debug)]
pub(crate) struct Domains {
    /// By ID, ascending. A vector because, in an emulator, the translation of a tree's code costs
    /// more than a search in a vector.
    table: Vec<(u32, Domain)>,
    home: ByEndpoint<u32>,
    /// The domain with the bypass flag, if the device has the feature.
    bypass_id: Option<u32>,
    /// IDs that were used and are free again; all below `unused`.
    freed: BTreeSet<u32>,
    /// The lowest ID never used; beyond 32 bits when there is none.
    unused: u64,
    last: u32,
}

impl Domains {
    /// A table without domains; IDs are from `range`, both ends included.
    ///
    /// With `bypass`, the first ID is reserved for the bypass domain, as in Linux (`viommu_probe`):
    /// with QEMU the identity domain is 0 and paging domains are 1, 2, 3.
    pub(crate) fn new(range: (u32, u32), bypass: bool) -> Self {
        let (first, last) = range;
        Self {
            table: Vec::new(),
            home: ByEndpoint::default(),
            bypass_id: bypass.then_some(first),
            freed: BTreeSet::new(),
            unused: u64::from(first) + u64::from(bypass),
            last,
        }
    }

    /// All domains, by ID.
    #[cfg(any(test, feature = "model"))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Domain)> {
        self.table.iter().map(|(id, domain)| (*id, domain))
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Domain> {
        let place = self.place(id).ok()?;
        Some(&self.table[place].1)
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut Domain> {
        let place = self.place(id).ok()?;
        Some(&mut self.table[place].1)
    }

    /// The index of a domain in the table, or the index at which to insert it.
    fn place(&self, id: u32) -> Result<usize, usize> {
        self.table.binary_search_by_key(&id, |(id, _)| *id)
    }

    /// The domain with this ID; it is created if it does not exist.
    fn get_or_insert(&mut self, id: u32, translation: Translation) -> &mut Domain {
        let place = self.place(id).unwrap_or_else(|place| {
            let domain = Domain { translation, members: Vec::new(), mappings: BTreeMap::new() };
            self.table.insert(place, (id, domain));
            place
        });
        &mut self.table[place].1
    }

    /// The number of domains.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// The domain that an endpoint is in.
    pub(crate) fn home(&self, endpoint: EndpointId) -> Option<u32> {
        self.home.get(endpoint).copied()
    }

    /// Records the new domain of an endpoint.
    pub(crate) fn settle(&mut self, endpoint: EndpointId, domain: Option<u32>) {
        if let Some(old) = self.home.remove(endpoint).and_then(|old| self.get_mut(old)) {
            old.members.retain(|member| *member != endpoint);
        }
        if let Some((id, new)) = domain.and_then(|id| Some((id, self.get_mut(id)?))) {
            if let Err(place) = new.members.binary_search(&endpoint) {
                new.members.insert(place, endpoint);
            }
            self.home.insert(endpoint, id);
        }
    }

    /// Adds a user to the bypass domain and returns its ID; `None` if the device does not have the
    /// bypass flag.
    pub(crate) fn share_bypass(&mut self) -> Option<u32> {
        let id = self.bypass_id?;
        let domain = self.get_or_insert(id, Translation::Bypass { users: 0 });
        if let Translation::Bypass { users } = &mut domain.translation {
            *users += 1;
        }
        Some(id)
    }

    /// A new domain with the lowest free ID, or `None` if there is none.
    pub(crate) fn create(&mut self, translation: Translation) -> Option<u32> {
        let id = match self.freed.pop_first() {
            Some(id) => id,
            None => {
                let id = u32::try_from(self.unused).ok().filter(|id| *id <= self.last)?;
                self.unused += 1;
                id
            }
        };
        self.get_or_insert(id, translation);
        Some(id)
    }

    /// Frees a domain, or removes one user of the bypass domain.
    ///
    /// # Errors
    ///
    /// See [`ReleaseError`]; nothing has changed.
    pub(crate) fn release(&mut self, id: u32) -> Result<(), ReleaseError> {
        let place = self.place(id).map_err(|_| ReleaseError::NoSuchDomain)?;
        let domain = &mut self.table[place].1;
        if let Translation::Bypass { users } = &mut domain.translation
            && *users > 1
        {
            *users -= 1;
            return Ok(());
        }
        if domain.is_live() {
            return Err(ReleaseError::StillAttached);
        }
        self.table.remove(place);
        if self.bypass_id != Some(id) {
            self.freed.insert(id);
        }
        Ok(())
    }
}
