//! Options of the commands that judge what other machines and kernels left behind.

use std::path::PathBuf;

use clap::Args;

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
