//! Values of words that cannot be used.

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
