//! Options of the commands that play scenarios without a machine.

use std::path::PathBuf;

use clap::Args;

use crate::choices;

#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Scenario, by name or file [default: one line for each scenario].
    #[arg(value_name = "NAME|FILE")]
    pub(crate) scenario: Option<String>,
    /// Only this probe path [default: all].
    #[arg(long, value_name = "PATH", value_parser = choices::parser::<probe::Path>())]
    pub(crate) path: Option<probe::Path>,
    /// All results as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExploreArgs {
    /// Scenario, by name or file [default: none, see --all].
    #[arg(value_name = "NAME|FILE", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) scenario: Option<String>,
    /// Only this probe path [default: all].
    #[arg(long, value_name = "PATH", conflicts_with = "all", value_parser = choices::parser::<probe::Path>())]
    pub(crate) path: Option<probe::Path>,
    /// Stops at this number of states of one path; the result is then incomplete.
    #[arg(long, value_name = "STATES", default_value_t = 4_000_000, value_parser = clap::value_parser!(usize))]
    pub(crate) limit: usize,
    /// File for the first counterexample [default: in target/counterexamples, as the others].
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    pub(crate) out: Option<PathBuf>,
    /// Runs every scenario on every path, and compares with the expectations and the figures in the repository.
    #[arg(long)]
    pub(crate) all: bool,
    /// Updates the figures in the repository.
    #[arg(long, requires = "all")]
    pub(crate) write: bool,
}
