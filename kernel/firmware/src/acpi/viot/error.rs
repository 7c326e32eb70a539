//! Defects of a VIOT node.

/// A node that cannot be read. It ends the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NodeError {
    #[error("the header exceeds the table of {table:#x} bytes")]
    HeaderCut { table: usize },
    #[error("length is {length:#x}, expected at least {expected:#x}")]
    TooShort { length: usize, expected: usize },
    #[error("{length:#x} bytes exceed the table of {table:#x} bytes")]
    Cut { length: usize, table: usize },
    #[error("length is {length:#x}, expected at least {expected:#x} for type {kind}")]
    TooShortForType { length: usize, expected: usize, kind: u8 },
}

/// An output node that is not an IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OutputError {
    #[error("is before the first node")]
    BeforeFirstNode,
    #[error("is outside the table")]
    OutsideTable,
    #[error("is not an IOMMU node")]
    NotAnIommu,
    #[error("is too short for an IOMMU node")]
    TooShort,
}
