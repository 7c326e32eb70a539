//! What a case results in.

use alloc::format;
use alloc::string::String;

/// What a step of a case results in. A case ends at its first deviation.
pub(crate) type Check<T = ()> = Result<T, Deviation>;

/// The device did otherwise than the specification wants.
#[derive(Debug)]
pub(crate) struct Deviation {
    /// What is wanted.
    pub(crate) expected: String,
    /// What the device did.
    pub(crate) answer: String,
}

/// A deviation in words.
pub(crate) fn deviates(what: &str, expected: &str, answer: &str) -> Deviation {
    Deviation { expected: format!("{what}: {expected}"), answer: format!("{what}: {answer}") }
}

/// Fails with a deviation unless `holds`.
pub(crate) fn ensure(holds: bool, what: &str, expected: &str, answer: &str) -> Check {
    if holds { Ok(()) } else { Err(deviates(what, expected, answer)) }
}
