//! `iommus`: the endpoints of a device in its own node.

use alloc::vec::Vec;

use crate::device_tree::tree::{NodeIndex, Tree};

use super::cursor::{Cursor, get};
use super::property::{IOMMU_CELLS, IOMMUS, MAX_ENTRIES};
use super::stop::{Stop, StopCause};

/// The IOMMUs in a device's own node: `iommus`.
#[derive(Clone, Debug)]
pub(in crate::device_tree) struct Iommus {
    /// IOMMU and endpoint, duplicates kept.
    pub(in crate::device_tree) entries: Vec<(NodeIndex, u32)>,
    /// What ends the list before its end.
    pub(in crate::device_tree) stop: Option<Stop>,
}

impl Iommus {
    /// The nodes that its entries lead to, and the one that ends it; each as often as it is named.
    pub(in crate::device_tree) fn targets(&self) -> impl Iterator<Item = NodeIndex> {
        let of_stop = self.stop.as_ref().and_then(Stop::target);
        self.entries.iter().map(|(target, _)| *target).chain(of_stop)
    }

    /// The list of `node`, if it has one.
    pub(in crate::device_tree) fn read(tree: &Tree, node: NodeIndex) -> Option<Self> {
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
