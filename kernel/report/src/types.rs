//! The report's types; their serde form is the JSON contract `iogroups/1`.
//!
//! Lists are in the order in which things happened. Names are Linux's.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::dma::DeviceDma;
use crate::explained::Explained;
use crate::group_type::GroupType;
use crate::hot_plug::HotPlug;
use crate::map_speed::MapSpeed;
use crate::operation::Operation;
use crate::suite::SuiteReport;

/// Value of [`Report::schema`].
pub const SCHEMA: &str = "iogroups/1";

/// One run, from reset to verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// What was run.
    pub run: Run,
    /// IOMMU instances that a driver bound, ready or not.
    pub iommus: Vec<Iommu>,
    /// IOMMU groups in the order of their numbers.
    pub groups: Vec<Group>,
    /// Every device, in the order in which they were added.
    pub devices: Vec<Device>,
    /// What the run itself has to warn of: a late probe, an unknown word on the command line.
    pub warnings: Vec<String>,
    /// What a developer should know about the machine and its firmware.
    pub findings: Vec<Finding>,
    /// The invariants I1 to I11 of the probe path.
    pub invariants: Vec<Invariant>,
    /// What two CPUs did together, if they were asked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub two_cpus: Option<TwoCpus>,
    /// The result of a scenario that two CPUs ran, if the command line asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub race: Option<Race>,
    /// What was done to devices and groups after the boot, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Operation>,
    /// What happened in slots after the boot, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hot_plug: Vec<HotPlug>,
    /// What each device transferred, if that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dma: Vec<DeviceDma>,
    /// Devices whose groups were to be explained.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explained: Vec<Explained>,
    /// The suites that ran in the guest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suites: Vec<SuiteReport>,
    /// How fast mappings are made and removed, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map_speed: Option<MapSpeed>,
    /// Where the time went.
    pub timing_us: Timing,
    /// The verdict.
    pub result: Verdict,
    /// Why the verdict is [`Verdict::Fail`]: one sentence a reason, the most important one first. Empty for others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_because: Vec<String>,
    /// Why the run could not be completed, if it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How the run was started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// `dt`, `acpi`, `uefi-dt`, `uefi-acpi`.
    pub firmware: String,
    /// Probe path: `fixed`, `upstream`, `regressed`, `legacy`.
    pub path: String,
    /// Kernel command line.
    pub cmdline: String,
    /// Exception level at entry, 1 or 2; 0 if the run ended before it was known.
    pub exception_level: u8,
    /// CPUs that firmware describes.
    pub cpus: u32,
    /// RAM that firmware describes, in bytes.
    #[serde(default)]
    pub memory_bytes: u64,
    /// The order of devices and drivers that was asked for, as on the command line: `seed:7`, or names; none if
    /// it was Linux's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
}

/// The self-test of two CPUs: both count, with a lock and without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwoCpus {
    /// The second CPU, by the affinity fields of its MPIDR.
    pub affinity: String,
    /// Rounds in which both counted under the lock.
    pub rounds: u64,
    /// Pieces that each CPU did in these rounds.
    pub pieces: [u64; 2],
    /// What they counted: all pieces, if the lock keeps them apart.
    pub counted: u64,
    /// Number of times that the CPU changed between two pieces.
    pub switches: u64,
    /// Increments without the lock.
    pub unlocked: u64,
    /// How many of these were lost.
    pub lost_unlocked: u64,
    /// Whether both CPUs were seen to run at the same time there, and did not take turns.
    pub at_the_same_time: bool,
}

/// A scenario that two CPUs played again and again: one walks the buses for IOMMUs, the other one binds their users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Race {
    /// What the scenario shows.
    pub about: String,
    /// The path.
    pub path: String,
    /// Where pauses and choices came from.
    pub seed: u64,
    /// Rounds, each with a machine of its own.
    pub rounds: u64,
    /// Pieces of work that each CPU did, in all rounds.
    pub pieces: [u64; 2],
    /// Number of times that the CPU changed between two pieces.
    pub switches: u64,
    /// Invariants that some rounds broke.
    pub broken: Vec<BrokenInRace>,
    /// Invariants that some order of the steps violates on this path according to the scenario, and that no round
    /// violated.
    pub not_provoked: Vec<String>,
    /// What the rounds ended in.
    pub partitions: Vec<ReachedInRace>,
}

/// An invariant that some rounds of a race broke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenInRace {
    /// `I1` to `I11`.
    pub id: String,
    /// How many rounds did.
    pub rounds: u64,
    /// The first such round, counted from 1.
    pub first_round: u64,
    /// The violation in that round.
    pub broken_by: String,
}

/// Groups in which some rounds of a race ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachedInRace {
    /// Members of each group, in the order of their names.
    pub groups: Vec<Vec<String>>,
    /// How many rounds did.
    pub rounds: u64,
}

