//! Addresses for BARs and bridge windows.

pub(crate) mod assign;
pub(crate) mod claim;
pub(crate) mod host_window;
pub(crate) mod plan;
pub(crate) mod pool;
pub(crate) mod space;
