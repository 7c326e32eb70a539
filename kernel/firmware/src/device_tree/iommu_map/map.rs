//! `iommu-map`: the endpoints of the devices on a bus, by requester ID.

use alloc::vec::Vec;

use crate::device_tree::tree::{NodeIndex, Tree};

use super::cursor::{Cell, Cursor, get};
use super::property::{IOMMU_CELLS, IOMMU_MAP, IOMMU_MAP_MASK, MAX_ENTRIES, MAX_SPECIFIER_CELLS};
use super::stop::{Stop, StopCause};

/// Cells of an entry beside its output: base, phandle, length.
const FIXED_CELLS: usize = 3;

/// The IOMMUs of the devices on a node's bus: `iommu-map`.
#[derive(Clone, Debug)]
pub(in crate::device_tree) struct IommuMap {
    /// Which bits of a requester ID count.
    pub(in crate::device_tree) mask: u32,
    pub(in crate::device_tree) entries: Vec<MapEntry>,
    /// Entries of the four-cell form whose target does not exist, in their order.
    pub(in crate::device_tree) missing: Vec<Missing>,
    /// What ends the map before its end.
    pub(in crate::device_tree) stop: Option<Stop>,
}

/// An entry that costs the requester IDs in it, and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::device_tree) struct Missing {
    /// How many of [`IommuMap::entries`] come before it.
    pub(in crate::device_tree) after: usize,
    /// First masked requester ID.
    pub(in crate::device_tree) base: u32,
    /// How many.
    pub(in crate::device_tree) length: u32,
    pub(in crate::device_tree) stop: Stop,
}

/// One entry of an `iommu-map`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::device_tree) struct MapEntry {
    /// First masked requester ID.
    pub(in crate::device_tree) base: u32,
    /// How many.
    pub(in crate::device_tree) length: u32,
    pub(in crate::device_tree) target: NodeIndex,
    /// Endpoint of the first; one cell of the specifier, as the IOMMU's driver reads it.
    pub(in crate::device_tree) output: u32,
    /// Whether outputs have no cell: then all IDs are the one endpoint that the IOMMU has.
    pub(in crate::device_tree) is_single: bool,
    /// A range of more than one ID whose outputs have more than one cell: it has no meaning.
    pub(in crate::device_tree) is_wide_range: bool,
}

impl Missing {
    fn contains(&self, masked: u32) -> bool {
        masked >= self.base && masked - self.base < self.length
    }
}

impl MapEntry {
    pub(in crate::device_tree) fn contains(&self, masked: u32) -> bool {
        masked >= self.base && masked - self.base < self.length
    }

    /// Last masked requester ID; none if the entry is empty.
    pub(in crate::device_tree) fn last(&self) -> Option<u64> {
        (self.length > 0).then(|| u64::from(self.base) + u64::from(self.length) - 1)
    }
}

/// Where a map leads one requester ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::device_tree) enum MapLookup<'a> {
    /// To this endpoint of this IOMMU.
    Endpoint { target: NodeIndex, endpoint: u32 },
    /// Into no entry.
    NotInMap,
    /// Into an entry that stops the search.
    Stopped(&'a Stop),
    /// Into the entry with this number, which is a range with outputs of several cells.
    WideRange(usize),
}

impl IommuMap {
    /// The map of `node`, if it has one.
    pub(in crate::device_tree) fn read(tree: &Tree, node: NodeIndex) -> Option<Self> {
        let value = tree.property(node, IOMMU_MAP)?;
        let mut map = Self::without_entries(tree, node);
        match Cursor::over(value) {
            Ok(cursor) => map.read_entries(tree, cursor),
            Err(cause) => map.stop = Some(Stop { entry: 0, cause }),
        }
        Some(map)
    }

    /// A map that has its mask alone.
    pub(in crate::device_tree) fn without_entries(tree: &Tree, node: NodeIndex) -> Self {
        // Linux reads the first cell, and takes all ones if there is none.
        let mask = tree.property(node, IOMMU_MAP_MASK).and_then(|mask| mask.first_chunk());
        let mask = mask.map_or(u32::MAX, |mask| u32::from_be_bytes(*mask));
        Self { mask, entries: Vec::new(), missing: Vec::new(), stop: None }
    }

    fn read_entries(&mut self, tree: &Tree, mut cursor: Cursor) {
        let one_cell = has_old_form(tree, cursor.cells);
        while !cursor.cells.is_empty() {
            let read = if self.entries.len() >= MAX_ENTRIES {
                Err(StopCause::TooMany)
            } else {
                self.read_entry(tree, &mut cursor, one_cell)
            };
            match read {
                Ok(entry) => self.entries.push(entry),
                Err(cause) => {
                    self.stop = Some(Stop { entry: self.entries.len(), cause });
                    return;
                }
            }
        }
    }

