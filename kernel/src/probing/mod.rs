//! What is done to the core, and in which order: devices are added, drivers are registered.

pub(crate) mod devices;
pub(crate) mod order;
pub(crate) mod pending;
