//! Options of the commands that boot many times.

use std::path::{Path, PathBuf};

use clap::Args;
use report::Firmware;

use super::common::Common;
use crate::choices::{self, Iommu};

#[derive(Clone, Debug, Args)]
pub(crate) struct TestArgs {
    /// QEMU to run; may be repeated, every boot then runs on each of them [default: qemu-system-aarch64 in PATH].
    #[arg(long, value_name = "PATH")]
    pub(crate) qemu: Vec<PathBuf>,
    /// Installs nothing; if something is missing, prints the install command and stops.
    #[arg(long)]
    pub(crate) no_setup: bool,
    /// Prints every command before it runs.
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Runs only the boot tests whose names contain one of these words [default: every check].
    #[arg(value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Runs only boots with this source of the machine description; may be repeated [default: all].
    #[arg(long, value_name = "WHERE", value_parser = choices::parser::<Firmware>())]
    pub(crate) firmware: Vec<Firmware>,
    /// With --exact, a filter is the whole name of a boot.
    #[arg(long, requires = "filters")]
    pub(crate) exact: bool,
    /// Runs only boots on this probe path; may be repeated [default: all].
    #[arg(long, value_name = "PATH", value_parser = choices::parser::<probe::Path>())]
    pub(crate) path: Vec<probe::Path>,
    /// Runs only boots of machines with or without a virtio-iommu [default: both].
    #[arg(long, value_name = "WHETHER", value_parser = choices::parser::<Iommu>())]
    pub(crate) iommu: Option<Iommu>,
    /// Runs only the tests that failed when they last ran.
    #[arg(long, conflicts_with_all = ["filters", "host_only"])]
    pub(crate) failed: bool,
    /// Prints the names of the tests and runs none.
    #[arg(long)]
    pub(crate) list: bool,
    /// Runs only the tests that need QEMU.
    #[arg(long)]
    pub(crate) boot_only: bool,
    /// Runs only the tests that do not need QEMU.
    #[arg(long, conflicts_with_all = ["boot_only", "filters"])]
    pub(crate) host_only: bool,
    /// Stops after the first failure.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Number of boots at the same time [default: number of CPUs].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,
    /// Results as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Results as a JUnit report [default: none].
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Results as KTAP [default: none].
    #[arg(long, value_name = "FILE")]
    pub(crate) ktap: Option<PathBuf>,
    /// Keeps the report of every boot as DIR/NAME.json; the directory is created [default: that of the logs].
    #[arg(long, value_name = "DIR")]
    pub(crate) reports: Option<PathBuf>,
    /// Keeps the console log of every boot as DIR/NAME.log, and the results as DIR/results.json; the directory is
    /// created [default: target/test-logs].
    #[arg(long, value_name = "DIR")]
    pub(crate) logs: Option<PathBuf>,
    /// Stops a boot that takes longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
}

impl TestArgs {
    /// What it has in common with other commands, for one of its QEMUs.
    pub(crate) fn common(&self, qemu: Option<&Path>) -> Common {
        Common { qemu: qemu.map(Path::to_owned), no_setup: self.no_setup, verbose: self.verbose }
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DamageArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Seed of the damage; the same seed gives the same boots.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Number of boots.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) boots: u64,
    /// Boots only this one, prints its log and keeps its files in target/damage [default: all].
    #[arg(long, value_name = "BOOT", conflicts_with = "boots")]
    pub(crate) only: Option<u64>,
    /// Damages this topology's machine; may be repeated [default: eight of different kinds].
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) topology: Vec<String>,
    /// Source of the machine description; may be repeated [default: dt and acpi].
    #[arg(long, value_name = "WHERE", value_parser = choices::parser::<Firmware>())]
    pub(crate) firmware: Vec<Firmware>,
    /// Number of boots at the same time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: u16,
    /// Results as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Stops a boot that takes longer and counts it as failed.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct GrowthArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Number of PCI functions of the largest machine.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(32..=crate::growth::devices::MOST as u64))]
    pub(crate) functions: usize,
    /// Source of the machine description.
    #[arg(long, value_name = "WHERE", default_value = "dt", value_parser = choices::parser::<Firmware>())]
    pub(crate) firmware: Firmware,
    /// Results as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Stops a boot that takes longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SpeedArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Measures how fast the IOMMU makes and removes mappings, one by one, batched and joined, instead of boots.
    #[arg(long)]
    pub(crate) map: bool,
    /// Topology of the machine, by name or file.
    #[arg(long, value_name = "NAME|FILE", default_value = "default")]
    pub(crate) topology: String,
    /// Results as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Stops a boot that takes longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
}
