//! What config space contains: which functions exist, the bus numbers that lead to them, capabilities and BARs.

pub(crate) mod ari;
pub(crate) mod bar;
pub(crate) mod capability;
pub(crate) mod function;
pub(crate) mod number;
pub(crate) mod parking;
pub(crate) mod scan;
pub(crate) mod sriov;
pub(crate) mod tree;
pub(crate) mod virtio;
