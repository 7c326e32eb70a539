//! Phase 2: a driver binds.

pub(crate) mod bind;
