//! Defects of an IORT node.

/// A node that cannot be read. It ends the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NodeError {
    #[error("there are more than {limit} nodes")]
    TooMany { limit: usize },
    #[error("the offset is below {header:#x}")]
    InsideHeader { header: usize },
    #[error("it exceeds the table of {table:#x} bytes")]
    Cut { table: usize },
    #[error("length is {length:#x}, expected at least {expected:#x}")]
    TooShort { length: usize, expected: usize },
    #[error("length {length:#x} is too short for a node of type {kind}")]
    TooShortForType { length: usize, kind: u8 },
    #[error("{count} ID mappings at {at:#x} do not fit into the node")]
    MappingsCut { count: usize, at: usize },
}
