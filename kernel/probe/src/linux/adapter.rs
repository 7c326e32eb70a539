//! What Linux's paths ask of firmware and of buses beyond what [`fixed`](crate::Path::Fixed) asks.

use alloc::string::String;
use alloc::vec::Vec;
use core::any::Any;

use crate::data::id::{FwNode, GroupId, Unit};
use crate::traits::firmware::FirmwareMap;

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

/// In what Linux's adapter for one firmware language differs from the adapter for another; `fixed` treats all
/// languages alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinuxQuirks {
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
    /// Nodes of IOMMUs that Linux does not know, because its adapter finds an IOMMU's node only through a reference
    /// to it, and there is none (`viot_get_iommu`).
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

/// Which group a device joins if groups are whatever its neighbours are in at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joining {
    /// The group; a new one if there is none.
    pub group: Option<GroupId>,
    /// Why, in the report's words.
    pub why: String,
}

/// Firmware, on a machine whose path is chosen when it runs.
pub trait LinuxFirmware: FirmwareMap {
    /// What is particular to Linux's adapter for this language.
    fn linux_quirks(&self) -> LinuxQuirks {
        LinuxQuirks::DEVICE_TREE
    }
}

/// A bus as Linux groups its devices: step by step, by what is known and switched on at that moment.
pub trait LinuxBus: Any {
    /// Which group `unit` joins (`pci_device_group`): from the groups of the other units now, and from the
    /// isolation that is switched on now.
    ///
    /// `arriving`: the device is still being added, and what its bus finds out about it after that is not
    /// known yet (Linux: `pci_scan_slot` sets `multifunction` when `device_add` is over).
    fn joining(&self, unit: Unit, arriving: bool, group_of: &dyn Fn(Unit) -> Option<GroupId>) -> Joining;

    /// Switches on what isolates `unit` from its neighbours (Linux: `pci_enable_acs`). For `fixed` the machine has
    /// it on before the first device is added.
    fn isolate(&mut self, unit: Unit);
}
