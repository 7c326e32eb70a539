//! Options of every command that builds or boots.

use std::path::PathBuf;

use clap::Args;

/// Options of every command that builds or boots.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Common {
    /// QEMU to run [default: qemu-system-aarch64 in PATH].
    #[arg(long, value_name = "PATH")]
    pub(crate) qemu: Option<PathBuf>,
    /// Installs nothing; if something is missing, prints the install command and stops.
    #[arg(long)]
    pub(crate) no_setup: bool,
    /// Prints every command before it runs, and every device of a report on its own line.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}
