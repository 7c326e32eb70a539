//! A scenario as it is written down.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::step::Step;

/// A machine, its steps, and the expected result on each path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// The purpose, in one sentence.
    pub about: String,
    /// The origin: a commit, a message, a run of a real kernel.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The firmware adapter that Linux would use.
    #[serde(default)]
    pub firmware: Firmware,
    /// The maximum number of activities in progress when every order is tried.
    #[serde(default = "two", skip_serializing_if = "is_two")]
    pub cpus: usize,
    /// The granularity of interruptions when every order is tried.
    #[serde(default, skip_serializing_if = "Grain::is_default")]
    pub grain: Grain,
    /// Activities only continue through `go` and `rest`. Scenarios from an exploration are
    /// stepwise.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stepwise: bool,
    /// Steps of the boot, always in this order and each to its end: a booting machine adds the
    /// devices that its scan finds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boot: Vec<Step>,
    /// The steps, in order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// PCI functions and platform devices.
    #[serde(default, rename = "device")]
    pub devices: Vec<Device>,
    /// Drivers.
    #[serde(default, rename = "driver")]
    pub drivers: Vec<Driver>,
    /// The map from requester IDs to IOMMUs (`iommu-map`, VIOT PCI ranges).
    #[serde(default, rename = "map", skip_serializing_if = "Vec::is_empty")]
    pub maps: Vec<Map>,
    /// Expected results by path; absent ones are not compared.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect: BTreeMap<String, Expect>,
}

/// The firmware adapter of Linux ([`probe::LinuxQuirks`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// A device tree.
    #[default]
    Dt,
    /// ACPI tables.
    Acpi,
}

/// The size of the pieces between which other activities can run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grain {
    /// An IOMMU's walk can be interrupted: between two devices, while the probe lock is free in the
    /// middle of one, before default domains, before it is ready. Arrivals and binds are not
    /// interrupted.
    #[default]
    Walk,
    /// Arrivals and binds can be interrupted as well, at each point where Linux releases its locks.
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
    /// Name of the driver that matches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Kind of a PCI function, as in the report; the default is `conventional`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// First and last bus behind it, if it is a bridge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buses: Option<(u8, u8)>,
    /// Whether it has an ACS capability that can isolate.
    #[serde(default, skip_serializing_if = "is_false")]
    pub acs: bool,
    /// Whether its header has the multi-function bit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub multifunction: bool,
    /// The IOMMUs and endpoints of a platform device in firmware's description (`iommus`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub iommus: Vec<(String, u32)>,
    /// A platform device that is the host bridge of this segment: its functions can be added while it is bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_bridge: Option<u16>,
    /// The IOMMU in this device, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iommu: Option<Iommu>,
}

/// The behaviour of an IOMMU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Iommu {
    /// Endpoints that it does not know; it answers with NOENT.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<u32>,
    /// Whether firmware lacks a node for it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub without_node: bool,
    /// Whether firmware disables it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
}

/// A driver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Driver {
    /// Its name.
    pub name: String,
    /// Whether it does not own the DMA of its devices (`pcieport`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub manages_dma: bool,
    /// Whether its own probe fails for every device.
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

/// The expected result of a scenario on one path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// Members of each group, as sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Vec<String>>>,
    /// Devices without a group, each with the reason or the start of its text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub without: BTreeMap<String, String>,
    /// Types of the default domains of the groups of these devices, in the words of Linux's `type` file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, String>,
    /// Invariants that are broken after the steps, in their order: `I2`, `I9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaks: Option<Vec<String>>,
    /// Events that occur in this order, possibly with others between them: `late DEVICE`, `grouped
    /// DEVICE`, `bound DEVICE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    /// Events that do not occur.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_events: Option<Vec<String>>,
    /// Invariants that some order of the steps breaks, if every order is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub some_order_breaks: Option<Vec<String>>,
    /// The number of partitions in which the orders end.
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
