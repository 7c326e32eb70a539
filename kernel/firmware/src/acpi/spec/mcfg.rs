//! MCFG, the memory-mapped configuration space of PCI Express (PCI Firmware 3.3, section 4.1.2).
//!
//! Its entries are read by the `acpi` crate, which has a layout of its own.

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::header::Header;

/// The table in front of its entries.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Mcfg {
    pub(crate) header: Header,
    pub(crate) reserved: [u8; 8],
}

const _: () = assert!(size_of::<Mcfg>() == 44);
