//! The probe paths, one file each, built from the same parts.
//!
//! A path decides *when* firmware is asked, who walks the devices, and what an error does; how a
//! device is grouped and attached is the same for all and lies outside of this folder.

pub(crate) mod fixed;
