//! A model of the domain: which addresses a device reaches, unit by unit.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use addr::{Iova, PhysAddr, Range};
use probe::{Mapping, Prot, Refusal, RefusalCause};

use crate::Translate;

/// Where a unit leads to, and how.
pub(super) type Entry = (PhysAddr, bool, bool);

/// What a device reaches: by address of the unit.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) units: BTreeMap<Iova, Entry>,
    /// Requests so far.
    pub(super) maps: usize,
    pub(super) unmaps: usize,
    /// Calls that removed something.
    pub(super) batches: usize,
    /// The refusal of each further request to map, and to unmap.
    pub(super) map_refusal: Option<RefusalCause>,
    pub(super) unmap_refusal: Option<RefusalCause>,
}

/// An IOMMU that keeps its tables outside of the address space, for the test to read.
#[derive(Clone)]
pub(super) struct Model {
    pub(super) tables: Rc<RefCell<Tables>>,
    pub(super) granule: u64,
    pub(super) aperture: Range<Iova>,
}

pub(super) fn range(start: u64, end: u64) -> Range<Iova> {
    Range::new(Iova(start), Iova(end)).unwrap()
}

pub(super) fn ram(start: u64, size: u64) -> Range<PhysAddr> {
    Range::from_size(PhysAddr(start), size).unwrap()
}

fn refusal(cause: RefusalCause) -> Refusal {
    Refusal { cause, endpoint: None, detail: format!("refused: {cause}") }
}

impl Model {
    pub(super) fn new(granule: u64, aperture: Range<Iova>) -> Self {
        Self { tables: Rc::default(), granule, aperture }
    }

    /// The physical address that an access reaches, as the device would.
    pub(super) fn read(&self, at: u64) -> Option<u64> {
        self.access(at, |(_, read, _)| read)
    }

    pub(super) fn write(&self, at: u64) -> Option<u64> {
        self.access(at, |(_, _, write)| write)
    }

    fn access(&self, at: u64, allowed: impl Fn(Entry) -> bool) -> Option<u64> {
        let unit = at & !(self.granule - 1);
        let entry = *self.tables.borrow().units.get(&Iova(unit))?;
        allowed(entry).then(|| entry.0.0 + (at - unit))
    }

    fn units(&self, range: Range<Iova>) -> impl Iterator<Item = Iova> + use<> {
        assert!(range.start().0.is_multiple_of(self.granule), "{range} begins at a granule");
        assert!(range.size().is_multiple_of(self.granule), "{range} ends at a granule");
        assert!(self.aperture.encloses(&range), "{range} lies in the aperture {}", self.aperture);
        let granule = self.granule;
        (0..range.size() / granule).map(move |unit| Iova(range.start().0 + unit * granule))
    }
}

impl Translate for Model {
    fn granule(&self) -> Option<u64> {
        Some(self.granule)
    }

    fn aperture(&self) -> Option<Range<Iova>> {
        Some(self.aperture)
    }

    fn map_all(&mut self, mappings: &[Mapping]) -> Vec<Result<(), Refusal>> {
        let map_one = |mapping: &Mapping| {
            let Mapping { iova, phys, prot: Prot { read, write, .. } } = *mapping;
            let mut tables = self.tables.borrow_mut();
            tables.maps += 1;
            if let Some(cause) = tables.map_refusal {
                return Err(refusal(cause));
            }
            assert!(phys.0.is_multiple_of(self.granule), "{phys} is a multiple of the granule");
            for (unit, at) in self.units(iova).enumerate() {
                let entry = (PhysAddr(phys.0 + unit as u64 * self.granule), read, write);
                let earlier = tables.units.insert(at, entry);
                assert_eq!(earlier, None, "{at} is mapped twice");
            }
            Ok(())
        };
        mappings.iter().map(map_one).collect()
    }

    fn unmap_all(&mut self, ranges: &[Range<Iova>]) -> Vec<Result<(), Refusal>> {
        self.tables.borrow_mut().batches += 1;
        let unmap_one = |range: &Range<Iova>| {
            let mut tables = self.tables.borrow_mut();
            tables.unmaps += 1;
            if let Some(cause) = tables.unmap_refusal {
                return Err(refusal(cause));
            }
            for at in self.units(*range) {
                assert!(tables.units.remove(&at).is_some(), "{at} is mapped");
            }
            Ok(())
        };
        ranges.iter().map(unmap_one).collect()
    }
}
