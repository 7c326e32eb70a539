//! Values of words that cannot be used.

use alloc::string::String;

/// A word of the command line whose value cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("command line: {word}: {why}")]
pub(crate) struct OptionError {
    /// The word, with its value.
    pub(crate) word: String,
    /// What is wrong with the value.
    pub(crate) why: ValueError,
}

/// An invalid value of a word.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValueError {
    /// Not a number up to this limit.
    #[error("expected a number from 1 to {0}")]
    NotUpTo(u64),
    /// Not a number.
    #[error("expected a number below 2^64")]
    NotANumber,
    /// Not one of a few values.
    #[error("unknown value")]
    Unknown,
}
