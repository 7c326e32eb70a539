//! Reports that a command line names: saved ones, or those of runs.

use std::fs;

use clap::Parser as _;
use report::Report;

use crate::cli::{Cli, Command, Common};
use crate::one_boot;
use crate::outcome::Stop;
use crate::run::Log;

/// What holds for a run that does not say otherwise.
pub(crate) struct Defaults<'a> {
    pub(crate) common: &'a Common,
    pub(crate) topology: &'a str,
}

/// The report that `asked` names: a file that `--json` wrote, or options of `cargo xtask qemu`, which begin with a dash;
/// nothing is a run without options.
///
/// # Errors
///
/// The file is not a report, the options make no sense, or the run ended without a report.
pub(crate) fn read(asked: &str, defaults: &Defaults) -> Result<Report, Stop> {
    let is_options = asked.trim().is_empty() || asked.trim_start().starts_with('-');
    if is_options { run(asked, defaults) } else { saved(asked) }
}

fn saved(file: &str) -> Result<Report, Stop> {
    let refuse = |what: String| Stop::usage(format!("{file}: {what}"));
    let text = fs::read_to_string(file).map_err(|error| {
        refuse(format!("{error}; expected a saved report, or options of cargo xtask qemu in quotes"))
    })?;
    Report::from_json(&text).map_err(|error| refuse(format!("this is not a report: {error}")))
}

fn run(asked: &str, defaults: &Defaults) -> Result<Report, Stop> {
    let refuse = |what: &str| Stop::usage(format!("{asked}: {what}"));
    let words = shlex::split(asked).ok_or_else(|| refuse("a quote is not closed"))?;
    let start = ["xtask", "qemu"].map(String::from).into_iter();
    let parsed = Cli::try_parse_from(start.chain(words.iter().cloned()))
        .map_err(|error| refuse(error.render().to_string().trim()))?;
    let Command::Qemu(mut options) = parsed.command else {
        return Err(refuse("these are not options of cargo xtask qemu"));
    };
    let names_machine =
        |word: &String| word == "--bare" || word == "--topology" || word.starts_with("--topology=");
    if !words.iter().take_while(|word| *word != "--").any(names_machine) {
        options.topology = Some(defaults.topology.to_owned());
    }
    options.common.no_setup |= defaults.common.no_setup;
    options.common.verbose |= defaults.common.verbose;
    options.common.qemu = options.common.qemu.or_else(|| defaults.common.qemu.clone());
    let ended = one_boot::run(&options, &Log::Hidden)?;
    let (outcome, _) = ended.ok_or_else(|| refuse("there is no report of this"))?;
    outcome.into_report().map_err(|stop| Stop { message: format!("{asked}: {}", stop.message), ..stop })
}