/// One IOMMU instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Iommu {
    /// Name of the device that it is: `0000:00:01.0`.
    pub name: String,
    /// Driver that bound it.
    pub driver: String,
    /// `pci` or `mmio`.
    pub transport: String,
    /// Where it got to.
    pub state: IommuState,
    /// Lowest set bit is the granule; in hexadecimal, as all addresses.
    pub page_size_mask: String,
    /// First and last I/O virtual address.
    pub input_range: [String; 2],
    /// First and last domain ID.
    pub domain_range: [String; 2],
    /// Whether endpoints that are attached to no domain reach memory.
    pub bypass: bool,
    /// Devices that it translates, in the order in which they were grouped.
    pub devices: Vec<String>,
}

/// How far an IOMMU instance got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IommuState {
    /// It can be looked up; devices are being replayed.
    Published,
    /// All devices have been replayed.
    Ready,
    /// Its registration ended with an error; no lookup finds it.
    Unregistered,
    /// It stopped answering.
    Dead,
}

/// One IOMMU group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its number.
    pub id: u32,
    /// Type of its default domain.
    #[serde(rename = "type")]
    pub kind: GroupType,
    /// Reserved regions of all members, sorted, neighbours of one type merged.
    pub reserved_regions: Vec<ReservedRegion>,
    /// Members in the order in which they joined.
    pub devices: Vec<String>,
}

/// One reserved region, both ends included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservedRegion {
    /// First address.
    pub start: String,
    /// Last address.
    pub end: String,
    /// `direct`, `reserved`, `msi`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// One device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Linux's name: `0000:01:00.0`, `a000000.virtio_mmio`.
    pub name: String,
    /// `pci`, `platform`, `amba`.
    pub bus: String,
    /// PCI vendor and device (`1af4:1041`), or the first `compatible`.
    pub id: String,
    /// PCI class (`0x020000`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// PCI function type, or `platform`.
    pub kind: String,
    /// Driver that is bound.
    pub driver: Option<String>,
    /// Group that it is in.
    pub group: Option<u32>,
    /// IOMMU that translates it; the first, if several do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iommu: Option<String>,
    /// Endpoint IDs by which the IOMMU knows it; those of all IOMMUs, if there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// What in firmware led to the IOMMU: `iommu-map`, `iommus`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Each IOMMU with its endpoints, where several translate the device; empty where one does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub translations: Vec<Translation>,
    /// What made the core probe it: `add`, `replay`, `bind`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// Why it is in this group, or why in none.
    pub why: String,
    /// Whether it has no group although firmware means it to be translated: its IOMMU failed, refused it, has no
    /// driver or never became ready, or firmware's map is broken where it needs it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub isolation_lost: bool,
    /// The bus directly behind a bridge that has bus numbers: `0x01`. Functions on that bus are below the bridge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary_bus: Option<String>,
    /// Physical function of a virtual function (SR-IOV).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physfn: Option<String>,
    /// Virtual functions, for a function that can have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vfs: Option<VirtualFunctions>,
    /// Whether it is behind a port that leads out of the machine.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub untrusted: bool,
    /// ACS capability and control registers, for a function that has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acs: Option<Acs>,
}

/// Virtual functions of a physical function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualFunctions {
    /// How many there are.
    pub enabled: u16,
    /// How many there can be.
    pub total: u16,
}

/// One of several IOMMUs that translate a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Translation {
    /// Name of the IOMMU.
    pub iommu: String,
    /// Endpoint IDs by which it knows the device.
    pub endpoints: Vec<String>,
    /// What in firmware led to it.
    pub source: String,
}

/// ACS registers of a PCI function (PCIe 6.0, section 7.7.11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acs {
    /// ACS Capability Register.
    pub capability: String,
    /// ACS Control Register.
    pub control: String,
}

/// How much a [`Finding`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For information; everything works.
    Info,
    /// Something was left out or worked around.
    Warning,
    /// Isolation is lost, or the description of a part of the machine; the verdict is then [`Verdict::Fail`].
    Error,
}

/// Something about the machine or its firmware.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable word: `map-covers-iommu`.
    pub id: String,
    /// How much it matters.
    pub severity: Severity,
    /// The most exact place: a device, a PCI address and register, a device tree node or property
    /// (`/node:property[entry]`), a table's node with its offset, an object of the namespace.
    pub device: String,
    /// `what; consequence`, without the place.
    pub sentence: String,
}

/// One invariant of the probe path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invariant {
    /// `I1` to `I11`.
    pub id: String,
    /// Whether it held all the time.
    pub holds: bool,
    /// What broke it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_by: Option<String>,
}

/// Times since reset, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// From the first instruction to the finished report.
    pub total: u64,
}

/// The verdict on a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything held.
    Pass,
    /// Isolation is lost, an invariant or an expectation is broken, or there is a finding of severity error.
    Fail,
    /// The run could not be completed.
    Error,
}