    fn read_entry(&self, tree: &Tree, cursor: &mut Cursor, one_cell: bool) -> Result<MapEntry, StopCause> {
        let target = match cursor.cells {
            [_, phandle, ..] => tree.by_phandle(get(*phandle)).ok_or(StopCause::Dangling(get(*phandle)))?,
            _ => return Err(StopCause::Cut { left: cursor.cells.len(), needed: FIXED_CELLS, target: None }),
        };
        let outputs = if one_cell { 1 } else { specifier_cells(tree, target)?.unwrap_or(1) };
        let cells = cursor.take(FIXED_CELLS + outputs, Some((target, outputs)))?;
        let (base, length) = (get(cells[0]), get(cells[FIXED_CELLS + outputs - 1]));
        if base & !self.mask != 0 {
            return Err(StopCause::OutsideMask { target, base, mask: self.mask });
        }
        // A driver that wants a cell still looks at the first, which is 0 then.
        let output = if outputs > 0 { get(cells[2]) } else { 0 };
        let (is_single, is_wide_range) = (outputs == 0, outputs > 1 && length > 1);
        Ok(MapEntry { base, length, target, output, is_single, is_wide_range })
    }

    /// The nodes that its entries lead to; each as often as it is named.
    pub(in crate::device_tree) fn targets(&self) -> impl Iterator<Item = NodeIndex> {
        let of_stop = self.stop.as_ref().and_then(Stop::target);
        self.entries.iter().map(|entry| entry.target).chain(of_stop)
    }

    /// How many cells each entry of `node`'s map has, in their order, as [`Self::read`] reads them.
    pub(in crate::device_tree) fn entry_cells(&self, tree: &Tree, node: NodeIndex) -> Vec<usize> {
        let value = tree.property(node, IOMMU_MAP).unwrap_or_default();
        let one_cell = has_old_form(tree, value.as_chunks().0);
        let outputs = |entry: &MapEntry| match specifier_cells(tree, entry.target) {
            Ok(Some(cells)) if !one_cell => cells,
            _ => 1,
        };
        self.entries.iter().map(|entry| FIXED_CELLS + outputs(entry)).collect()
    }

    /// Where `requester` leads.
    pub(in crate::device_tree) fn look_up(&self, requester: u32) -> MapLookup<'_> {
        let masked = requester & self.mask;
        let found = self.entries.iter().enumerate().find(|(_, entry)| entry.contains(masked));
        let missing = self.missing.iter().find(|missing| missing.contains(masked));
        if let Some(missing) = missing.filter(|missing| found.is_none_or(|(at, _)| missing.after <= at)) {
            return MapLookup::Stopped(&missing.stop);
        }
        match (found, &self.stop) {
            (Some((number, entry)), _) if entry.is_wide_range => MapLookup::WideRange(number),
            (Some((_, entry)), _) if entry.is_single => {
                MapLookup::Endpoint { target: entry.target, endpoint: entry.output }
            }
            (Some((_, entry)), _) => {
                // Linux adds without looking at the carry; a map that does this is a finding.
                let endpoint = entry.output.wrapping_add(masked - entry.base);
                MapLookup::Endpoint { target: entry.target, endpoint }
            }
            (None, Some(stop)) => MapLookup::Stopped(stop),
            (None, None) => MapLookup::NotInMap,
        }
    }
}

/// Cells of a specifier of `target`, if it specifies them.
fn specifier_cells(tree: &Tree, target: NodeIndex) -> Result<Option<usize>, StopCause> {
    match tree.number(target, IOMMU_CELLS) {
        None => Ok(None),
        Some(cells) if cells as usize > MAX_SPECIFIER_CELLS => {
            Err(StopCause::SpecifierCells { target, cells })
        }
        Some(cells) => Ok(Some(cells as usize)),
    }
}

/// Whether a map for an IOMMU with two cells is written with one, as old trees have it.
///
/// The sign of it is that the whole map reads as entries of four cells which all have the first one's
/// target, and length 1 (Linux 7.2: `of_check_bad_map`).
fn has_old_form(tree: &Tree, cells: &[Cell]) -> bool {
    let (entries, rest) = cells.as_chunks::<4>();
    let Some([_, phandle, ..]) = entries.first() else { return false };
    let target = tree.by_phandle(get(*phandle));
    let has_two_cells = target.is_some_and(|target| tree.number(target, IOMMU_CELLS) == Some(2));
    let is_alike = |entry: &[Cell; 4]| entry[1] == *phandle && get(entry[3]) == 1;
    has_two_cells && rest.is_empty() && entries.iter().all(is_alike)
}
