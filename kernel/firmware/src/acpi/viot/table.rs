//! The content of a VIOT, and the way from a device to its IOMMU.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{DeviceFunction, EndpointId, PciAddress, PhysAddr, RequesterId};

/// Where an IOMMU is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::acpi) enum IommuPlace {
    /// A PCI function.
    Pci(PciAddress),
    /// The device whose registers contain this address.
    Mmio(PhysAddr),
}

impl core::fmt::Display for IommuPlace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Pci(address) => address.fmt(f),
            Self::Mmio(address) => write!(f, "the device at {address}"),
        }
    }
}

/// An IOMMU node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::acpi) struct Iommu {
    /// Offset of the node from the start of the table.
    pub(in crate::acpi) offset: usize,
    pub(in crate::acpi) place: IommuPlace,
}

/// PCI functions, and the endpoint IDs by which an IOMMU knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::acpi) struct PciRange {
    /// Offset of the node from the start of the table.
    pub(in crate::acpi) offset: usize,
    pub(in crate::acpi) first_endpoint: u32,
    pub(in crate::acpi) first_segment: u16,
    pub(in crate::acpi) last_segment: u16,
    pub(in crate::acpi) first_requester: u16,
    pub(in crate::acpi) last_requester: u16,
    /// Index into [`Viot::iommus`].
    pub(in crate::acpi) iommu: usize,
}

impl PciRange {
    pub(super) fn is_empty(&self) -> bool {
        self.first_segment > self.last_segment || self.first_requester > self.last_requester
    }

    pub(super) fn has_segment(&self, segment: u16) -> bool {
        (self.first_segment..=self.last_segment).contains(&segment)
    }

    fn contains(&self, segment: u16, requester: RequesterId) -> bool {
        self.has_segment(segment) && (self.first_requester..=self.last_requester).contains(&requester.0)
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.first_segment <= other.last_segment
            && other.first_segment <= self.last_segment
            && self.first_requester <= other.last_requester
            && other.first_requester <= self.last_requester
    }

    pub(super) fn encloses(&self, other: &Self) -> bool {
        self.first_segment <= other.first_segment
            && other.last_segment <= self.last_segment
            && self.first_requester <= other.first_requester
            && other.last_requester <= self.last_requester
    }

    /// The endpoint of a function in the range, with 32-bit arithmetic: a segment is 16 bits further on
    /// than the one before, however few requester IDs the range has (`viot_pci_dev_iommu_init`).
    fn endpoint(&self, segment: u16, requester: u16) -> EndpointId {
        let segments = u32::from(segment - self.first_segment) << 16;
        let step = segments.wrapping_add(u32::from(requester - self.first_requester));
        EndpointId(self.first_endpoint.wrapping_add(step))
    }
}

/// A device other than a PCI function, and its endpoint ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::acpi) struct MmioEndpoint {
    /// Offset of the node from the start of the table.
    pub(in crate::acpi) offset: usize,
    pub(in crate::acpi) endpoint: EndpointId,
    /// Where the device's registers begin.
    pub(in crate::acpi) base: PhysAddr,
    /// Index into [`Viot::iommus`].
    pub(in crate::acpi) iommu: usize,
}

/// The content of a VIOT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::acpi) struct Viot {
    /// IOMMUs by offset: those among the nodes, and those to which a node leads.
    pub(in crate::acpi) iommus: Vec<Iommu>,
    /// In the order of the table; where two overlap, the later one counts.
    pub(in crate::acpi) ranges: Vec<PciRange>,
    /// In the order of the table; of two with one address the later one counts.
    pub(in crate::acpi) endpoints: Vec<MmioEndpoint>,
}

impl Viot {
    /// Endpoint and IOMMU of a requester ID.
    pub(in crate::acpi) fn look_up(
        &self,
        segment: u16,
        requester: RequesterId,
    ) -> Option<(EndpointId, usize)> {
        // Linux puts each range in front of those before it, and takes the first that fits.
        let range = self.ranges.iter().rev().find(|range| range.contains(segment, requester))?;
        Some((range.endpoint(segment, requester.0), range.iommu))
    }

    /// Endpoint and IOMMU of the device whose first registers begin at `base`.
    pub(in crate::acpi) fn look_up_mmio(&self, base: PhysAddr) -> Option<(EndpointId, usize)> {
        let endpoint = self.endpoints.iter().rev().find(|endpoint| endpoint.base == base)?;
        Some((endpoint.endpoint, endpoint.iommu))
    }

    /// Whether any requester ID of these buses is in any range.
    pub(in crate::acpi) fn covers_bus(&self, segment: u16, first_bus: u8, last_bus: u8) -> bool {
        let first = RequesterId::new(first_bus, DeviceFunction::from_bits(0)).0;
        let last = RequesterId::new(last_bus, DeviceFunction::from_bits(u8::MAX)).0;
        self.ranges.iter().any(|range| {
            range.has_segment(segment) && range.first_requester <= last && first <= range.last_requester
        })
    }
}

/// The place of a node in a finding.
pub(in crate::acpi) fn node_place(offset: usize) -> String {
    format!("VIOT node at {offset:#x}")
}
