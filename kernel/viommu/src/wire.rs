//! Layouts and numbers of requests, answers, properties and fault records (virtio 1.2, sections
//! 5.13.4 and 5.13.6). All integers are little endian; no algorithms here.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Index of the request queue.
pub(crate) const REQUEST_QUEUE: u16 = 0;
/// Index of the event queue.
pub(crate) const EVENT_QUEUE: u16 = 1;

/// Offsets of the fields of the configuration space.
pub(crate) mod config_offset {
    pub(crate) const PAGE_SIZE_MASK: usize = 0;
    pub(crate) const INPUT_RANGE_START: usize = 8;
    pub(crate) const INPUT_RANGE_END: usize = 16;
    pub(crate) const DOMAIN_RANGE_START: usize = 24;
    pub(crate) const DOMAIN_RANGE_END: usize = 28;
    pub(crate) const PROBE_SIZE: usize = 32;
    pub(crate) const BYPASS: usize = 36;
}

/// Types of requests.
pub(crate) mod request_type {
    pub(crate) const ATTACH: u8 = 1;
    pub(crate) const DETACH: u8 = 2;
    pub(crate) const MAP: u8 = 3;
    pub(crate) const UNMAP: u8 = 4;
    pub(crate) const PROBE: u8 = 5;
}

/// The endpoint bypasses; only with `BYPASS_CONFIG`.
pub(crate) const ATTACH_FLAG_BYPASS: u32 = 1;

/// Flags of MAP.
pub(crate) mod map_flag {
    pub(crate) const READ: u32 = 1;
    pub(crate) const WRITE: u32 = 2;
    /// Only with the `MMIO` feature.
    pub(crate) const MMIO: u32 = 4;
}

/// The header of every request.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Head {
    pub(crate) kind: u8,
    pub(crate) reserved: [u8; 3],
}

/// The end of every answer.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Tail {
    pub(crate) status: u8,
    pub(crate) reserved: [u8; 3],
}

/// Device-readable part of ATTACH.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Attach {
    pub(crate) head: Head,
    pub(crate) domain: U32,
    pub(crate) endpoint: U32,
    pub(crate) flags: U32,
    pub(crate) reserved: [u8; 4],
}

/// Device-readable part of DETACH.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Detach {
    pub(crate) head: Head,
    pub(crate) domain: U32,
    pub(crate) endpoint: U32,
    pub(crate) reserved: [u8; 8],
}

/// Device-readable part of MAP; `virt_end` is included.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Map {
    pub(crate) head: Head,
    pub(crate) domain: U32,
    pub(crate) virt_start: U64,
    pub(crate) virt_end: U64,
    pub(crate) phys_start: U64,
    pub(crate) flags: U32,
}

/// Device-readable part of UNMAP; `virt_end` is included.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Unmap {
    pub(crate) head: Head,
    pub(crate) domain: U32,
    pub(crate) virt_start: U64,
    pub(crate) virt_end: U64,
    pub(crate) reserved: [u8; 4],
}

/// Device-readable part of PROBE. The device answers with `probe_size` bytes of properties and a [`Tail`].
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct Probe {
    pub(crate) head: Head,
    pub(crate) endpoint: U32,
    pub(crate) reserved: [u8; 64],
}

/// The header of every property.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct PropertyHead {
    /// Low 12 bits: type. The rest is reserved.
    pub(crate) kind: U16,
    /// Bytes after this header.
    pub(crate) length: U16,
}

/// The bits of [`PropertyHead::kind`] that hold the type.
pub(crate) const PROPERTY_TYPE_MASK: u16 = 0xfff;

/// Types of properties.
pub(crate) mod property_type {
    /// Ends the list.
    pub(crate) const NONE: u16 = 0;
    pub(crate) const RESV_MEM: u16 = 1;
}

/// Body of a `RESV_MEM` property; `end` is included.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct ResvMem {
    pub(crate) subtype: u8,
    pub(crate) reserved: [u8; 3],
    pub(crate) start: U64,
    pub(crate) end: U64,
}

/// Subtypes of `RESV_MEM`.
pub(crate) mod resv_mem_subtype {
    pub(crate) const RESERVED: u8 = 0;
    pub(crate) const MSI: u8 = 1;
}

/// A record of the event queue.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct FaultRecord {
    pub(crate) reason: u8,
    pub(crate) reserved: [u8; 3],
    pub(crate) flags: U32,
    pub(crate) endpoint: U32,
    pub(crate) reserved_after_endpoint: [u8; 4],
    pub(crate) address: U64,
}

/// Reasons of a [`FaultRecord`].
pub(crate) mod fault_reason {
    pub(crate) const DOMAIN: u8 = 1;
    pub(crate) const MAPPING: u8 = 2;
}

/// Flags of a [`FaultRecord`].
pub(crate) mod fault_flag {
    pub(crate) const READ: u32 = 1;
    pub(crate) const WRITE: u32 = 2;
    pub(crate) const EXEC: u32 = 4;
    pub(crate) const ADDRESS: u32 = 0x100;
}

/// Bytes of a [`Tail`].
pub(crate) const TAIL_SIZE: usize = size_of::<Tail>();
/// Bytes of a [`FaultRecord`].
pub(crate) const FAULT_SIZE: usize = size_of::<FaultRecord>();
/// Bytes of the longest device-readable part, that of PROBE.
pub(crate) const MAX_REQUEST_SIZE: usize = size_of::<Probe>();

const _: () = assert!(size_of::<Attach>() + TAIL_SIZE == 24);
const _: () = assert!(size_of::<Detach>() + TAIL_SIZE == 24);
const _: () = assert!(size_of::<Map>() + TAIL_SIZE == 40);
const _: () = assert!(size_of::<Unmap>() + TAIL_SIZE == 32);
const _: () = assert!(size_of::<Probe>() + TAIL_SIZE == 76);
const _: () = assert!(size_of::<PropertyHead>() + size_of::<ResvMem>() == 24);
const _: () = assert!(FAULT_SIZE == 24);
const _: () = assert!(size_of::<Map>() <= MAX_REQUEST_SIZE && size_of::<Attach>() <= MAX_REQUEST_SIZE);
