//! `iommu-map`, `iommu-map-mask` and `iommus`: which endpoint of which IOMMU a device is.
//!
//! A map is decided entry by entry in the order of the property, and the first entry that a requester
//! ID falls into decides. So an entry that is malformed costs the IDs that reach it, and no others:
//! parsing ends there with a [`Stop`], which every ID that has not been decided before runs into
//! (Linux 7.2: `of_map_id`). Of `iommus` the entries before the malformed one count
//! (`of_iommu_configure_dev`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::tree::{NodeIndex, Tree};

/// Most entries of one map, and of one list of `iommus`, that are read.
pub(super) const MAX_ENTRIES: usize = 4_096;
/// Most cells of a specifier (Linux: `MAX_PHANDLE_ARGS`).
const MAX_SPECIFIER_CELLS: usize = 16;

/// What a node says of the IOMMUs of the devices on its bus: `iommu-map`.
#[derive(Clone, Debug)]
pub(super) struct IommuMap {
    /// Which bits of a requester ID count.
    pub(super) mask: u32,
    pub(super) entries: Vec<Entry>,
    /// Entries of the four-cell form whose target does not exist, in their order.
    pub(super) missing: Vec<Missing>,
    /// What ends the map before its end.
    pub(super) stop: Option<Stop>,
}

/// An entry that costs the requester IDs in it, and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// How many of [`IommuMap::entries`] come before it.
    pub(super) after: usize,
    /// First masked requester ID.
    pub(super) base: u32,
    /// How many.
    pub(super) length: u32,
    pub(super) stop: Stop,
}

/// One entry of an `iommu-map`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// First masked requester ID.
    pub(super) base: u32,
    /// How many.
    pub(super) length: u32,
    pub(super) target: NodeIndex,
    /// Endpoint of the first; one cell of the specifier, as the IOMMU's driver reads it.
    pub(super) output: u32,
    /// Whether outputs have no cell: then all IDs are the one endpoint that the IOMMU has.
    pub(super) is_single: bool,
    /// A range of more than one ID whose outputs have more than one cell: it has no meaning.
    pub(super) is_wide_range: bool,
}

impl Missing {
    fn contains(&self, masked: u32) -> bool {
        masked >= self.base && masked - self.base < self.length
    }
}

impl Entry {
    pub(super) fn contains(&self, masked: u32) -> bool {
        masked >= self.base && masked - self.base < self.length
    }

    /// Last masked requester ID; none if the entry is empty.
    pub(super) fn last(&self) -> Option<u64> {
        (self.length > 0).then(|| u64::from(self.base) + u64::from(self.length) - 1)
    }
}

/// An entry that cannot be read or must not be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    /// Its number in the property, from 0.
    pub(super) entry: usize,
    pub(super) cause: StopCause,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopCause {
    /// The property is no whole number of cells.
    Cells(usize),
    /// The property is not a whole number of entries of four cells; it has this many bytes.
    NotFourCells(usize),
    /// The property ends inside the entry; its target and that one's cells, as far as they can be read.
    Cut { left: usize, needed: usize, target: Option<(NodeIndex, usize)> },
    /// No node has this phandle.
    Dangling(u32),
    /// The target's specifiers have more cells than can be.
    SpecifierCells { target: NodeIndex, cells: u32 },
    /// A node without `#iommu-cells` is named by `iommus`.
    NotIommu(NodeIndex),
    /// Bits of the entry's base are not in the mask, so that no ID can be meant.
    OutsideMask { target: NodeIndex, base: u32, mask: u32 },
    /// More entries than are read.
    TooMany,
}

impl Stop {
    /// The node that the entry refers to all the same.
    fn target(&self) -> Option<NodeIndex> {
        match self.cause {
            StopCause::OutsideMask { target, .. }
            | StopCause::SpecifierCells { target, .. }
            | StopCause::Cut { target: Some((target, _)), .. } => Some(target),
            _ => None,
        }
    }
}

