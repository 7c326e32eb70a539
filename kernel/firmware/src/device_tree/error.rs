//! Why a device tree cannot be used at all; what costs only one node is a finding instead.

use alloc::string::String;

use super::header::{HEADER_SIZE, MAX_TOTAL_SIZE, VERSION};

/// A device tree blob that gives no description of the machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceTreeError {
    /// The bytes end inside the header.
    #[error("device tree: {given} bytes given, the header alone has {size}", size = HEADER_SIZE)]
    HeaderCut {
        /// Length of what was given.
        given: usize,
    },
    /// It is no device tree blob.
    #[error("device tree: byte 0x0: magic number is {found:#010x}, expected 0xd00dfeed")]
    Magic {
        /// What stands in its place.
        found: u32,
    },
    /// The header's `totalsize` cannot be true.
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
    #[error("device tree: byte 0x4: totalsize is {total_size:#x}, but only {given:#x} bytes are there")]
    Truncated {
        /// The header's value.
        total_size: usize,
        /// Length of what was given.
        given: usize,
    },
    /// The blob's format is another one.
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
    /// A block leaves the blob.
    #[error(
        "device tree: the {block} block at {offset:#x} (header byte {field:#x}) with {size:#x} bytes \
         does not fit: the blob has {limit:#x} bytes"
    )]
    Block {
        /// Which block.
        block: &'static str,
        /// Where in the header its offset stands.
        field: usize,
        /// Its offset.
        offset: u32,
        /// Its length, or the least that it must have.
        size: u32,
        /// Length of the blob.
        limit: usize,
    },
    /// The tokens of the structure block do not make a tree.
    #[error("device tree: byte {offset:#x}, in node {node}: {fault}")]
    Structure {
        /// Where in the blob.
        offset: usize,
        /// Path of the innermost open node.
        node: String,
        /// What is wrong.
        fault: Fault,
    },
    /// No RAM: there is nothing to run in.
    #[error("device tree: no /memory node with usable RAM: {reason}")]
    NoMemory {
        /// What was looked for, and what was there.
        reason: String,
    },
}

/// What is wrong with the structure block (Devicetree Specification 0.4, section 5.4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The block ends before the tree does.
    #[error("the structure block ends inside the tree")]
    Cut,
    /// An unknown token.
    #[error("token {0:#x} is unknown, expected 1 (node), 2 (end of node), 3 (property), 4 (nop) or 9 (end)")]
    Token(u32),
    /// A property's value leaves the block.
    #[error("a property of {0:#x} bytes reaches beyond the structure block")]
    ValueCut(u32),
    /// A property's name is not in the strings block.
    #[error("a property's name at {0:#x} of the strings block is not there or does not end")]
    NameOffset(u32),
    /// A node's name does not end.
    #[error("a node's name does not end within {0} bytes")]
    NameEnd(usize),
    /// A name has no letters, or a slash, or is not UTF-8.
    #[error("{0} is not UTF-8, is empty or has a slash in it")]
    Name(&'static str),
    /// A property outside of any node.
    #[error("a property stands outside of the root node")]
    PropertyOutside,
    /// A property after a child node.
    #[error("property {0} stands behind a child node, expected all properties before")]
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
