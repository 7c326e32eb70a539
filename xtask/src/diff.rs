//! `cargo xtask diff`: how the reports of two runs differ.

mod compare;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::fs;

use clap::Parser as _;
use report::Report;
use serde::Serialize;

use crate::cli::{Cli, Command, DiffArgs};
use crate::one_boot;
use crate::outcome::{Kind, Outcome, Stop};
use crate::output;

use compare::{Difference, differences};

/// The two reports and how they differ; the JSON form of the command.
#[derive(Debug, Serialize)]
pub(crate) struct Diff {
    a: Side,
    b: Side,
    /// Whether there is no difference.
    same: bool,
    differences: Vec<Difference>,
}

/// Where one of the reports comes from.
#[derive(Debug, Serialize)]
struct Side {
    /// As on the command line: a file, or options.
    asked: String,
    /// What ran: the path and the route.
    ran: String,
    groups: usize,
    #[serde(skip)]
    report: Report,
}

/// Runs the command; the kind says whether the reports are the same.
///
/// # Errors
///
/// A file is not a report, the options of a run make no sense, or QEMU did not start.
pub(crate) fn command(options: &DiffArgs) -> Result<Kind, Stop> {
    let side = |asked: &str| -> Result<Side, Stop> {
        let report = if is_file(asked) { read(asked)? } else { run(asked, options)? };
        let ran = format!("{}, {}", report.run.path, report.run.firmware);
        Ok(Side { asked: asked.into(), ran, groups: report.groups.len(), report })
    };
    let (a, b) = (side(&options.a)?, side(&options.b)?);
    let differences = differences(&a.report, &b.report);
    let diff = Diff { same: differences.is_empty(), a, b, differences };
    output::results(&text(&diff), &diff, options.json.as_deref())?;
    Ok(if diff.same { Kind::Pass } else { Kind::Fail })
}

/// Whether a side is a file: options begin with dashes.
fn is_file(asked: &str) -> bool {
    !asked.trim_start().starts_with('-') && !asked.trim().is_empty()
}

fn read(file: &str) -> Result<Report, Stop> {
    let refuse = |what: String| Stop::usage(format!("{file}: {what}"));
    let text = fs::read_to_string(file).map_err(|error| {
        refuse(format!("{error}; a side is a saved report, or options of cargo xtask qemu in quotes"))
    })?;
    Report::from_json(&text).map_err(|error| refuse(format!("this is not a report: {error}")))
}

/// Boots once with these options of `cargo xtask qemu`.
fn run(asked: &str, options: &DiffArgs) -> Result<Report, Stop> {
    let words = shlex::split(asked).ok_or_else(|| Stop::usage(format!("{asked}: a quote is not closed")))?;
    let start = ["xtask", "qemu"].map(String::from).into_iter();
    let parsed = Cli::try_parse_from(start.chain(words))
        .map_err(|error| Stop::usage(format!("{asked}: {}", error.render().to_string().trim())))?;
    let Command::Qemu(mut of_run) = parsed.command else {
        return Err(Stop::usage(format!("{asked}: these are not options of cargo xtask qemu")));
    };
    if !asked.contains("--topology") {
        of_run.topology.clone_from(&options.topology);
    }
    of_run.common.no_setup |= options.common.no_setup;
    of_run.common.verbose |= options.common.verbose;
    of_run.common.qemu = of_run.common.qemu.or_else(|| options.common.qemu.clone());
    let ended = one_boot::run(&of_run, false)?;
    let (Outcome { kind, report, .. }, _) =
        ended.ok_or_else(|| Stop::usage(format!("{asked}: there is no report of this")))?;
    match kind {
        Kind::Pass | Kind::Fail | Kind::Error => Ok(report),
        Kind::Timeout | Kind::Crash | Kind::Usage | Kind::Unable => {
            let why = report.error.unwrap_or_default();
            Err(Stop { kind, message: format!("{asked}: {why}") })
        }
    }
}

/// The differences for people: each subject with its places, and both sides below each other.
fn text(diff: &Diff) -> String {
    let mut text = String::new();
    for (letter, side) in [("A", &diff.a), ("B", &diff.b)] {
        let Side { asked, ran, groups, .. } = side;
        // Writing to a string does not fail.
        let _ = writeln!(text, "{letter}: {asked} ({ran}; {groups} groups)");
    }
    let mut subject = None;
    for Difference { subject: about, place, a, b } in &diff.differences {
        if subject.replace(*about) != Some(*about) {
            let _ = writeln!(text, "\n{}", about.heading());
        }
        if !place.is_empty() {
            let _ = writeln!(text, "  {place}");
        }
        let _ = writeln!(text, "    A {a}\n    B {b}");
    }
    let count = diff.differences.len();
    let _ = match count {
        0 => writeln!(text, "\nSAME: groups, translation, drivers, IOMMUs, findings and verdict"),
        1 => writeln!(text, "\nDIFFERENT: 1 difference"),
        _ => writeln!(text, "\nDIFFERENT: {count} differences"),
    };
    text
}
