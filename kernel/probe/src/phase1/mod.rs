//! Phase 1: from a device to the IOMMUs that firmware names for it, and into its group.

pub(crate) mod join;
pub(crate) mod resolve;
pub(crate) mod ring;
pub(crate) mod usable;
