//! What firmware says about one device: the endpoints of IOMMUs that its requests arrive as.

use alloc::vec::Vec;

use addr::{EndpointId, RequesterId};

use crate::data::finding::Finding;
use crate::data::id::FwNode;

/// By what firmware's map knows a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputIds {
    /// The node itself names its IOMMU (a platform device).
    Node,
    /// These requester IDs, the device's own first, then its DMA aliases; never empty.
    Requesters(Vec<RequesterId>),
}

/// Firmware's answer for one input ID: this endpoint of that IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The node of the IOMMU.
    pub iommu: FwNode,
    /// By which number that IOMMU knows the device.
    pub endpoint: EndpointId,
    /// The requester ID that was translated; none for a device that firmware names directly.
    pub input: Option<RequesterId>,
    /// The property or table that said so, as the report shows it: `iommu-map`, `iommus`, `viot`.
    pub source: &'static str,
}

/// Why firmware leads a device to no IOMMU. None of these is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Untranslated {
    /// Firmware has a map for the device's bus, and this device is not in it.
    NotInMap,
    /// Firmware describes an IOMMU, and says of this device's bus that it is not behind any.
    BusBypasses,
    /// Firmware leads to this IOMMU and says that it must not be used (`status = "disabled"`).
    Disabled(FwNode),
    /// Firmware names no IOMMU for any device.
    NoIommu,
    /// Firmware leads a host bridge to this IOMMU, which is behind that very bridge.
    BehindIt(FwNode),
}

/// Where firmware leads a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Translation {
    /// To these endpoints, in the order of the input IDs; never empty, duplicates kept.
    Endpoints(Vec<Reference>),
    /// To no IOMMU.
    Nowhere(Untranslated),
}

/// Firmware's description of a device's IOMMU is wrong. The device is left untranslated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapError {
    /// What is wrong, with its place; it becomes part of the report.
    pub finding: Finding,
}
