//! A scenario as it is written down.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::step::Step;

/// A machine, what happens to it, and what is expected of each path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// What it shows, in one sentence.
    pub about: String,
    /// Where it comes from: a commit, a message, a run of a real kernel.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Whose adapter Linux would use.
    #[serde(default)]
    pub firmware: Firmware,
    /// How many things can be under way at once when every order is tried.
    #[serde(default = "two", skip_serializing_if = "is_two")]
    pub cpus: usize,
    /// What can come in between when every order is tried.
    #[serde(default, skip_serializing_if = "Grain::is_default")]
    pub grain: Grain,
    /// Nothing goes on by itself: every piece is a `go` or a `rest`. So is what an exploration writes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stepwise: bool,
    /// What happens before, always in this order, and each to its end: a machine that boots adds what its scan finds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boot: Vec<Step>,
    /// What happens, in this order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// PCI functions and platform devices.
    #[serde(default, rename = "device")]
    pub devices: Vec<Device>,
    /// Drivers.
    #[serde(default, rename = "driver")]
    pub drivers: Vec<Driver>,
    /// Where requester IDs lead (`iommu-map`, VIOT PCI ranges).
    #[serde(default, rename = "map", skip_serializing_if = "Vec::is_empty")]
    pub maps: Vec<Map>,
    /// What comes of it, by path; what is not said is not compared.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect: BTreeMap<String, Expect>,
}

/// Which of Linux's firmware adapters it stands for ([`probe::LinuxQuirks`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// A device tree.
    #[default]
    Dt,
    /// ACPI tables.
    Acpi,
}

/// How small the pieces are between which something else can happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grain {
    /// An IOMMU's walk can be interrupted: between two devices, while the probe lock is free in the middle of one,
    /// before default domains, before it is ready. Arrivals and binds are done in one go.
    #[default]
    Walk,
    /// Arrivals and binds can be interrupted as well, wherever Linux lets go of its locks.
    Piece,
}

impl Grain {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    fn is_default(&self) -> bool {
        *self == Self::Walk
    }
}

/// A device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Device {
    /// A PCI function if it is a PCI address (`0000:01:00.0`); else a platform device.
    pub name: String,
    /// Name of the driver that is for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Kind of a PCI function, in the report's words; `conventional` if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// First and last bus behind it, if it is a bridge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buses: Option<(u8, u8)>,
    /// It has an ACS capability that can isolate.
    #[serde(default, skip_serializing_if = "is_false")]
    pub acs: bool,
    /// Its header says that its slot has more functions.
    #[serde(default, skip_serializing_if = "is_false")]
    pub multifunction: bool,
    /// The IOMMUs and endpoints that firmware names for a platform device (`iommus`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub iommus: Vec<(String, u32)>,
    /// A platform device that is the host bridge of this segment: its functions can be added while it is bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_bridge: Option<u16>,
    /// It is an IOMMU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iommu: Option<Iommu>,
}

/// What kind of IOMMU a device is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Iommu {
    /// Endpoints that it does not know: it answers NOENT.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<u32>,
    /// Firmware has no node for it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub without_node: bool,
    /// Firmware says that it must not be used.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
}

/// A driver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Driver {
    /// Its name.
    pub name: String,
    /// It leaves the ownership of DMA to others (`pcieport`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub manages_dma: bool,
    /// Its own probe fails for every device.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fails: bool,
}

/// One entry of the map from requester IDs to IOMMUs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Map {
    /// The segment of the functions.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub segment: u16,
    /// First and last requester ID.
    pub ids: (u16, u16),
    /// The IOMMU.
    pub iommu: String,
    /// Endpoint of the first ID.
    #[serde(default)]
    pub base: u32,
}

/// What comes of a scenario on one path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// Members of each group, as sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Vec<String>>>,
    /// Devices without a group, each with the reason, or how it begins.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub without: BTreeMap<String, String>,
    /// Invariants that are broken after the steps, in their order: `I2`, `I9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaks: Option<Vec<String>>,
    /// Events that come in this order, others between them: `late DEVICE`, `grouped DEVICE`, `bound DEVICE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    /// Events that do not come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_events: Option<Vec<String>>,
    /// Invariants that some order of the steps breaks, if every order is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub some_order_breaks: Option<Vec<String>>,
    /// How many partitions the orders end in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<usize>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u16) -> bool {
    *number == 0
}

fn two() -> usize {
    2
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_two(number: &usize) -> bool {
    *number == 2
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}
