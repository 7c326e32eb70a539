//! `cargo xtask check`: what a device tree or ACPI tables of any machine say about IOMMUs, without QEMU.
//!
//! [`input`] recognises the files, [`acpidump`] reads the text form of tables, [`tree`] and [`tables`] ask the parsers of
//! the kernel, and [`text`] shows what [`machine`] holds. [`second_reading`] compares trees with another parser, for the suite.

mod acpidump;
mod input;
mod machine;
mod second_reading;
mod tables;
mod text;
mod tree;

use serde::Serialize;

use crate::cli::CheckArgs;
use crate::outcome::{Kind, Stop};
use crate::output;

use input::{Content, Input};
use machine::Machine;
pub(crate) use second_reading::SecondReading;

/// What is checked, and the verdict; the JSON form of the command.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    schema: &'static str,
    machines: Vec<Machine>,
    /// Files of directories that are neither.
    ignored: Vec<String>,
    errors: usize,
    warnings: usize,
    outcome: &'static str,
    exit_status: u8,
}

/// Runs the command; the kind is a failure if a description cannot be read, or if something in it costs isolation.
///
/// # Errors
///
/// A file does not exist or cannot be opened.
pub(crate) fn command(options: &CheckArgs) -> Result<Kind, Stop> {
    let found = input::find(&options.files)?;
    let machines: Vec<Machine> = found.inputs.iter().map(of_input).collect();
    let count = |severity| machines.iter().map(|machine| machine.count(severity)).sum();
    let (errors, warnings) = (count("error"), count("warning"));
    let kind = if errors > 0 { Kind::Fail } else { Kind::Pass };
    let checked = Checked {
        schema: "iogroups-check/1",
        machines,
        ignored: found.ignored,
        errors,
        warnings,
        outcome: kind.word(),
        exit_status: kind.exit_status(),
    };
    output::results(&text::text(&checked), &checked, options.json.as_deref())?;
    Ok(kind)
}

fn of_input(input: &Input) -> Machine {
    match &input.content {
        Content::Tree(blob) => tree::machine(&input.name, blob),
        Content::Tables(files) => tables::machine(&input.name, files),
        Content::Dump(text) => {
            let dump = acpidump::read(text);
            let mut machine = tables::machine(&input.name, &dump.tables);
            machine.findings.splice(0..0, dump.findings);
            machine
        }
        Content::Unknown(why) => Machine::unreadable(&input.name, why),
    }
}

#[cfg(test)]
mod tests;
