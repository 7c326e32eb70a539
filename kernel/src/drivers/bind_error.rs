//! The errors of drivers, for the core.

use alloc::string::ToString;
use core::fmt::Display;

use probe::BindError;

/// A driver's error in the form that the core expects.
pub(super) fn failed(error: impl Display) -> BindError {
    BindError::Failed(error.to_string())
}
