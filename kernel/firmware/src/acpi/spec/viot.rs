//! VIOT, the Virtual I/O Translation table (ACPI 6.5, section 5.2.34).

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::header::Header;

/// The table in front of its nodes.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Viot {
    pub(crate) header: Header,
    pub(crate) node_count: U16,
    /// Offset of the first node from the start of the table.
    pub(crate) node_offset: U16,
    pub(crate) reserved: [u8; 8],
}

const _: () = assert!(size_of::<Viot>() == 48);

/// What every node begins with.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Node {
    /// One of [`kind`].
    pub(crate) kind: u8,
    pub(crate) reserved: u8,
    /// Bytes of the whole node.
    pub(crate) length: U16,
}

const _: () = assert!(size_of::<Node>() == 4);

/// Values of [`Node::kind`].
pub(crate) mod kind {
    pub(crate) const PCI_RANGE: u8 = 1;
    pub(crate) const MMIO_ENDPOINT: u8 = 2;
    pub(crate) const IOMMU_PCI: u8 = 3;
    pub(crate) const IOMMU_MMIO: u8 = 4;
}

/// A range of PCI functions (PCI Range Node).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct PciRange {
    pub(crate) node: Node,
    pub(crate) endpoint_start: U32,
    pub(crate) segment_start: U16,
    pub(crate) segment_end: U16,
    pub(crate) bdf_start: U16,
    pub(crate) bdf_end: U16,
    /// Offset of the IOMMU's node from the start of the table.
    pub(crate) output_node: U16,
    pub(crate) reserved: [u8; 6],
}

const _: () = assert!(size_of::<PciRange>() == 24);

/// A device that is not a PCI function (Single MMIO Endpoint Node).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct MmioEndpoint {
    pub(crate) node: Node,
    pub(crate) endpoint: U32,
    pub(crate) base_address: U64,
    /// Offset of the IOMMU's node from the start of the table.
    pub(crate) output_node: U16,
    pub(crate) reserved: [u8; 6],
}

const _: () = assert!(size_of::<MmioEndpoint>() == 24);

/// A virtio-iommu that is a PCI function (virtio-pci IOMMU Node).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct IommuPci {
    pub(crate) node: Node,
    pub(crate) segment: U16,
    pub(crate) bdf: U16,
    pub(crate) reserved: [u8; 8],
}

const _: () = assert!(size_of::<IommuPci>() == 16);

/// A virtio-iommu on virtio-mmio (virtio-mmio IOMMU Node).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct IommuMmio {
    pub(crate) node: Node,
    pub(crate) reserved: [u8; 4],
    pub(crate) base_address: U64,
}

const _: () = assert!(size_of::<IommuMmio>() == 16);
