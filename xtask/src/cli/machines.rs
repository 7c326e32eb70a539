//! Options of the commands that boot one machine.

use std::path::PathBuf;

use clap::Args;

use super::Common;
use crate::choices::{Console, Firmware, Iommu};
use crate::probe_path;

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
    /// Further options for `-M virt`; may be repeated [default: as the topology says].
    #[arg(long, value_name = "K=V[,K=V]", value_parser = machine_options)]
    pub(crate) machine: Vec<String>,
    /// CPU model; a 64-bit one [default: as the topology says, or cortex-a57].
    #[arg(long, value_name = "MODEL")]
    pub(crate) cpu: Option<String>,
    /// Probe path: ours, or that of a Linux with its defects [default: fixed].
    #[arg(long, value_name = "PATH", value_parser = probe_path::parser())]
    pub(crate) path: Option<probe::Path>,
    /// Order of devices and drivers: seed:N, or names, with * for the rest [default: Linux's].
    #[arg(long, value_name = "seed:N|NAME,NAME,*,NAME", value_parser = order)]
    pub(crate) order: Option<String>,
    /// A device tree blob, from a file or a pipe [default: QEMU's].
    #[arg(long, value_name = "FILE")]
    pub(crate) dtb: Option<PathBuf>,
    /// Files with one ACPI table each, in place of QEMU's of the same signature, or beside them; only where the
    /// description is in tables (--firmware acpi, uefi-acpi) [default: QEMU's].
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) tables: Vec<PathBuf>,
    /// Number of CPUs [default: as the topology says, or 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=512))]
    pub(crate) smp: Option<u32>,
    /// RAM, as QEMU writes it: 512M, 8G [default: as the topology says, or 512M].
    #[arg(long, value_name = "SIZE", value_parser = memory_size)]
    pub(crate) memory: Option<String>,
    /// Words for the kernel's command line; `report=text|json|ktap` chooses what is printed [default: none].
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) append: Option<String>,
    /// Stops a run that takes longer; not with --gdb.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
    /// Waits for a debugger before the first instruction, and has no deadline.
    #[arg(long)]
    pub(crate) gdb: bool,
    /// What carries the report; the log is on the serial port either way [default: as the topology says,
    /// or semihosting].
    #[arg(long, value_name = "WHICH")]
    pub(crate) console: Option<Console>,
    /// The report as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// How many groups there must be; another number is a failure [default: any].
    #[arg(long, value_name = "N")]
    pub(crate) expect_groups: Option<u32>,
    /// What the boot must give: a report that was saved with --json, a topology, or a file with its `[expect]` alone;
    /// each difference is a failure [default: the verdict decides].
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,
    /// Shows the QEMU command and does nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Further arguments for QEMU [default: none].
    #[arg(last = true, value_name = "QEMU-ARGS")]
    pub(crate) qemu_args: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RaceArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// A scenario, by its name or its file.
    #[arg(value_name = "NAME|FILE")]
    pub(crate) scenario: String,
    /// Probe path: ours, or that of a Linux with its defects [default: fixed].
    #[arg(long, value_name = "PATH", value_parser = probe_path::parser())]
    pub(crate) path: Option<probe::Path>,
    /// How often, each time with a new machine.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) rounds: u64,
    /// Where the pauses between two pieces of work come from; timing differs from run to run all the same.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// CPU model; a 64-bit one [default: cortex-a57].
    #[arg(long, value_name = "MODEL")]
    pub(crate) cpu: Option<String>,
    /// Stops a run that takes longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
    /// The report as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Shows the QEMU command and does nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Further arguments for QEMU [default: none].
    #[arg(last = true, value_name = "QEMU-ARGS")]
    pub(crate) qemu_args: Vec<String>,
}

/// Checks `K=V[,K=V]`.
fn machine_options(text: &str) -> Result<String, String> {
    let is_option =
        |option: &str| option.split_once('=').is_some_and(|(k, v)| !k.is_empty() && !v.is_empty());
    if text.split(',').all(is_option) { Ok(text.into()) } else { Err("expected K=V[,K=V]".into()) }
}

/// Checks that an order is one word of the kernel's command line; the names in it are the kernel's to know.
fn order(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err("expected seed:N, or names of devices and drivers with commas between them".into());
    }
    Ok(text.into())
}

/// Checks a size as QEMU's `-m` takes it.
fn memory_size(text: &str) -> Result<String, String> {
    let digits = text.strip_suffix(['K', 'M', 'G', 'T', 'k', 'm', 'g', 't']).unwrap_or(text);
    match digits.parse::<u64>() {
        Ok(size) if size > 0 => Ok(text.into()),
        _ => Err("expected a number with K, M, G or T".into()),
    }
}
