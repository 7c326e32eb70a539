//! `cargo xtask parse`: which probe path a saved log looks like, ours or that of a Linux.
//!
//! [`lines`] reads a log line by line into its [`content`]; [`judgement`] says what follows from that alone, and,
//! with a topology, what our kernel's paths answer for the same machine.

mod content;
mod judgement;
mod lines;
mod text;

use std::fs;

use report::Firmware;

use crate::cli::ParseArgs;
use crate::linux;
use crate::outcome::{Kind, Stop};
use crate::output;

use judgement::Judgement;

/// Runs the command; the kind is a failure if the log shows that an invariant is violated, or if it is not like the path
/// that is asked for.
///
/// # Errors
///
/// The log cannot be read or has nothing about groups, or QEMU cannot be run.
pub(crate) fn command(options: &ParseArgs) -> Result<Kind, Stop> {
    let name = options.log.display().to_string();
    let bytes = fs::read(&options.log).map_err(|error| Stop::usage(format!("{name}: {error}")))?;
    let content = lines::read(&String::from_utf8_lossy(&bytes));
    if !content.shows_groups() {
        let expected = "expected the log of a kernel from its start, a report, or a listing of groups";
        return Err(Stop::unable(format!("{name}: there is nothing about IOMMUs or groups; {expected}")));
    }
    let answers = match &options.topology {
        None => None,
        Some(topology) => {
            let firmware = options.firmware.or(content.firmware).unwrap_or(Firmware::Dt);
            Some(linux::path_answers(topology, firmware, &options.common)?)
        }
    };
    let judgement = Judgement::of(&name, &content, answers.as_ref(), options.like);
    output::results(&text::text(&judgement), &judgement, options.json.as_deref())?;
    Ok(judgement.kind())
}

#[cfg(test)]
mod tests;
