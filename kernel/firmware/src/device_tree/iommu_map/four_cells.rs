//! `iommu-map` as Linux up to 7.1 reads it: every entry has four cells, whatever `#iommu-cells` is (`of_map_id`).
//!
//! A map of another length is not read at all. An entry whose phandle does not exist costs the IDs in it, and no others.

use crate::device_tree::tree::{NodeIndex, Tree};

use super::cursor::get;
use super::map::{IommuMap, MapEntry, Missing};
use super::property::{IOMMU_MAP, MAX_ENTRIES};
use super::stop::{Stop, StopCause};

/// Cells of an entry: base, phandle, output base, length.
const CELLS: usize = 4;

impl IommuMap {
    /// The map of `node`, if it has one.
    pub(in crate::device_tree) fn read_four_cells(tree: &Tree, node: NodeIndex) -> Option<Self> {
        let value = tree.property(node, IOMMU_MAP)?;
        let mut map = Self::without_entries(tree, node);
        let (cells, odd_bytes) = value.as_chunks();
        let (entries, odd_cells) = cells.as_chunks::<CELLS>();
        if !odd_bytes.is_empty() || !odd_cells.is_empty() {
            map.stop = Some(Stop { entry: 0, cause: StopCause::NotFourCells(value.len()) });
            return Some(map);
        }
        for (number, entry) in entries.iter().enumerate() {
            let [base, phandle, output, length] = entry.map(get);
            let target = tree.by_phandle(phandle).ok_or(StopCause::Dangling(phandle));
            let is_outside = base & !map.mask != 0;
            let read = match target {
                _ if number >= MAX_ENTRIES => Err(StopCause::TooMany),
                Ok(target) if is_outside => Err(StopCause::OutsideMask { target, base, mask: map.mask }),
                Err(cause) if !is_outside => {
                    let stop = Stop { entry: number, cause };
                    map.missing.push(Missing { after: map.entries.len(), base, length, stop });
                    continue;
                }
                other => other,
            };
            match read {
                Ok(target) => {
                    let (is_single, is_wide_range) = (false, false);
                    map.entries.push(MapEntry { base, length, target, output, is_single, is_wide_range });
                }
                Err(cause) => {
                    map.stop = Some(Stop { entry: number, cause });
                    break;
                }
            }
        }
        Some(map)
    }
}
