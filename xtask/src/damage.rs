//! `cargo xtask damage`: boots machines whose device trees and ACPI tables are damaged at random.
//!
//! Each boot has to end with a report, or with an error that names a place. A hang, a crash, a panic, a report that is
//! missing or contradicts the exit status, and a broken invariant are failures; each is kept with the command that
//! repeats it. What a boot does follows from the seed, its number, and the machines that are damaged.

mod boot;
mod figures;
mod machines;
mod qtest;
mod random;
mod tables;
mod tree;
mod verdict;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use report::Firmware;

use self::boot::DamagedBoot;
use self::figures::{Figures, repeat};
use self::machines::{Subject, USUAL};
use self::verdict::{Verdict, judge};
use crate::boot::Boot;
use crate::cli::DamageArgs;
use crate::image::{self, Binary, Kernel};
use crate::interrupt;
use crate::outcome::{Kind, Outcome, Stop};
use crate::output;
use crate::program;
use crate::run::Log;
use crate::setup::{self, Need};
use crate::topology::Topology;

/// Boots between two lines about how far it is.
const PROGRESS: u64 = 500;

/// `cargo xtask damage`.
///
/// # Errors
///
/// A machine cannot be made, or the run was interrupted.
pub(crate) fn command(options: &DamageArgs) -> Result<Kind, Stop> {
    let firmware = routes(options);
    let needs = [Need::Target, Need::Qemu, Need::Firmware];
    let with_uefi = firmware.iter().any(|firmware| firmware.is_uefi());
    setup::provide(&needs[..if with_uefi { 3 } else { 2 }], &options.common)?;
    let kernel = image::build(Binary::Main, options.common.verbose)?;
    let figures = run_all(options, &kernel)?;
    output::results(&figures.text(options), &figures.to_json(options), options.json.as_deref())?;
    Ok(if figures.failures.is_empty() { Kind::Pass } else { Kind::Fail })
}

/// A few boots as one check of `cargo xtask test`: what differs from an end as it has to be.
///
/// # Errors
///
/// As [`command`].
pub(crate) fn check(options: &DamageArgs, kernel: &Kernel) -> Result<Vec<String>, Stop> {
    let figures = run_all(options, kernel)?;
    Ok(figures
        .failures
        .iter()
        .map(|done| {
            let why = if let Verdict::Failed(_, why) = &done.verdict { why.as_str() } else { "" };
            format!("boot {} on {}: {why}\n{}", done.number, done.machine, repeat(options, done.number))
        })
        .collect())
}

fn routes(options: &DamageArgs) -> Vec<Firmware> {
    if options.firmware.is_empty() { vec![Firmware::Dt, Firmware::Acpi] } else { options.firmware.clone() }
}

fn subjects(options: &DamageArgs, kernel: &Kernel) -> Result<Vec<Subject>, Stop> {
    let program = program::qemu(options.common.qemu.as_deref());
    let usual = USUAL.map(String::from);
    let names = if options.topology.is_empty() { &usual[..] } else { &options.topology };
    let deadline = Duration::from_secs(options.timeout);
    let mut subjects = Vec::new();
    for name in names {
        let topology = Topology::find(name).map_err(|error| Stop::usage(format!("{error:#}")))?;
        for firmware in routes(options).into_iter().filter(|firmware| Subject::exists(&topology, *firmware)) {
            subjects.push(Subject::new(&topology, firmware, &program, kernel, deadline)?);
        }
    }
    if subjects.is_empty() {
        return Err(Stop::usage(
            "no machine is left: a topology with its own tree cannot be booted by tables, and one with its own tables not by a tree",
        ));
    }
    Ok(subjects)
}

