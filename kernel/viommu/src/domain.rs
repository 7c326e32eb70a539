//! What the driver knows of its domains, and which endpoint is in which.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use addr::{EndpointId, Iova, PhysAddr, Range};

use crate::by_endpoint::ByEndpoint;

/// One mapping of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) iova: Range<Iova>,
    pub(crate) phys: PhysAddr,
    pub(crate) flags: u32,
}

/// How a domain translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Translation {
    /// By the mappings that were asked for.
    Paging,
    /// One to one, by mappings that the driver makes, because the device cannot bypass a domain.
    MappedIdentity,
    /// Not at all: attached with the bypass flag. All users share the one domain.
    Bypass {
        /// How often it was given out.
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

    /// The mappings that share an address with `range`, by address.
    pub(crate) fn overlapping(&self, range: Range<Iova>) -> Vec<Mapping> {
        // Mappings do not overlap each other, so only the last one before `range` can reach into it.
        let before = self.mappings.range(..range.start()).next_back();
        let inside = self.mappings.range(range.start()..=range.end());
        before.into_iter().chain(inside).map(|(_, m)| *m).filter(|m| m.iova.overlaps(&range)).collect()
    }

    pub(crate) fn insert(&mut self, mapping: Mapping) {
        self.mappings.insert(mapping.iova.start(), mapping);
    }

    pub(crate) fn remove(&mut self, mapping: &Mapping) {
        self.mappings.remove(&mapping.iova.start());
    }
}

/// All domains of the instance, and where each endpoint is.
#[derive(Debug)]
pub(crate) struct Domains {
    /// By ID, ascending. A vector, as a map costs the emulator more to translate than searching one costs the guest.
    table: Vec<(u32, Domain)>,
    home: ByEndpoint<u32>,
    /// The domain with the bypass flag, where the device has the feature.
    bypass_id: Option<u32>,
    /// IDs that were used and are free again; all below `unused`.
    freed: BTreeSet<u32>,
    /// The lowest ID never used; beyond 32 bits when there is none.
    unused: u64,
    last: u32,
}

impl Domains {
    /// No domains yet, IDs from `range`, both ends included.
    ///
    /// With `bypass` the first ID is that of the bypass domain and never another's, as in Linux
    /// (`viommu_probe`): with QEMU the identity domain is 0 and paging domains are 1, 2, 3.
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

    pub(crate) fn get(&self, id: u32) -> Option<&Domain> {
        let place = self.place(id).ok()?;
        Some(&self.table[place].1)
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut Domain> {
        let place = self.place(id).ok()?;
        Some(&mut self.table[place].1)
    }

    /// Where a domain is in the table, or where it would be.
    fn place(&self, id: u32) -> Result<usize, usize> {
        self.table.binary_search_by_key(&id, |(id, _)| *id)
    }

    /// The domain with this ID, which is a new one if there is none yet.
    fn get_or_insert(&mut self, id: u32, translation: Translation) -> &mut Domain {
        let place = self.place(id).unwrap_or_else(|place| {
            let domain = Domain { translation, members: Vec::new(), mappings: BTreeMap::new() };
            self.table.insert(place, (id, domain));
            place
        });
        &mut self.table[place].1
    }

    /// How many domains there are.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// The domain that an endpoint is in.
    pub(crate) fn home(&self, endpoint: EndpointId) -> Option<u32> {
        self.home.get(endpoint).copied()
    }

    /// Records where an endpoint is from now on.
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

    /// The bypass domain once more, or `None` if the device has no bypass flag.
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

    /// Ends a domain, or one use of the bypass domain.
    ///
    /// # Errors
    ///
    /// Says what is in the way: there is no such domain, or an endpoint is in it.
    pub(crate) fn release(&mut self, id: u32) -> Result<(), &'static str> {
        let place = self.place(id).map_err(|_| "the domain does not exist")?;
        let domain = &mut self.table[place].1;
        if let Translation::Bypass { users } = &mut domain.translation
            && *users > 1
        {
            *users -= 1;
            return Ok(());
        }
        if domain.is_live() {
            return Err("an endpoint is still attached");
        }
        self.table.remove(place);
        if self.bypass_id != Some(id) {
            self.freed.insert(id);
        }
        Ok(())
    }
}
