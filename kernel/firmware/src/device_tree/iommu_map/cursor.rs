//! The cells of a property, one entry after the other.

use crate::device_tree::tree::NodeIndex;

use super::stop::StopCause;

/// A cell as it stands in the blob, in no particular alignment.
pub(super) type Cell = [u8; 4];

pub(super) fn get(cell: Cell) -> u32 {
    u32::from_be_bytes(cell)
}

/// The cells of a property that have not been read yet.
pub(super) struct Cursor<'c> {
    pub(super) cells: &'c [Cell],
}

impl<'c> Cursor<'c> {
    pub(super) fn over(value: &'c [u8]) -> Result<Self, StopCause> {
        match value.as_chunks() {
            (cells, []) => Ok(Self { cells }),
            _ => Err(StopCause::Cells(value.len())),
        }
    }

    /// The next cells, of an entry for `target`.
    pub(super) fn take(
        &mut self,
        needed: usize,
        target: Option<(NodeIndex, usize)>,
    ) -> Result<&'c [Cell], StopCause> {
        let left = self.cells.len();
        let cut = StopCause::Cut { left, needed, target };
        let (taken, rest) = self.cells.split_at_checked(needed).ok_or(cut)?;
        self.cells = rest;
        Ok(taken)
    }
}