fn run_all(options: &DamageArgs, kernel: &Kernel) -> Result<Figures, Stop> {
    let subjects = subjects(options, kernel)?;
    let (first, boots) = options.only.map_or((0, options.boots), |number| (number, number + 1));
    let next = AtomicU64::new(first);
    let mut figures = Figures::default();
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..options.jobs {
            let sender = sender.clone();
            let (next, subjects) = (&next, &subjects);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= boots || interrupt::is_pending() {
                        break;
                    }
                    if sender.send(boot_one(options, subjects, number, kernel)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for done in &results {
            if done.verdict.is_failure() || options.only.is_some() {
                eprintln!("boot {} on {}: {}", done.number, done.machine, done.verdict.word());
                done.how.iter().for_each(|how| eprintln!("  {how}"));
            }
            figures.add(done);
            if figures.boots.is_multiple_of(PROGRESS) {
                eprintln!("{} boots, {} failed", figures.boots, figures.failures.len());
            }
        }
    });
    if interrupt::is_pending() {
        return Err(Stop::unable("interrupted"));
    }
    figures.failures.sort_by_key(|done| done.number);
    figures.others.sort_unstable();
    Ok(figures)
}

fn boot_one(options: &DamageArgs, subjects: &[Subject], number: u64, kernel: &Kernel) -> DamagedBoot {
    let mut rng = random::of_boot(options.seed, number);
    let subject = &subjects[rng.usize(..subjects.len())];
    let (boot, how) = subject.damaged(&mut rng);
    let started = Instant::now();
    let log = if options.only.is_some() { Log::Shown } else { Log::Hidden };
    let outcome = boot.run(kernel, Some(Duration::from_secs(options.timeout)), &log);
    let took = started.elapsed();
    let verdict = match &outcome {
        Ok(outcome) => judge(outcome, &subject.whole),
        Err(stop) => Verdict::Failed(stop.kind, stop.message.clone()),
    };
    let done = DamagedBoot { number, machine: subject.name.clone(), how, took, verdict };
    let is_kept = done.verdict.is_failure() || options.only.is_some();
    if is_kept && let Err(error) = keep(options, &done, &boot, outcome.ok().as_ref(), kernel) {
        eprintln!("boot {number} is not kept: {error:#}");
    }
    done
}

/// Where the traces of a boot are kept.
fn place(options: &DamageArgs, number: u64) -> PathBuf {
    output::workspace().join("target/damage").join(format!("seed-{}-boot-{number}", options.seed))
}

/// Keeps what a boot was given, how it ended, and how to repeat it with and without us.
fn keep(
    options: &DamageArgs,
    done: &DamagedBoot,
    boot: &Boot,
    outcome: Option<&Outcome>,
    kernel: &Kernel,
) -> anyhow::Result<()> {
    let place = place(options, done.number);
    fs::create_dir_all(&place)?;
    boot.fill(&place)?;
    let mut text = format!("{}\n{}\n", repeat(options, done.number), done.machine);
    done.how.iter().for_each(|how| text += &format!("{how}\n"));
    text += &format!("{}\n", done.verdict.word());
    if let Verdict::Failed(_, why) = &done.verdict {
        text += &format!("{why}\n");
    }
    text += &format!("\nin this directory:\n{}\n", boot.qemu_line(kernel));
    fs::write(place.join("README"), text)?;
    if let Some(outcome) = outcome {
        fs::write(place.join("report.txt"), outcome.report.to_string())?;
    }
    Ok(())
}

/// A tree and a table with damage that follows from a seed and a number, for tests of other readers.
#[cfg(test)]
pub(crate) fn damaged(number: u64, tree: &[u8], table: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut rng, mut tree) = (random::of_boot(1, number), tree.to_vec());
    // Not every kind that is drawn applies.
    let _ = [(); 2].map(|()| tree::damage(&mut rng, &mut tree));
    let files = tables::Files { tables: Vec::new(), rsdp: Vec::new(), loader: Vec::new() };
    let damaged = tables::damaged_table(&mut rng, Some(table.to_vec()), &files);
    (tree, damaged.map_or_else(|| table.to_vec(), |(table, _)| table))
}

#[cfg(test)]
mod tests;
