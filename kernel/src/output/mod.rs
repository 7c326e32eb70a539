//! What the kernel reports: the log while things happen, the report at the end.

pub(crate) mod event_log;
pub(crate) mod summary;
pub(crate) mod unanswered;
