//! Errors that make a whole device tree unusable; what affects only one node is a finding instead.

use alloc::string::String;

use super::spec::{HEADER_SIZE, MAX_TOTAL_SIZE, VERSION, field};

/// Why a device tree blob does not describe the machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceTreeError {
    /// The bytes end inside the header.
    #[error("device tree: {given} bytes long, expected at least the {size} bytes of the header", size = HEADER_SIZE)]
    HeaderCut {
        /// Length of what was given.
        given: usize,
    },
    /// Not a device tree blob.
    #[error("device tree: byte 0x0: magic number is {found:#010x}, expected 0xd00dfeed")]
    Magic {
        /// The value found.
        found: u32,
    },
    /// The header's `totalsize` is impossible.
    #[error(
        "device tree: byte 0x4: totalsize is {total_size:#x}, expected {least:#x} to {most:#x}",
        least = HEADER_SIZE,
        most = MAX_TOTAL_SIZE
    )]
    TotalSize {
        /// The header's value.
        total_size: u32,
    },
    /// The bytes end before `totalsize`.
    #[error("device tree: byte 0x4: totalsize is {total_size:#x}, but only {given:#x} bytes were given")]
    Truncated {
        /// The header's value.
        total_size: usize,
        /// Length of what was given.
        given: usize,
    },
    /// The blob has an unsupported version.
    #[error(
        "device tree: byte 0x14: version {version}, compatible back to {last_compatible}; expected {known}",
        known = VERSION
    )]
    Version {
        /// The header's `version`.
        version: u32,
        /// The header's `last_comp_version`.
        last_compatible: u32,
    },
    /// A block exceeds the blob.
    #[error(
        "device tree: the {block} block at {offset:#x} (header byte {field:#x}) with {size:#x} bytes \
         does not fit into the blob of {limit:#x} bytes"
    )]
    Block {
        /// Which block.
        block: &'static str,
        /// Offset of the header field that contains its offset.
        field: usize,
        /// Its offset.
        offset: u32,
        /// Its length, or the minimum length.
        size: u32,
        /// Length of the blob.
        limit: usize,
    },
    /// The tokens of the structure block do not form a tree.
    #[error("device tree: byte {offset:#x}, in node {node}: {fault}")]
    Structure {
        /// Where in the blob.
        offset: usize,
        /// Path of the innermost open node.
        node: String,
        /// What is wrong.
        fault: StructureFault,
    },
    /// No usable RAM.
    #[error("device tree: no /memory node with usable RAM: {reason}")]
    NoMemory {
        /// What was expected, and what was found.
        reason: String,
    },
}

impl DeviceTreeError {
    /// Where in the blob the fault is, in bytes; none for a fault of the whole tree.
    #[must_use]
    pub fn offset(&self) -> Option<usize> {
        match self {
            Self::HeaderCut { given } => Some(*given),
            Self::Magic { .. } => Some(field::MAGIC),
            Self::TotalSize { .. } | Self::Truncated { .. } => Some(field::TOTAL_SIZE),
            Self::Version { .. } => Some(field::VERSION),
            Self::Block { field, .. } => Some(*field),
            Self::Structure { offset, .. } => Some(*offset),
            Self::NoMemory { .. } => None,
        }
    }
}

/// What is wrong with the structure block (Devicetree Specification 0.4, section 5.4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StructureFault {
    /// The block ends before the tree does.
    #[error("the structure block ends inside the tree")]
    Cut,
    /// An unknown token.
    #[error("token {0:#x} is unknown, expected 1 (node), 2 (end of node), 3 (property), 4 (nop) or 9 (end)")]
    Token(u32),
    /// A property's value leaves the block.
    #[error("a property of {0:#x} bytes exceeds the structure block")]
    ValueCut(u32),
    /// A property's name is not in the strings block.
    #[error("the property name at {0:#x} of the strings block is missing or not terminated")]
    NameOffset(u32),
    /// A node's name does not end.
    #[error("a node name does not end within {0} bytes")]
    NameEnd(usize),
    /// A name is empty, contains a slash, or is not UTF-8.
    #[error("{0} is not UTF-8, is empty or contains a slash")]
    Name(&'static str),
    /// A property outside of any node.
    #[error("a property is outside the root node")]
    PropertyOutside,
    /// A property after a child node.
    #[error("property {0} follows a child node, expected all properties first")]
    PropertyAfterChild(String),
    /// More than one root node, or an end without a beginning.
    #[error("{0}")]
    Unbalanced(&'static str),
    /// Nodes nested too deep.
    #[error("nodes are nested deeper than {0}")]
    Depth(usize),
    /// Too many nodes.
    #[error("there are more than {0} nodes")]
    Nodes(usize),
    /// The memory reservation block does not end.
    #[error("the memory reservation block does not end within the blob or {0} entries")]
    Reservations(usize),
}
