//! What ends the reading of a map or a list before its end.

use alloc::format;
use alloc::string::String;

use crate::device_tree::tree::NodeIndex;

use super::property::{IOMMU_CELLS, IOMMUS, MAX_ENTRIES, MAX_SPECIFIER_CELLS};

/// An entry that cannot be read or must not be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::device_tree) struct Stop {
    /// Its number in the property, from 0.
    pub(in crate::device_tree) entry: usize,
    pub(in crate::device_tree) cause: StopCause,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::device_tree) enum StopCause {
    /// The property is not a whole number of cells.
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
    pub(super) fn target(&self) -> Option<NodeIndex> {
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
    pub(in crate::device_tree) fn id(&self, name: &str) -> &'static str {
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
    pub(in crate::device_tree) fn sentence(&self, path: impl Fn(NodeIndex) -> String) -> String {
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
