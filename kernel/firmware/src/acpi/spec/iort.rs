//! IORT, the I/O Remapping table (Arm DEN 0049E.b, chapter 3).

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::header::Header;

/// The table in front of its nodes (table 2).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Iort {
    pub(crate) header: Header,
    pub(crate) node_count: U32,
    /// Offset of the first node from the start of the table.
    pub(crate) node_offset: U32,
    pub(crate) reserved: [u8; 4],
}

const _: () = assert!(size_of::<Iort>() == 48);

/// What every node begins with.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Node {
    /// One of [`kind`].
    pub(crate) kind: u8,
    /// Bytes of the whole node, its ID mappings included.
    pub(crate) length: U16,
    pub(crate) revision: u8,
    pub(crate) identifier: U32,
    pub(crate) mapping_count: U32,
    /// Offset of the first ID mapping from the start of the node.
    pub(crate) mapping_offset: U32,
}

const _: () = assert!(size_of::<Node>() == 16);

/// Values of [`Node::kind`].
pub(crate) mod kind {
    pub(crate) const ITS_GROUP: u8 = 0;
    pub(crate) const NAMED_COMPONENT: u8 = 1;
    pub(crate) const ROOT_COMPLEX: u8 = 2;
    pub(crate) const SMMU: u8 = 3;
    pub(crate) const SMMU_V3: u8 = 4;
    pub(crate) const PMCG: u8 = 5;
    pub(crate) const RMR: u8 = 6;
    pub(crate) const IWB: u8 = 7;
}

/// An ID mapping (table 4).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct IdMapping {
    pub(crate) input_base: U32,
    /// The number of IDs minus one.
    pub(crate) id_count: U32,
    pub(crate) output_base: U32,
    /// Offset of the node that it leads to from the start of the table.
    pub(crate) output_reference: U32,
    pub(crate) flags: U32,
}

const _: () = assert!(size_of::<IdMapping>() == 20);

/// Bit of [`IdMapping::flags`]: whatever the input ID is, the output ID is the base.
pub(crate) const SINGLE_MAPPING: u32 = 1 << 0;

/// A device of the namespace in front of its name (named component node).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct NamedComponent {
    pub(crate) node: Node,
    pub(crate) flags: U32,
    pub(crate) memory_access: [u8; 8],
    pub(crate) address_size_limit: u8,
}

const _: () = assert!(size_of::<NamedComponent>() == 29);

/// All host bridges of a segment (table 17), as far as all revisions have it.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RootComplex {
    pub(crate) node: Node,
    pub(crate) memory_access: [u8; 8],
    pub(crate) ats_attribute: U32,
    pub(crate) segment: U32,
}

const _: () = assert!(size_of::<RootComplex>() == 32);

/// An SMMU of any version, up to its registers.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Smmu {
    pub(crate) node: Node,
    pub(crate) base_address: U64,
}

const _: () = assert!(size_of::<Smmu>() == 24);

/// An SMMU of version 3 (table 9).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct SmmuV3 {
    pub(crate) smmu: Smmu,
    pub(crate) flags: U32,
    pub(crate) reserved: [u8; 4],
    pub(crate) vatos_address: U64,
    pub(crate) model: U32,
    /// Interrupts of events, page requests, errors and synchronisation; 0 is a message.
    pub(crate) interrupts: [U32; 4],
    pub(crate) proximity_domain: U32,
    /// Index of the ID mapping for messages.
    pub(crate) device_id_mapping: U32,
}

const _: () = assert!(size_of::<SmmuV3>() == 68);

/// Bit of [`SmmuV3::flags`], since revision 5: [`SmmuV3::device_id_mapping`] is valid.
pub(crate) const DEVICE_ID_VALID: u32 = 1 << 4;

/// A performance monitor counter group up to its interrupt (PMCG node).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Pmcg {
    pub(crate) node: Node,
    pub(crate) page_0: U64,
    /// 0 is a message.
    pub(crate) overflow_interrupt: U32,
}

const _: () = assert!(size_of::<Pmcg>() == 28);
