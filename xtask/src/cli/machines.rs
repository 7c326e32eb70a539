//! Options of the commands that boot one machine.

use std::path::PathBuf;

use clap::Args;
use report::{Console, Firmware};

use super::common::Common;
use crate::choices::{self, Iommu};

#[derive(Clone, Debug, Args)]
pub(crate) struct QemuArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Source of the machine description [default: the topology's, or dt].
    #[arg(long, value_name = "WHERE", value_parser = choices::parser::<Firmware>())]
    pub(crate) firmware: Option<Firmware>,
    /// With or without a virtio-iommu [default: the topology's].
    #[arg(long, value_name = "WHETHER", conflicts_with = "bare", value_parser = choices::parser::<Iommu>())]
    pub(crate) iommu: Option<Iommu>,
    /// Devices and machine options of a topology, by name or file [default: default; dma with --dma].
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "bare")]
    pub(crate) topology: Option<String>,
    /// Adds no devices except those after `--`.
    #[arg(long)]
    pub(crate) bare: bool,
    /// Further options for `-M virt`; may be repeated [default: the topology's].
    #[arg(long, value_name = "K=V[,K=V]", value_parser = machine_options)]
    pub(crate) machine: Vec<String>,
    /// 64-bit CPU model [default: the topology's, or cortex-a57].
    #[arg(long, value_name = "MODEL")]
    pub(crate) cpu: Option<String>,
    /// Probe path: ours (fixed), or that of a range of Linux versions with its defects [default: fixed].
    #[arg(long, value_name = "PATH", value_parser = choices::parser::<probe::Path>())]
    pub(crate) path: Option<probe::Path>,
    /// Order of devices and drivers: seed:N, or names with * for the rest [default: Linux's].
    #[arg(long, value_name = "seed:N|NAME,NAME,*,NAME", value_parser = order)]
    pub(crate) order: Option<String>,
    /// A device tree blob, from a file or a pipe [default: QEMU's].
    #[arg(long, value_name = "FILE")]
    pub(crate) dtb: Option<PathBuf>,
    /// Files with one ACPI table each; each replaces QEMU's table with the same signature, or is added. Only with
    /// --firmware acpi or uefi-acpi [default: QEMU's].
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) tables: Vec<PathBuf>,
    /// Number of CPUs [default: the topology's, or 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=512))]
    pub(crate) smp: Option<u32>,
    /// RAM in QEMU's notation: 512M, 8G [default: the topology's, or 512M].
    #[arg(long, value_name = "SIZE", value_parser = memory_size)]
    pub(crate) memory: Option<String>,
    /// Words for the kernel command line; `report=text|verbose|json|ktap` selects the output [default: none].
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) append: Option<String>,
    /// Stops a run that takes longer; not with --gdb.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
    /// Waits for a debugger before the first instruction, without a timeout.
    #[arg(long)]
    pub(crate) gdb: bool,
    /// Channel of the report; the log is always on the serial port [default: the topology's, or
    /// semihosting].
    #[arg(long, value_name = "WHICH", value_parser = choices::parser::<Console>())]
    pub(crate) console: Option<Console>,
    /// The report as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Expected number of groups; any other number is a failure [default: any].
    #[arg(long, value_name = "N")]
    pub(crate) expect_groups: Option<u32>,
    /// Expected result: a report saved with --json, a topology, or a file with only an `[expect]` table; each
    /// difference is a failure [default: none].
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,
    /// Lets the devices transfer data, and reports what they were refused.
    #[arg(long)]
    pub(crate) dma: bool,
    /// Tests of the machine's devices, run in the guest after the groups have been reported [default: none].
    #[arg(long, value_name = "WHICH", value_parser = ["protocol", "isolation", "all"])]
    pub(crate) suite: Option<String>,
    /// Prints the QEMU command and does nothing else.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Further arguments for QEMU [default: none].
    #[arg(last = true, value_name = "QEMU-ARGS")]
    pub(crate) qemu_args: Vec<String>,
}

impl QemuArgs {
    /// Name or file of the topology: a machine whose devices can transfer data, if they are to.
    pub(crate) fn topology(&self) -> &str {
        self.topology.as_deref().unwrap_or(if self.dma { "dma" } else { "default" })
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Devices by the names in the report: 0000:01:00.0.
    #[arg(value_name = "DEVICE", required = true)]
    pub(crate) devices: Vec<String>,
    #[command(flatten)]
    pub(crate) qemu: QemuArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RaceArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Scenario, by name or file.
    #[arg(value_name = "NAME|FILE")]
    pub(crate) scenario: String,
    /// Probe path: ours (fixed), or that of a range of Linux versions with its defects [default: fixed].
    #[arg(long, value_name = "PATH", value_parser = choices::parser::<probe::Path>())]
    pub(crate) path: Option<probe::Path>,
    /// Number of rounds, each with a new model machine.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) rounds: u64,
    /// Seed of the pauses between work items; the interleaving still varies from run to run.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// 64-bit CPU model [default: cortex-a57].
    #[arg(long, value_name = "MODEL")]
    pub(crate) cpu: Option<String>,
    /// Stops a run that takes longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
    /// The report as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Prints the QEMU command and does nothing else.
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
        return Err("expected seed:N, or names of devices and drivers separated by commas".into());
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
