//! Phase 1: from a device to its group, and to the default domain of that.

pub(crate) mod direct;
pub(crate) mod domain;
pub(crate) mod join;
pub(crate) mod regroup;
pub(crate) mod resolve;
pub(crate) mod ring;
