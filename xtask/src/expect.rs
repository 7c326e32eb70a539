//! What a boot must give, as data.

use std::collections::BTreeMap;

use report::GroupType;
use serde::Deserialize;

use crate::outcome::Kind;

/// What a boot must give. A topology without groups and without a Linux answer expects no group.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// The machine under `xtask/linux/expected` whose answer this one must equal.
    pub(crate) linux: Option<String>,
    /// How the run must end.
    #[serde(default)]
    pub(crate) result: Kind,
    /// For each reason to fail that must be given, words that are all in it.
    #[serde(default)]
    pub(crate) because: Vec<Vec<String>>,
    /// Invariants that must be broken, by number; the others must hold. The result is then `fail`.
    #[serde(default)]
    pub(crate) breaks: Vec<String>,
    /// Invariants that may be broken or not, as the timing of two CPUs has it.
    #[serde(default)]
    pub(crate) may_break: Vec<String>,
    /// Rounds of a race that there must be.
    #[serde(skip)]
    pub(crate) rounds: Option<u64>,
    /// Type of every group; with a Linux answer, instead of Linux's.
    #[serde(rename = "type")]
    pub(crate) kind: Option<GroupType>,
    /// Type of the group of a device where it is not that of every group, by the device's name.
    #[serde(default)]
    pub(crate) types: BTreeMap<String, GroupType>,
    /// Reserved regions of every group, as Linux lists them.
    pub(crate) reserved: Option<Vec<String>>,
    /// Reserved regions that the group of a device has beside those of every group, by the device's name.
    #[serde(default)]
    pub(crate) also_reserved: BTreeMap<String, Vec<String>>,
    /// Members of the groups in the order of their numbers.
    #[serde(default)]
    pub(crate) groups: Vec<Vec<String>>,
    /// Devices without a group, and how the reason begins.
    #[serde(default)]
    pub(crate) without: BTreeMap<String, String>,
    /// How the reason of every other PCI function begins, which then may be without a group too.
    #[serde(skip)]
    pub(crate) without_others: Option<&'static str>,
    /// Drivers of devices, by their names; `-` for none. Of others, nothing is expected.
    #[serde(default)]
    pub(crate) drivers: BTreeMap<String, String>,
    /// What each operation after the boot led to, in the words of the text report.
    #[serde(default)]
    pub(crate) operations: Vec<String>,
    /// What each change of a slot led to, in the words of the text report.
    #[serde(default)]
    pub(crate) hot_plug: Vec<String>,
    /// ACS control registers of functions, by their names. Of others, nothing is expected.
    #[serde(default)]
    pub(crate) acs: BTreeMap<String, String>,
    /// What each device that transferred data did, by its name.
    #[serde(default)]
    pub(crate) dma: BTreeMap<String, ExpectedDma>,
    /// Number of cases of each suite that ran in the guest, by the suite's name.
    #[serde(default)]
    pub(crate) suites: BTreeMap<String, ExpectedSuite>,
    /// IOMMU instances, in the order in which they arrived.
    pub(crate) iommus: Option<Vec<String>>,
    /// What each of several instances translates; an instance that is not listed is not compared.
    #[serde(default)]
    pub(crate) translated: BTreeMap<String, Translated>,
    /// For each expected finding or error, words that are all in it. A finding of severity warning or
    /// error that is not expected is a failure.
    #[serde(default)]
    pub(crate) findings: Vec<Vec<String>>,
    /// The same for findings that may be there or not: on the paths of Linux, those that `fixed` expects; in a run that
    /// ends with an error, those of every machine of this QEMU.
    #[serde(skip)]
    pub(crate) tolerated: Vec<Vec<String>>,
    /// For each expected warning, a part of it.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    /// Bound on the guest's instructions from reset to the report. With `-icount shift=0` each is a
    /// nanosecond of the report's time.
    pub(crate) instructions_below: Option<u64>,
    /// The groups of a saved report, in place of `groups`, with their types and regions.
    #[serde(skip)]
    pub(crate) of_report: Option<Vec<report::Group>>,
    /// Whether groups may have any numbers, and IOMMUs come in any order.
    #[serde(skip)]
    pub(crate) any_numbers: bool,
    /// What the run's facts must be.
    #[serde(default)]
    pub(crate) run: ExpectedRun,
}

/// What one IOMMU instance must have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Translated {
    /// Every device that it translates.
    pub(crate) devices: Vec<String>,
    /// Reserved regions of the groups behind it, as Linux lists them, if they are not those of every group.
    #[serde(default)]
    pub(crate) reserved: Vec<String>,
}

/// How the cases of a suite must have ended; none may have failed if the run passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectedSuite {
    pub(crate) passed: usize,
    pub(crate) skipped: usize,
}

/// What a device must have transferred.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectedDma {
    /// Type of the domain that translates it; `none` if nothing does.
    pub(crate) translation: String,
    /// Number of transfers.
    pub(crate) transfers: usize,
    /// Number of accesses that were refused.
    pub(crate) refused: usize,
    /// For how many of them the IOMMU lost faults, for want of event buffers.
    #[serde(default)]
    pub(crate) lost: usize,
    /// Words of the reason why nothing translates it.
    #[serde(default)]
    pub(crate) why: String,
}

/// Facts about the run that show that the machine was the one meant.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectedRun {
    /// Exception level at entry.
    pub(crate) exception_level: Option<u8>,
    /// CPUs that firmware describes.
    pub(crate) cpus: Option<u32>,
    /// RAM that firmware describes, in MiB.
    pub(crate) memory_mib: Option<u64>,
    /// Names of devices that must exist, in a group or not; the name of a host bridge contains the address of its ECAM.
    #[serde(default)]
    pub(crate) devices: Vec<String>,
}
