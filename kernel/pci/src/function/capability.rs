//! Entries of the capability lists.

/// An entry of the capability list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Capability ID.
    pub id: u8,
    /// Its offset in config space.
    pub offset: u8,
}

/// An entry of the extended capability list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedCapability {
    /// Extended capability ID.
    pub id: u16,
    /// Its offset in config space.
    pub offset: u16,
}

/// The capability IDs that this crate evaluates.
pub(crate) mod id {
    /// PCIe (PCI Code and ID Assignment 1.11, section 2).
    pub(crate) const PCIE: u8 = 0x10;
    /// ACS (the same, section 3).
    pub(crate) const ACS: u16 = 0x0d;
    /// Alternative routing ID interpretation.
    pub(crate) const ARI: u16 = 0x0e;
    /// Single root I/O virtualisation.
    pub(crate) const SRIOV: u16 = 0x10;
}
