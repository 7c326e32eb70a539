//! `cargo xtask race`: a scenario on two CPUs of QEMU, round after round.

use std::time::Duration;

use crate::boot::Boot;
use crate::cli::RaceArgs;
use crate::image;
use crate::outcome::{Outcome, Stop};
use crate::program;
use crate::qemu::{KernelStart, Machine, Rounds};
use crate::run::Log;
use crate::scenarios::Named;
use crate::setup::{self, Need};

/// Arguments of a machine whose two CPUs are threads of their own.
const TWO_THREADS: [&str; 2] = ["-accel", "tcg,thread=multi"];

/// The boot that the options describe: a machine of two CPUs and no device.
fn boot(options: &RaceArgs, program: &str) -> Result<Boot, Stop> {
    let devices = TWO_THREADS.iter().map(ToString::to_string).chain(options.qemu_args.iter().cloned());
    let machine = Machine {
        program: program.to_owned(),
        cpu: options.cpu.clone(),
        smp: Some(2),
        devices: devices.collect(),
        ..Machine::default()
    };
    let rounds = Rounds { rounds: options.rounds, seed: options.seed };
    let start =
        KernelStart { path: options.path.unwrap_or_default(), race: Some(rounds), ..KernelStart::default() };
    let race = Some(Named::find(&options.scenario)?);
    Ok(Boot { race, ..Boot::of_machine(machine, start) })
}

/// Runs the command.
///
/// # Errors
///
/// There is no such scenario, or QEMU did not start.
pub(crate) fn command(options: &RaceArgs) -> Result<Option<Outcome>, Stop> {
    let program = program::qemu(options.common.qemu.as_deref());
    let boot = boot(options, &program)?;
    if options.dry_run {
        boot.shell_lines(&image::expected(boot.start.binary())).iter().for_each(|line| println!("{line}"));
        return Ok(None);
    }
    setup::provide(&[Need::Target, Need::Qemu], &options.common)?;
    let kernel = image::build(boot.start.binary(), options.common.verbose)?;
    if options.common.verbose {
        boot.shell_lines(&kernel).iter().for_each(|line| eprintln!("+ {line}"));
    }
    let deadline = Some(Duration::from_secs(options.timeout));
    boot.run(&kernel, deadline, &Log::Shown).map(Some)
}

/// The result of the race; the whole report, if the run ended before that.
pub(crate) fn text(outcome: &Outcome) -> String {
    let report = &outcome.report;
    match &report.race {
        Some(race) if report.error.is_none() => format!("{race}{}\n", report.result.word()),
        _ => report.to_string(),
    }
}

#[cfg(test)]
mod tests;