impl StopCause {
    /// The finding's stable word, in the property `name`.
    pub(super) fn id(&self, name: &str) -> &'static str {
        match (self, name) {
            (Self::Dangling(_), IOMMUS) => "iommus-dangling",
            (Self::Dangling(_), _) => "iommu-map-dangling",
            (Self::NotIommu(_), _) => "target-not-iommu",
            (Self::OutsideMask { .. }, _) => "iommu-map-outside-mask",
            (_, IOMMUS) => "iommus-malformed",
            _ => "iommu-map-malformed",
        }
    }

    /// What is wrong and what was expected; `path` returns a node's path.
    pub(super) fn sentence(&self, path: impl Fn(NodeIndex) -> String) -> String {
        match *self {
            Self::NotFourCells(bytes) => {
                format!(
                    "the value is {bytes} bytes long, expected entries of 16 bytes as this Linux reads them"
                )
            }
            Self::Cells(bytes) => format!("the value is {bytes} bytes long, expected whole cells of 4 bytes"),
            Self::Cut { left, needed, target: None } => {
                format!("the value ends after {left} of at least {needed} cells")
            }
            Self::Cut { left, needed, target: Some((target, cells)) } => format!(
                "the value ends after {left} of {needed} cells ({} has {IOMMU_CELLS} {cells})",
                path(target)
            ),
            Self::Dangling(phandle) => {
                format!("phandle {phandle:#x} does not refer to any node")
            }
            Self::SpecifierCells { target, cells } => {
                let target = path(target);
                format!("{target} has #iommu-cells {cells}, expected at most {MAX_SPECIFIER_CELLS}")
            }
            Self::NotIommu(target) => {
                format!("{} has no {IOMMU_CELLS}, so the entry cannot be read", path(target))
            }
            Self::OutsideMask { base, mask, .. } => {
                format!("requester ID base {base:#x} has bits outside iommu-map-mask {mask:#x}")
            }
            Self::TooMany => format!("there are more than {MAX_ENTRIES} entries"),
        }
    }
}

pub(super) const IOMMU_MAP: &str = "iommu-map";
pub(super) const IOMMU_MAP_MASK: &str = "iommu-map-mask";
pub(super) const IOMMUS: &str = "iommus";
pub(super) const IOMMU_CELLS: &str = "#iommu-cells";

