//! One node of a VIOT: from bytes to its content.

use addr::{EndpointId, PciAddress, PhysAddr, RequesterId};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::acpi::bytes::Bytes;
use crate::acpi::spec::viot::{self as spec, kind};

use super::error::NodeError;
use super::table::{IommuPlace, MmioEndpoint, PciRange};

/// Bytes of what all nodes begin with.
const NODE_HEADER_SIZE: usize = size_of::<spec::Node>();

/// A node with endpoints whose IOMMU has not been looked up yet.
pub(super) enum Raw {
    Pci(PciRange, u16),
    Mmio(MmioEndpoint, u16),
}

/// The content of a node.
pub(super) enum Body {
    Iommu(IommuPlace),
    Endpoints(Raw),
    Unknown(u8),
}

/// The node at `at`, all of it.
///
/// # Errors
///
/// The table does not contain all of it.
pub(super) fn node(table: Bytes<'_>, at: usize) -> Result<Bytes<'_>, NodeError> {
    let table_length = table.len();
    let length = table.read::<spec::Node>(at).map(|header| usize::from(header.length));
    let length = length.ok_or(NodeError::HeaderCut { table: table_length })?;
    if length < NODE_HEADER_SIZE {
        return Err(NodeError::TooShort { length, expected: NODE_HEADER_SIZE });
    }
    table.part(at, length).ok_or(NodeError::Cut { length, table: table_length })
}

/// Reads the body of a node that is whole.
///
/// # Errors
///
/// It is too short for its type.
pub(super) fn body(node: Bytes<'_>) -> Result<Body, NodeError> {
    let kind = node.u8(0).unwrap_or_default();
    Ok(match kind {
        kind::PCI_RANGE => {
            let range: &spec::PciRange = whole(kind, node)?;
            let pci_range = PciRange {
                offset: node.offset,
                first_endpoint: range.endpoint_start.get(),
                first_segment: range.segment_start.get(),
                last_segment: range.segment_end.get(),
                first_requester: range.bdf_start.get(),
                last_requester: range.bdf_end.get(),
                iommu: 0,
            };
            Body::Endpoints(Raw::Pci(pci_range, range.output_node.get()))
        }
        kind::MMIO_ENDPOINT => {
            let device: &spec::MmioEndpoint = whole(kind, node)?;
            let endpoint = MmioEndpoint {
                offset: node.offset,
                endpoint: EndpointId(device.endpoint.get()),
                base: PhysAddr(device.base_address.get()),
                iommu: 0,
            };
            Body::Endpoints(Raw::Mmio(endpoint, device.output_node.get()))
        }
        kind::IOMMU_PCI => {
            let iommu: &spec::IommuPci = whole(kind, node)?;
            let requester = RequesterId(iommu.bdf.get());
            let (bus, devfn) = (requester.bus(), requester.devfn());
            Body::Iommu(IommuPlace::Pci(PciAddress { segment: iommu.segment.get(), bus, devfn }))
        }
        kind::IOMMU_MMIO => {
            let iommu: &spec::IommuMmio = whole(kind, node)?;
            Body::Iommu(IommuPlace::Mmio(PhysAddr(iommu.base_address.get())))
        }
        _ => Body::Unknown(kind),
    })
}

/// A node of this kind, if it is long enough for one.
fn whole<'a, T>(kind: u8, node: Bytes<'a>) -> Result<&'a T, NodeError>
where
    T: FromBytes + Immutable + KnownLayout + Unaligned,
{
    let (length, expected) = (node.len(), size_of::<T>());
    node.read(0).ok_or(NodeError::TooShortForType { length, expected, kind })
}
