//! What the core asks of firmware: which endpoint of which IOMMU is this device?

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{EndpointId, RequesterId};

use crate::data::finding::Finding;
use crate::traits::bus::InputIds;
use crate::traits::iommu::ReservedRegion;

/// A firmware node, by identity: a device tree node, an ACPI device, a VIOT node.
///
/// Two nodes are the same if and only if their `FwNode`s are equal; a device *without* a node has
/// none, and none is equal to nothing. What the number means is the firmware adapter's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FwNode(pub u32);

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

/// When Linux's adapter for a firmware language asks the buses to isolate devices (ACS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IsolationRequest {
    /// Before the first device is added (Linux: `acpi_viot_early_init`, `iort_enable_acs`).
    BeforeDevices,
    /// When the first device with requester IDs is translated (Linux: `of_pci_iommu_init`).
    AtFirstTranslation,
    /// Never.
    Never,
}

/// What Linux's adapter for one firmware language does otherwise than that for another.
///
/// Only the paths that Linux took ask; `fixed` treats all languages alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Manners {
    /// When isolation is requested.
    pub isolation: IsolationRequest,
    /// A translation that succeeds while a driver binds is followed by a probe of the device also where
    /// phase 1 has become the core's business (Linux 6.15 and later: `of_iommu_configure` does,
    /// `acpi_iommu_configure_id` does not).
    pub probes_at_bind: bool,
    /// A translation that fails halfway leaves nothing behind (`of_iommu_configure`), or what it had
    /// (`acpi_iommu_configure_id`).
    pub cleans_up: bool,
    /// An IOMMU's own translation is refused (`viot_dev_iommu_init`), or attempted.
    pub knows_itself: bool,
}

impl Manners {
    /// Those of a device tree.
    pub const DEVICE_TREE: Self = Self {
        isolation: IsolationRequest::AtFirstTranslation,
        probes_at_bind: true,
        cleans_up: true,
        knows_itself: false,
    };

    /// Those of ACPI tables; isolation is requested early if any of them leads to an IOMMU.
    #[must_use]
    pub const fn acpi(leads_to_iommu: bool) -> Self {
        Self {
            isolation: if leads_to_iommu { IsolationRequest::BeforeDevices } else { IsolationRequest::Never },
            probes_at_bind: false,
            cleans_up: false,
            knows_itself: true,
        }
    }
}

/// All that the core has to know about firmware.
///
/// The answers must depend on the arguments alone: the core asks again after a deferral.
pub trait FirmwareMap {
    /// Where `ids` lead, read from the properties or table entries of node `at`.
    ///
    /// Every ID is translated. The target of a reference is not checked for having a driver or a
    /// device: that is the core's part.
    ///
    /// # Errors
    ///
    /// The description itself is malformed where these IDs need it.
    fn translate(&self, at: FwNode, ids: &InputIds) -> Result<Translation, MapError>;

    /// Addresses that must be kept for the device whose own node this is (Linux: `iommu_dma_get_resv_regions`).
    fn reserved(&self, node: FwNode) -> Vec<ReservedRegion> {
        let _ = node;
        Vec::new()
    }

    /// Whether firmware says of `node` itself that it is an IOMMU, driven or not.
    fn is_iommu(&self, node: FwNode) -> bool {
        let _ = node;
        false
    }

    /// Whether the IOMMU `iommu` is behind the host bridge `device`: there is no such IOMMU before that is bound.
    fn is_behind(&self, iommu: FwNode, device: FwNode) -> bool {
        let _ = (iommu, device);
        false
    }

    /// Whether Linux knows an IOMMU by this node: if its adapter looks for nodes only where it is referred to
    /// them, it does not know those that nothing refers to (`viot_get_iommu`).
    fn is_known_to_linux(&self, node: FwNode) -> bool {
        let _ = node;
        true
    }

    /// What Linux's adapter for this language does in its own way.
    fn manners(&self) -> Manners {
        Manners::DEVICE_TREE
    }

    /// What is odd about an answer that [`translate`](Self::translate) gave all the same.
    fn remark(&self, at: FwNode, ids: &InputIds) -> Option<Finding> {
        let _ = (at, ids);
        None
    }

    /// The node's name for people: a device tree path, an ACPI path, `VIOT node at 0x30`.
    fn name(&self, node: FwNode) -> String;

    /// A copy, for a machine that can be taken apart into several ([`Core::fork`](crate::Core::fork)).
    fn fork(&self) -> Option<Box<dyn FirmwareMap>> {
        None
    }
}