/// Where a map leads one requester ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MapLookup<'a> {
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
    pub(super) fn read(tree: &Tree, node: NodeIndex) -> Option<Self> {
        let value = tree.property(node, IOMMU_MAP)?;
        let mut map = Self::without_entries(tree, node);
        match Cursor::over(value) {
            Ok(cursor) => map.read_entries(tree, cursor),
            Err(cause) => map.stop = Some(Stop { entry: 0, cause }),
        }
        Some(map)
    }

    /// A map that has its mask alone.
    pub(super) fn without_entries(tree: &Tree, node: NodeIndex) -> Self {
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

    fn read_entry(&self, tree: &Tree, cursor: &mut Cursor, one_cell: bool) -> Result<Entry, StopCause> {
        const FIXED: usize = 3;
        let target = match cursor.cells {
            [_, phandle, ..] => tree.by_phandle(get(*phandle)).ok_or(StopCause::Dangling(get(*phandle)))?,
            _ => return Err(StopCause::Cut { left: cursor.cells.len(), needed: FIXED, target: None }),
        };
        let outputs = if one_cell { 1 } else { specifier_cells(tree, target)?.unwrap_or(1) };
        let cells = cursor.take(FIXED + outputs, Some((target, outputs)))?;
        let (base, length) = (get(cells[0]), get(cells[FIXED + outputs - 1]));
        if base & !self.mask != 0 {
            return Err(StopCause::OutsideMask { target, base, mask: self.mask });
        }
        // A driver that wants a cell still looks at the first, which is 0 then.
        let output = if outputs > 0 { get(cells[2]) } else { 0 };
        let (is_single, is_wide_range) = (outputs == 0, outputs > 1 && length > 1);
        Ok(Entry { base, length, target, output, is_single, is_wide_range })
    }

    /// The nodes that its entries lead to; each as often as it is named.
    pub(super) fn targets(&self) -> impl Iterator<Item = NodeIndex> {
        let of_stop = self.stop.as_ref().and_then(Stop::target);
        self.entries.iter().map(|entry| entry.target).chain(of_stop)
    }

    /// Where `requester` leads.
    pub(super) fn look_up(&self, requester: u32) -> MapLookup<'_> {
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

/// What a device itself says of its IOMMUs: `iommus`.
#[derive(Clone, Debug)]
pub(super) struct Iommus {
    /// IOMMU and endpoint, duplicates kept.
    pub(super) entries: Vec<(NodeIndex, u32)>,
    /// What ends the list before its end.
    pub(super) stop: Option<Stop>,
}

impl Iommus {
    /// The nodes that its entries lead to, and the one that ends it; each as often as it is named.
    pub(super) fn targets(&self) -> impl Iterator<Item = NodeIndex> {
        let of_stop = self.stop.as_ref().and_then(Stop::target);
        self.entries.iter().map(|(target, _)| *target).chain(of_stop)
    }

    /// The list of `node`, if it has one.
    pub(super) fn read(tree: &Tree, node: NodeIndex) -> Option<Self> {
        let value = tree.property(node, IOMMUS)?;
        let mut list = Self { entries: Vec::new(), stop: None };
        let (cells, rest) = value.as_chunks();
        let mut cursor = Cursor { cells };
        let cause = loop {
            if cursor.cells.is_empty() {
                break (!rest.is_empty()).then_some(StopCause::Cells(value.len()));
            }
            if list.entries.len() >= MAX_ENTRIES {
                break Some(StopCause::TooMany);
            }
            match Self::read_entry(tree, &mut cursor) {
                Ok(entry) => list.entries.push(entry),
                Err(cause) => break Some(cause),
            }
        };
        list.stop = cause.map(|cause| Stop { entry: list.entries.len(), cause });
        Some(list)
    }

    fn read_entry(tree: &Tree, cursor: &mut Cursor) -> Result<(NodeIndex, u32), StopCause> {
        let phandle = get(cursor.take(1, None)?[0]);
        let target = tree.by_phandle(phandle).ok_or(StopCause::Dangling(phandle))?;
        // As many as there are: the first alone is looked at.
        let cells = tree.number(target, IOMMU_CELLS).ok_or(StopCause::NotIommu(target))? as usize;
        let specifier = cursor.take(cells, Some((target, cells)))?;
        Ok((target, specifier.first().map_or(0, |cell| get(*cell))))
    }
}

/// Cells of a specifier of `target`, if it says so.
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

/// A cell as it stands in the blob, in no particular alignment.
type Cell = [u8; 4];

pub(super) fn get(cell: Cell) -> u32 {
    u32::from_be_bytes(cell)
}

/// The cells of a property that have not been read yet.
struct Cursor<'c> {
    cells: &'c [Cell],
}

impl<'c> Cursor<'c> {
    fn over(value: &'c [u8]) -> Result<Self, StopCause> {
        match value.as_chunks() {
            (cells, []) => Ok(Self { cells }),
            _ => Err(StopCause::Cells(value.len())),
        }
    }

    /// The next cells, of an entry for `target`.
    fn take(&mut self, needed: usize, target: Option<(NodeIndex, usize)>) -> Result<&'c [Cell], StopCause> {
        let left = self.cells.len();
        let cut = StopCause::Cut { left, needed, target };
        let (taken, rest) = self.cells.split_at_checked(needed).ok_or(cut)?;
        self.cells = rest;
        Ok(taken)
    }
}
