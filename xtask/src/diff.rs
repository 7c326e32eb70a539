//! `cargo xtask diff`: how the reports of two runs differ.

mod compare;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use report::Report;
use serde::Serialize;

use crate::cli::DiffArgs;
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::report_source::{self, Defaults};

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

/// Runs the command; the kind is a failure if the reports differ.
///
/// # Errors
///
/// A file is not a report, the options of a run make no sense, or QEMU did not start.
pub(crate) fn command(options: &DiffArgs) -> Result<Kind, Stop> {
    let defaults = Defaults { common: &options.common, topology: &options.topology };
    let side = |asked: &str| -> Result<Side, Stop> {
        let report = report_source::read(asked, &defaults)?;
        let ran = format!("{}, {}", report.run.path, report.run.firmware);
        Ok(Side { asked: asked.into(), ran, groups: report.groups.len(), report })
    };
    let (a, b) = (side(&options.a)?, side(&options.b)?);
    let differences = differences(&a.report, &b.report);
    let diff = Diff { same: differences.is_empty(), a, b, differences };
    output::results(&text(&diff), &diff, options.json.as_deref())?;
    Ok(if diff.same { Kind::Pass } else { Kind::Fail })
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
