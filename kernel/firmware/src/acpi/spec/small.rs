//! FADT, MADT and SPCR, as far as they are read or have to be there.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::header::Header;

/// Fixed ACPI Description Table of ACPI 1.0 (ACPI 6.5, section 5.2.9).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct OldFadt {
    pub(crate) header: Header,
    pub(crate) firmware_control: U32,
    pub(crate) dsdt: U32,
    /// From INT_MODEL to Flags.
    pub(crate) fixed_hardware: [u8; 72],
}

const _: () = assert!(size_of::<OldFadt>() == 116);

/// The same with the addresses of 64 bits that ACPI 2.0 added.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Fadt {
    pub(crate) old: OldFadt,
    pub(crate) reset_register: [u8; 12],
    pub(crate) reset_value: u8,
    pub(crate) arm_boot_architecture: U16,
    pub(crate) minor_version: u8,
    pub(crate) x_firmware_control: U64,
    pub(crate) x_dsdt: U64,
}

const _: () = assert!(size_of::<Fadt>() == 148);

/// Multiple APIC Description Table in front of its entries (ACPI 6.5, section 5.2.12).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Madt {
    pub(crate) header: Header,
    pub(crate) local_interrupt_controller: U32,
    pub(crate) flags: U32,
}

const _: () = assert!(size_of::<Madt>() == 44);

/// What every entry of an MADT begins with.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct MadtEntry {
    pub(crate) kind: u8,
    /// Bytes of the whole entry.
    pub(crate) length: u8,
}

const _: () = assert!(size_of::<MadtEntry>() == 2);

/// [`MadtEntry::kind`] of a GIC CPU interface.
pub(crate) const GICC: u8 = 0x0b;

/// A GIC CPU interface up to its flags (ACPI 6.5, section 5.2.12.14).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Gicc {
    pub(crate) entry: MadtEntry,
    pub(crate) reserved: [u8; 2],
    pub(crate) cpu_interface_number: U32,
    pub(crate) processor_uid: U32,
    pub(crate) flags: U32,
}

const _: () = assert!(size_of::<Gicc>() == 16);

/// Bit of [`Gicc::flags`]: the processor is ready for use.
pub(crate) const GICC_ENABLED: u32 = 1 << 0;

/// The same up to its MPIDR, which ACPI 5.1 added.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct GiccWithMpidr {
    pub(crate) gicc: Gicc,
    pub(crate) parking_protocol_version: U32,
    pub(crate) performance_interrupt: U32,
    pub(crate) parked_address: U64,
    pub(crate) base_address: U64,
    pub(crate) gicv: U64,
    pub(crate) gich: U64,
    pub(crate) maintenance_interrupt: U32,
    pub(crate) gicr_base_address: U64,
    pub(crate) mpidr: U64,
}

const _: () = assert!(size_of::<GiccWithMpidr>() == 76);

/// Serial Port Console Redirection table up to its base address (Microsoft, SPCR table, revision 2).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Spcr {
    pub(crate) header: Header,
    pub(crate) interface_type: u8,
    pub(crate) reserved: [u8; 3],
    pub(crate) base_address: [u8; 12],
}

const _: () = assert!(size_of::<Spcr>() == 52);
