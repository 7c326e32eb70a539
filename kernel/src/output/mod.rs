//! What the kernel reports: the log while things happen, the report at the end.

pub mod event_log;
pub mod summary;
pub(crate) mod unanswered;
