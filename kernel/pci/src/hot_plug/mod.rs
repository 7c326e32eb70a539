//! Devices that are added and removed while the machine runs.

pub(crate) mod plug;
pub(crate) mod unplug;
