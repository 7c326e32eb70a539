//! `cargo xtask`: builds the kernel, boots it on any machine that QEMU can make, and judges its answer.
//!
//! Reports go to standard output, all else to standard error; the exit status is a promise
//! ([`outcome::Kind::exit_status`]).

mod answer;
mod boot;
mod capabilities;
mod case;
mod check;
mod choices;
mod cli;
mod damage;
mod diff;
#[cfg(test)]
mod documented;
mod draw;
mod expect;
mod expectation;
mod explain;
mod explore;
mod firmware;
#[cfg(test)]
mod fixture;
mod growth;
mod hot_plug;
mod image;
mod interrupt;
mod judge;
mod known_deviations;
mod ktap;
mod linux;

mod one_boot;
mod outcome;
mod output;
mod page;
mod parse;
mod paths;
mod process;
mod program;
mod qemu;
mod qtest;
mod race;
mod readme;
mod replay;
mod report_source;
mod requirement;
mod results;
mod run;
mod scenarios;
mod setup;
mod speed;
mod suite;
mod test_disk;
mod topology;
mod tree_edit;
mod when;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use report::Form;

use crate::cli::{Cli, Command};
use crate::outcome::{Kind, Outcome};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    interrupt::catch();
    let mut asked = None;
    let (json, ended) = match &cli.command {
        Command::Setup => (None, setup::command().map(|()| None)),
        Command::Qemu(options) => {
            asked = Some(one_boot::asked(options));
            (options.json.as_deref(), one_boot::command(options))
        }
        Command::Race(options) => match race::command(options) {
            Ok(Some(outcome)) => {
                let json = options.json.as_deref();
                if !output::is_only_json(json) {
                    print!("{}", race::text(&outcome));
                }
                return leave(&outcome, json);
            }
            ended => (options.json.as_deref(), ended.map(|_| None)),
        },
        Command::Test(options) => match suite::command(options) {
            Ok(kind) => return ExitCode::from(kind.exit_status()),
            Err(stop) => (options.json.as_deref(), Err(stop)),
        },
        Command::Diff(options) => match diff::command(options) {
            Ok(kind) => return ExitCode::from(kind.exit_status()),
            Err(stop) => (options.json.as_deref(), Err(stop)),
        },
        Command::Explain(options) => match explain::command(options) {
            Ok(kind) => return ExitCode::from(kind.exit_status()),
            Err(stop) => (options.qemu.json.as_deref(), Err(stop)),
        },
        Command::Draw(options) => match draw::command(options) {
            Ok(kind) => return ExitCode::from(kind.exit_status()),
            Err(stop) => (None, Err(stop)),
        },
        Command::Report(options) => match page::command(options) {
            Ok(kind) => return ExitCode::from(kind.exit_status()),
            Err(stop) => (None, Err(stop)),
        },
        Command::Replay(options) => match replay::command(options) {
            Ok(kind) => return ExitCode::from(kind.exit_status()),
            Err(stop) => (options.json.as_deref(), Err(stop)),
        },
        Command::Explore(options) => match explore::command(options) {
            Ok(kind) => return ExitCode::from(kind.exit_status()),
            Err(stop) => (None, Err(stop)),
        },
        Command::Damage(options) => match damage::command(options) {
            Ok(kind) => return ExitCode::from(kind.exit_status()),
            Err(stop) => (options.json.as_deref(), Err(stop)),
        },
        Command::Linux(options) => match linux::command(options) {
            Ok(kind) => return ExitCode::from(kind.exit_status()),
            Err(stop) => (options.json.as_deref(), Err(stop)),
        },
        Command::Parse(options) => match parse::command(options) {
            Ok(kind) => return ExitCode::from(kind.exit_status()),
            Err(stop) => (options.json.as_deref(), Err(stop)),
        },
        Command::Check(options) => match check::command(options) {
            Ok(kind) => return ExitCode::from(kind.exit_status()),
            Err(stop) => (options.json.as_deref(), Err(stop)),
        },
        Command::Growth(options) => match growth::command(options) {
            Ok(kind) => return ExitCode::from(kind.exit_status()),
            Err(stop) => (options.json.as_deref(), Err(stop)),
        },
        Command::Speed(options) => (options.json.as_deref(), speed::command(options).map(|()| None)),
    };
    match ended {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some((outcome, form))) => {
            let json = match (form, json) {
                (Form::Json, None) => Some(Path::new(output::STANDARD_OUTPUT)),
                _ => json,
            };
            if !output::is_only_json(json) {
                print!("{}", shown(&outcome, form));
            }
            leave(&outcome.for_asked(asked.unwrap_or_default()), json)
        }
        Err(stop) => {
            eprintln!("error: {}", stop.message);
            let outcome = Outcome::without_report(stop.kind, stop.message);
            leave(&outcome.for_asked(asked.unwrap_or_default()), json)
        }
    }
}

/// The report as it is shown where no JSON is asked for.
fn shown(outcome: &Outcome, form: Form) -> String {
    match form {
        Form::Ktap => report::Ktap(&outcome.report).to_string(),
        Form::Verbose => report::Verbose(&outcome.report).to_string(),
        Form::Text | Form::Json => outcome.report.to_string(),
    }
}

/// Writes the JSON form where it was asked for and gives the exit status.
fn leave(outcome: &Outcome, json: Option<&Path>) -> ExitCode {
    let written = match (json, outcome.to_json()) {
        (None, _) => Ok(()),
        (Some(_), Err(error)) => Err(error.into()),
        (Some(path), Ok(line)) if path == Path::new(output::STANDARD_OUTPUT) => {
            writeln!(io::stdout(), "{line}")
        }
        (Some(path), Ok(line)) => fs::write(path, line + "\n"),
    };
    match written {
        Ok(()) => ExitCode::from(outcome.kind.exit_status()),
        Err(error) => {
            eprintln!("error: the JSON form cannot be written: {error}");
            ExitCode::from(Kind::Unable.exit_status())
        }
    }
}

/// Help, or a command line that makes no sense; the latter as JSON too, if that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    // Nothing is left to do if standard error is closed.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let json: Option<PathBuf> = cli::json_of(&arguments);
    let json = json.as_deref();
    let outcome = Outcome::without_report(Kind::Usage, error.render().to_string().trim().to_owned());
    leave(&outcome.for_asked(cli::asked_of(&arguments)), json)
}
