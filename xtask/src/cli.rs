//! The commands and their options.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Builds, boots, judges.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask",
    after_help = "Exit status: 0 pass; 1 the verdict is fail, or the kernel ended in an error, a panic or a \
                  timeout; 2 wrong usage; 125 it could not run."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Installs what is missing on this machine, and says first what that is.
    Setup,
    /// Boots the kernel once and shows its report.
    Qemu(QemuArgs),
    /// Runs every check: format, lints, documentation, host tests, and boots of every topology.
    Test(TestArgs),
}

/// Options that every command which builds or boots has.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Common {
    /// QEMU to run [default: qemu-system-aarch64 in PATH].
    #[arg(long, value_name = "PATH")]
    pub(crate) qemu: Option<PathBuf>,
    /// Installs nothing; stops with the command that would, if something is missing.
    #[arg(long)]
    pub(crate) no_setup: bool,
    /// Shows every command that is run, ready to be pasted.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct QemuArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Where the description of the machine comes from [default: as the topology says, else dt].
    #[arg(long, value_name = "WHERE")]
    pub(crate) firmware: Option<Firmware>,
    /// With or without a virtio-iommu [default: as the topology says].
    #[arg(long, value_name = "WHETHER", conflicts_with = "bare")]
    pub(crate) iommu: Option<Iommu>,
    /// Devices and machine options from a topology, by its name or its file.
    #[arg(long, value_name = "NAME|FILE", default_value = "default", conflicts_with = "bare")]
    pub(crate) topology: String,
    /// No device but those after `--`: only machine, CPU, memory and kernel.
    #[arg(long)]
    pub(crate) bare: bool,
    /// Further options for `-M virt`; may be repeated.
    #[arg(long, value_name = "K=V[,K=V]", value_parser = machine_options)]
    pub(crate) machine: Vec<String>,
    /// CPU model [default: cortex-a57].
    #[arg(long, value_name = "MODEL")]
    pub(crate) cpu: Option<String>,
    /// Probe path.
    #[arg(long, value_name = "PATH", default_value = "fixed")]
    pub(crate) path: ProbePath,
    /// A device tree blob instead of QEMU's.
    #[arg(long, value_name = "FILE")]
    pub(crate) dtb: Option<PathBuf>,
    /// Number of CPUs [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=512))]
    pub(crate) smp: Option<u32>,
    /// RAM, as QEMU writes it: 512M, 8G [default: 512M].
    #[arg(long, value_name = "SIZE", value_parser = memory_size)]
    pub(crate) memory: Option<String>,
    /// Words for the kernel's command line.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) append: Option<String>,
    /// Stops a run that takes longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
    /// Waits for a debugger before the first instruction, and has no deadline.
    #[arg(long)]
    pub(crate) gdb: bool,
    /// What carries the report; the log is on the serial port either way [default: semihosting].
    #[arg(long, value_name = "WHICH")]
    pub(crate) console: Option<Console>,
    /// The report as JSON, in FILE or as the only thing on standard output.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Shows the QEMU command and does nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Further arguments for QEMU.
    #[arg(last = true, value_name = "QEMU-ARGS")]
    pub(crate) qemu_args: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Runs only the boot tests whose names contain one of these words.
    #[arg(value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Shows the names of the tests and runs none.
    #[arg(long)]
    pub(crate) list: bool,
    /// Leaves out what needs no QEMU.
    #[arg(long)]
    pub(crate) boot_only: bool,
    /// Leaves out what needs QEMU.
    #[arg(long, conflicts_with_all = ["boot_only", "filters"])]
    pub(crate) host_only: bool,
    /// Results as JSON, in FILE or as the only thing on standard output.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Results as a JUnit report.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Stops a boot that takes longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
}

/// Where the description of the machine comes from; the kernel reads no ACPI tables yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Firmware {
    /// QEMU's device tree, without any firmware.
    #[default]
    Dt,
    /// QEMU's ACPI tables, without any firmware.
    #[value(hide = true)]
    Acpi,
    /// UEFI firmware that hands QEMU's device tree over.
    UefiDt,
    /// UEFI firmware that hands ACPI tables over.
    UefiAcpi,
}

impl Firmware {
    /// The word that selects it, and that the report has for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Dt => "dt",
            Self::Acpi => "acpi",
            Self::UefiDt => "uefi-dt",
            Self::UefiAcpi => "uefi-acpi",
        }
    }

    /// Whether the image is started by UEFI firmware.
    pub(crate) fn is_uefi(self) -> bool {
        matches!(self, Self::UefiDt | Self::UefiAcpi)
    }

    /// Whether the kernel understands what it would find there.
    pub(crate) fn is_understood(self) -> bool {
        matches!(self, Self::Dt | Self::UefiDt)
    }
}

/// With or without an IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Iommu {
    On,
    Off,
}

/// Which probe path the kernel takes; others than `fixed` are not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProbePath {
    Fixed,
    #[value(hide = true)]
    Upstream,
    #[value(hide = true)]
    Regressed,
    #[value(hide = true)]
    Legacy,
}

/// What carries the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Console {
    /// A file on the host.
    #[default]
    Semihosting,
    /// The serial port, between the lines of the log. The machine then has no semihosting at all.
    Pl011,
}

/// Checks `K=V[,K=V]`.
fn machine_options(text: &str) -> Result<String, String> {
    let is_option =
        |option: &str| option.split_once('=').is_some_and(|(k, v)| !k.is_empty() && !v.is_empty());
    if text.split(',').all(is_option) { Ok(text.into()) } else { Err("expected K=V[,K=V]".into()) }
}

/// Checks a size as QEMU's `-m` takes it.
fn memory_size(text: &str) -> Result<String, String> {
    let digits = text.strip_suffix(['K', 'M', 'G', 'T', 'k', 'm', 'g', 't']).unwrap_or(text);
    match digits.parse::<u64>() {
        Ok(size) if size > 0 => Ok(text.into()),
        _ => Err("expected a number with K, M, G or T".into()),
    }
}
