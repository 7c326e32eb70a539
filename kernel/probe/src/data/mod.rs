//! Identities and plain data. All other files depend on these; they depend only on each other.

pub(crate) mod dma;
pub(crate) mod domain;
pub(crate) mod event;
pub(crate) mod finding;
pub(crate) mod findings;
pub(crate) mod firmware;
pub(crate) mod id;
pub(crate) mod lease;
pub(crate) mod linux_event;
pub(crate) mod ownership;
pub(crate) mod path;
pub(crate) mod refusal;
pub(crate) mod reserved;
pub(crate) mod sorted_map;
