//! Options of the commands that play scenarios without a machine.

use std::path::PathBuf;

use clap::Args;

use crate::probe_path;

#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A scenario, by its name or its file [default: a line for each].
    #[arg(value_name = "NAME|FILE")]
    pub(crate) scenario: Option<String>,
    /// This probe path alone [default: all].
    #[arg(long, value_name = "PATH", value_parser = probe_path::parser())]
    pub(crate) path: Option<probe::Path>,
    /// Everything as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExploreArgs {
    /// A scenario, by its name or its file [default: none, see --all].
    #[arg(value_name = "NAME|FILE", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) scenario: Option<String>,
    /// This probe path alone [default: all].
    #[arg(long, value_name = "PATH", conflicts_with = "all", value_parser = probe_path::parser())]
    pub(crate) path: Option<probe::Path>,
    /// Stops, incomplete, at so many states of one path.
    #[arg(long, value_name = "STATES", default_value_t = 4_000_000, value_parser = clap::value_parser!(usize))]
    pub(crate) limit: usize,
    /// Where the first counterexample goes [default: target/counterexamples, where the others go too].
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    pub(crate) out: Option<PathBuf>,
    /// Every scenario on every path, compared with what the files expect and with the figures in the repository.
    #[arg(long)]
    pub(crate) all: bool,
    /// Makes the figures in the repository what comes out.
    #[arg(long, requires = "all")]
    pub(crate) write: bool,
}
