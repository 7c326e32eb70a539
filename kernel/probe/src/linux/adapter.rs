//! Data about firmware and buses that only Linux's paths need, in addition to that of
//! [`fixed`](crate::Path::Fixed).

use alloc::string::String;
use alloc::vec::Vec;

use crate::data::id::{FwNode, GroupId, Unit};
use crate::traits::firmware::FirmwareMap;

/// When Linux's adapter for a firmware language requests isolation (ACS) from the buses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IsolationRequest {
    /// Before the first device is added (Linux: `acpi_viot_early_init`, `iort_enable_acs`).
    BeforeDevices,
    /// When the first device with requester IDs is translated (Linux: `of_pci_iommu_init`).
    AtFirstTranslation,
    /// Never.
    Never,
}

/// The differences between Linux's adapters for firmware languages; `fixed` treats all languages
/// alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinuxQuirks {
    /// When isolation is requested.
    pub isolation: IsolationRequest,
    /// A translation that succeeds while a driver binds is followed by a probe of the device even
    /// if the core runs phase 1 (Linux 6.15 and later: `of_iommu_configure` does,
    /// `acpi_iommu_configure_id` does not).
    pub probes_at_bind: bool,
    /// Whether a translation that fails halfway is undone (`of_iommu_configure`), or keeps its
    /// partial result (`acpi_iommu_configure_id`).
    pub cleans_up: bool,
    /// An IOMMU's own translation is refused (`viot_dev_iommu_init`), or attempted.
    pub knows_itself: bool,
    /// Nodes of IOMMUs that Linux does not find: its adapter finds an IOMMU's node only through a
    /// reference to it (`viot_get_iommu`).
    pub unknown_iommus: Vec<FwNode>,
}

impl LinuxQuirks {
    /// Those of a device tree.
    pub const DEVICE_TREE: Self = Self {
        isolation: IsolationRequest::AtFirstTranslation,
        probes_at_bind: true,
        cleans_up: true,
        knows_itself: false,
        unknown_iommus: Vec::new(),
    };

    /// Those of ACPI tables; isolation is requested early if any of them leads to an IOMMU.
    #[must_use]
    pub const fn acpi(leads_to_iommu: bool) -> Self {
        Self {
            isolation: if leads_to_iommu { IsolationRequest::BeforeDevices } else { IsolationRequest::Never },
            probes_at_bind: false,
            cleans_up: false,
            knows_itself: true,
            unknown_iommus: Vec::new(),
        }
    }
}

/// The group of a device if it is derived from the current groups of its neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joining {
    /// The group; a new one if there is none.
    pub group: Option<GroupId>,
    /// Why, in the report's words.
    pub why: String,
}

/// Firmware, on a machine whose path is selected at run time.
pub trait LinuxFirmware: FirmwareMap {
    /// The specifics of Linux's adapter for this language.
    fn linux_quirks(&self) -> LinuxQuirks {
        LinuxQuirks::DEVICE_TREE
    }
}

/// A bus whose devices are grouped as in Linux: step by step, from the current groups and the
/// currently enabled isolation.
pub trait LinuxBus {
    /// The group that `unit` joins (`pci_device_group`), from the current groups of the other units
    /// and the currently enabled isolation.
    ///
    /// `arriving`: the device is still being added, and what its bus finds out about it after that is not
    /// known yet (Linux: `pci_scan_slot` sets `multifunction` when `device_add` is over).
    fn joining(&self, unit: Unit, arriving: bool, group_of: &dyn Fn(Unit) -> Option<GroupId>) -> Joining;

    /// Enables the isolation of `unit` from its neighbours (Linux: `pci_enable_acs`). For `fixed`,
    /// it is enabled before the first device is added.
    fn isolate(&mut self, unit: Unit);
}
