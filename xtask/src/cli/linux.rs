//! Options of the command that boots a user's Linux.

use std::path::PathBuf;

use clap::Args;
use report::Firmware;

use super::common::Common;
use crate::choices;

#[derive(Clone, Debug, Args)]
pub(crate) struct LinuxArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Image, Image.gz or vmlinuz of an arm64 kernel, its package (.deb, .rpm), or a directory with one kernel.
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) kernel: PathBuf,
    /// Directory or package with its modules; may be repeated [default: the package, or the build tree of the Image].
    #[arg(long, value_name = "DIR|FILE")]
    pub(crate) modules: Vec<PathBuf>,
    /// Topology of a machine, by name or file; may be repeated [default: default].
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "all")]
    pub(crate) topology: Vec<String>,
    /// Every topology that a Linux can be booted on.
    #[arg(long)]
    pub(crate) all: bool,
    /// Every topology that has a recorded answer of Linux: 25 machines of different kinds.
    #[arg(long, conflicts_with_all = ["all", "topology"])]
    pub(crate) recorded: bool,
    /// Source of the machine description, dt or uefi-acpi; may be repeated [default: dt].
    #[arg(long, value_name = "WHERE", value_parser = choices::parser::<Firmware>())]
    pub(crate) firmware: Vec<Firmware>,
    /// What the groups must be like: fixed, upstream, regressed or legacy, which are booted for it, or a saved report or
    /// answer, or a directory with some.
    #[arg(long, value_name = "PATH|FILE", default_value = "fixed")]
    pub(crate) like: String,
    /// Modules to load, in this order; their dependencies are added [default: the virtio-iommu, then drivers of the
    /// devices in the topologies].
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    pub(crate) load: Vec<String>,
    /// Words for the command line of Linux [default: none].
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub(crate) append: String,
    /// Number of boots of each machine; shows answers that vary.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) runs: u32,
    /// Writes each answer as MACHINE.dt|acpi.VERSION.json into this directory [default: xtask/linux/expected].
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = "xtask/linux/expected")]
    pub(crate) record: Option<PathBuf>,
    /// Ends with status 125 if the kernel does not come as far as to list its groups: git bisect then skips the commit.
    #[arg(long)]
    pub(crate) skip_broken: bool,
    /// Number of boots at the same time [default: the number of CPUs].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,
    /// Stops a boot that takes longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
    /// Results as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
    /// Writes the Image and the initramfs to target/linux, prints the QEMU commands and does nothing else.
    #[arg(long)]
    pub(crate) dry_run: bool,
}
