//! The kernel's output: the log during the run, and the report at the end.

pub mod event_log;
pub mod summary;
pub(crate) mod unanswered;
