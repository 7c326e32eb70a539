//! Addresses for BARs and bridge windows: claimed as firmware placed them, planned, and written.

pub(crate) mod assign;
pub(crate) mod block;
pub(crate) mod claim;
pub(crate) mod collect;
pub(crate) mod host_window;
pub(crate) mod per_bar;
pub(crate) mod plan;
pub(crate) mod pool;
pub(crate) mod reach;
pub(crate) mod space;
pub(crate) mod window;
pub(crate) mod write;
