//! Plain data: what was found, and what happened.

pub(crate) mod event;
pub(crate) mod finding;
