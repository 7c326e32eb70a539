//! What cannot be understood of AML, and where.

use super::limits::{MAX_EXPRESSION, MAX_PARENTS};

/// What cannot be understood, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AmlFault {
    pub(super) at: usize,
    pub(super) kind: FaultKind,
}

/// See [`AmlFault`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FaultKind {
    #[error("it exceeds the enclosing object")]
    Cut,
    #[error("length {length:#x}, expected {least:#x} to {most:#x}, the end of the enclosing object")]
    Package { length: usize, least: usize, most: usize },
    #[error("byte {0:#04x} is not allowed in a name")]
    NameByte(u8),
    #[error("a name has more than {MAX_PARENTS} parent prefixes")]
    Parents,
    #[error("{0:#04x} is not an opcode")]
    Opcode(u16),
    #[error("{0} is not data")]
    NoData(&'static str),
    #[error("an expression has more than {MAX_EXPRESSION} terms")]
    Expression,
}
