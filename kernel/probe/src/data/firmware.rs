//! Firmware's description of one device: its endpoints at IOMMUs.

use alloc::vec::Vec;

use addr::{EndpointId, RequesterId};

use crate::data::finding::Finding;
use crate::data::id::FwNode;

/// The input IDs of a device in firmware's map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputIds {
    /// The node itself refers to its IOMMU (a platform device).
    Node,
    /// These requester IDs, the device's own first, then its DMA aliases; never empty.
    Requesters(Vec<RequesterId>),
}

/// Firmware's answer for one input ID: this endpoint of that IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The node of the IOMMU.
    pub iommu: FwNode,
    /// The endpoint ID of the device at that IOMMU.
    pub endpoint: EndpointId,
    /// The requester ID that was translated; `None` for a device with a direct reference.
    pub input: Option<RequesterId>,
    /// The property or table that it is from, as in the report: `iommu-map`, `iommus`, `viot`.
    pub source: &'static str,
}

/// Why a device is not behind an IOMMU. None of these is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Untranslated {
    /// Firmware has a map for the device's bus, and this device is not in it.
    NotInMap,
    /// Firmware describes an IOMMU, but this device's bus is not behind one.
    BusBypasses,
    /// The device is behind this IOMMU, which firmware has disabled (`status = "disabled"`).
    Disabled(FwNode),
    /// Firmware does not describe an IOMMU for any device.
    NoIommu,
    /// The device is a host bridge, and its IOMMU is behind this bridge itself.
    BehindIt(FwNode),
}

/// Firmware's translation of a device's IDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Translation {
    /// To these endpoints, in the order of the input IDs; never empty, duplicates kept.
    Endpoints(Vec<Reference>),
    /// Not behind an IOMMU.
    Nowhere(Untranslated),
}

/// Firmware's description of a device's IOMMU is wrong. The device is left untranslated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapError {
    /// The defect and its place; it becomes part of the report.
    pub finding: Finding,
}
