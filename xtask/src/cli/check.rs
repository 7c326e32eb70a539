//! Options of the commands that judge what other machines and kernels left behind.

use std::path::PathBuf;

use clap::Args;
use report::Firmware;

use super::Common;
use crate::choices;

#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArgs {
    /// Device tree blobs, ACPI tables, the output of acpidump, directories with any of them such as /sys/firmware, or a
    /// package of a kernel (.deb, .rpm). Each tree is one machine; tables named together, or in one directory, are one.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Results as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ParseArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// A saved log: of our kernel, of a Linux, with or without a listing of its groups.
    #[arg(value_name = "LOG")]
    pub(crate) log: PathBuf,
    /// Topology of the machine: every path is booted on it and compared with the log [default: the log alone is judged].
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) topology: Option<String>,
    /// Source of the machine description in these boots, dt or uefi-acpi [default: as the log says].
    #[arg(long, value_name = "WHERE", value_parser = choices::parser::<Firmware>())]
    pub(crate) firmware: Option<Firmware>,
    /// The path that the log has to be like.
    #[arg(long, value_name = "PATH", default_value = "fixed", value_parser = choices::parser::<probe::Path>())]
    pub(crate) like: probe::Path,
    /// Results as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
}
