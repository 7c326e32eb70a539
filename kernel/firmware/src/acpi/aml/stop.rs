//! Why an evaluation has no value.

use super::fault::{AmlFault, FaultKind};
use super::heap::UnknownSource;
use super::limits::{MAX_ALL_STEPS, MAX_DEPTH, MAX_STEPS, MAX_VALUE_BYTES};
use super::name::NameString;
use super::tree::Refusal;

/// Why an evaluation has no value, and where it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) place: (usize, usize),
    pub(super) reason: Reason,
}

/// See [`Stop`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reason {
    #[error("{0}")]
    Fault(FaultKind),
    /// See [`explain`](super::machine::Machine::explain).
    #[error("it is not known")]
    Unknown(UnknownSource),
    #[error("a method with {0} arguments, expected none")]
    Arguments(usize),
    #[error("{0} is not defined")]
    Undefined(NameString),
    #[error("{0} is not defined, and the Name for it has no value")]
    Valueless(NameString),
    #[error("no value: a method returned nothing, or nothing was stored")]
    Uninitialized,
    #[error("found {found}, expected {expected}")]
    Type { found: &'static str, expected: &'static str },
    #[error("index {index:#x} is outside the length {length:#x}")]
    Index { index: u64, length: usize },
    #[error("{0} by 0")]
    Zero(&'static str),
    #[error("{name} cannot be defined: {refusal}")]
    Refused { name: NameString, refusal: Refusal },
    #[error("an Else without an If")]
    Else,
    #[error("more than {MAX_STEPS} steps, or more than {MAX_ALL_STEPS} in all evaluations together")]
    Steps,
    #[error("nested deeper than {MAX_DEPTH}")]
    Depth,
    #[error("too much memory is needed")]
    Memory,
    #[error("the values of all devices together exceed {MAX_VALUE_BYTES:#x} bytes")]
    Budget,
}

impl Reason {
    pub(super) fn at(self, place: (usize, usize)) -> Stop {
        Stop { place, reason: self }
    }
}

/// What cannot be understood, in the table with this index.
pub(super) fn of_fault(table: usize) -> impl Fn(AmlFault) -> Stop {
    move |fault| Reason::Fault(fault.kind).at((table, fault.at))
}
