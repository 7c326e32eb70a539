//! Devices that are added to slots and removed from them after the boot (`hotplug=`).

pub(crate) mod error;
pub(crate) mod run;
mod wait;
