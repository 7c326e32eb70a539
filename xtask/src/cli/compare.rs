//! Options of the commands that compare and draw reports, and those of a whole run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::common::Common;

#[derive(Clone, Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// A report saved with --json, or the options of a `cargo xtask qemu` to run, as one word: '--path legacy'.
    #[arg(value_name = "A", allow_hyphen_values = true)]
    pub(crate) a: String,
    /// The other report, likewise.
    #[arg(value_name = "B", allow_hyphen_values = true)]
    pub(crate) b: String,
    /// Topology of the runs that do not name one.
    #[arg(long, value_name = "NAME|FILE", default_value = "default")]
    pub(crate) topology: String,
    /// The differences as JSON, in FILE or as the only thing on standard output [default: text only].
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DrawArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// A report saved with --json, or the options of a `cargo xtask qemu` to run, as one word: '--path legacy'
    /// [default: a run without options].
    #[arg(value_name = "REPORT", allow_hyphen_values = true)]
    pub(crate) report: Option<String>,
    /// Topology of a run that does not name one.
    #[arg(long, value_name = "NAME|FILE", default_value = "default")]
    pub(crate) topology: String,
    /// Language of the picture.
    #[arg(long, value_name = "LANGUAGE", default_value = "svg")]
    pub(crate) format: Format,
    /// File of the picture [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Languages of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For browsers, and for Markdown.
    Svg,
    /// For Graphviz.
    Dot,
    /// For Markdown that renders Mermaid.
    Mermaid,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ReportArgs {
    /// Directory with the results of a run: that of `cargo xtask test --logs` [default: target/test-logs].
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Whose logs the page contains; of a long log, only the end.
    #[arg(long, value_name = "WHOSE", default_value = "failed")]
    pub(crate) logs: WhichLogs,
    /// File of the page; `-` is standard output [default: target/report.html].
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Whose logs a page contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhichLogs {
    /// Those of failed boots.
    Failed,
    /// Those of all boots.
    All,
    /// None.
    None,
}
