//! Reading config space: scan, bus numbers, capabilities, BARs.

pub(crate) mod acs;
pub(crate) mod ari;
pub(crate) mod bar;
pub(crate) mod bridge;
pub(crate) mod capability;
pub(crate) mod function;
pub(crate) mod numbering;
pub(crate) mod port_type;
pub(crate) mod scan;
pub(crate) mod scanned;
pub(crate) mod sriov;
pub(crate) mod virtio;
