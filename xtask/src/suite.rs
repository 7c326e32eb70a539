//! `cargo xtask test`: every check in one list, each with a name, a verdict and, if it failed, the
//! exact command and what differs.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::cli::{DamageArgs, TestArgs};
use crate::damage;
use crate::image::{self, Binary};
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::paths::Paths;
use crate::program;
use crate::run;
use crate::setup;
use crate::speed::budget;
use crate::topology::{self, Topology};

mod boots;
mod checked;
mod host;
mod selection;

use boots::{AT_A_TIME, Boots};
use checked::{Checked, Layer, Verdict};
use host::HOST_CHECKS;
use selection::{is_wanted, list, of_malformed, wanted};

/// Boots with damage that the suite has, always the same ones; `cargo xtask damage` makes any number.
const DAMAGED_BOOTS: u64 = 150;

/// The name of that check.
const DAMAGED: &str = "damaged-descriptions";

/// The name of the check of what boots cost.
const BUDGET: &str = "budget";

/// Runs what was asked for; the kind says how it went as a whole.
///
/// # Errors
///
/// Something that the checks need is not there, or no test has a name that was asked for.
pub(crate) fn command(options: &TestArgs) -> Result<Kind, Stop> {
    let paths = Paths::read()?;
    let (cases, malformed) = wanted(Topology::all(&topology::directory())?, options, &paths);
    let with_host = options.filters.is_empty() && !options.boot_only;
    let (with_damage, with_budget) = (is_wanted(options, DAMAGED), is_wanted(options, BUDGET));
    let with_boots = !cases.is_empty() || with_damage || with_budget;
    if !with_boots && malformed.is_empty() && !with_host && !options.host_only {
        return Err(Stop::usage("no boot test has such a name; --list shows all"));
    }
    if options.list {
        list(if with_host { &HOST_CHECKS } else { &[] }, &cases, &malformed);
        if with_damage {
            println!(
                "boot {DAMAGED}: {DAMAGED_BOOTS} boots with damaged trees and tables end with a report or an error"
            );
        }
        if with_budget {
            println!(
                "boot {BUDGET}: a boot of the default machine costs no more than xtask/budget.toml grants"
            );
        }
        return Ok(Kind::Pass);
    }
    let needs_firmware = cases.iter().any(|case| case.firmware.is_uefi());
    let needs = if options.host_only { 2 } else { 3 + usize::from(needs_firmware) };
    setup::provide(&setup::EVERYTHING[..needs], &options.common)?;
    let only_json = output::is_only_json(options.json.as_deref());
    let say = |text: &str| if only_json { eprintln!("{text}") } else { println!("{text}") };

    let mut results = Vec::new();
    for check in HOST_CHECKS.iter().filter(|_| with_host) {
        let checked = check.run()?;
        say(&checked.text());
        results.push(checked);
    }
    for checked in malformed.into_iter().map(of_malformed) {
        say(&checked.text());
        results.push(checked);
    }
    let mut qemu = None;
    if !cases.is_empty() {
        let boots = Boots::ask(options, &cases, paths)?;
        say(&format!("QEMU {}", boots.version()));
        let mut keep = |checked: Checked| {
            say(&checked.text());
            results.push(checked);
        };
        let mut ready = Vec::new();
        for case in cases {
            match boots.lacks(&case) {
                Some(reason) => keep(Checked::skipped(case.id, reason)),
                None => match boots.ready(case) {
                    Ok(boot) => ready.push(boot),
                    Err(checked) => keep(checked),
                },
            }
        }
        let started = Instant::now();
        let binaries = ready.iter().map(|ready| ready.boot.start.binary()).collect();
        match image::build_all(&binaries, options.common.verbose) {
            Ok(kernels) => boots.boot_all(&ready, &kernels, keep),
            Err(error) => keep(Checked {
                name: "image".into(),
                layer: Layer::Boot,
                took: started.elapsed(),
                command: image::command_line(&binaries),
                verdict: Verdict::Failed(vec![format!("{error:#}, so that nothing could be booted")]),
            }),
        }
        qemu = Some(boots.version().to_owned());
    }
    if with_damage && !run::interrupted() {
        let checked = boot_damaged(options);
        say(&checked.text());
        results.push(checked);
    }
    if with_budget && !run::interrupted() {
        let checked = compare_with_budget(options);
        say(&checked.text());
        results.push(checked);
    }
    if run::interrupted() {
        return Err(Stop::unable("interrupted"));
    }
    let counts = checked::Counts::of(&results);
    if counts.passed + counts.failed == 0 {
        return Err(Stop::unable(format!("nothing was left to run{}", counts.reasons_text())));
    }
    let kind = if counts.failed == 0 { Kind::Pass } else { Kind::Fail };
    if let Some(file) = &options.junit {
        checked::write_junit(file, &results)?;
    }
    if let Some(file) = &options.json {
        let text = checked::summary(&results, qemu.as_deref(), kind).to_string();
        if only_json {
            println!("{text}");
        } else {
            fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    say(&counts.text());
    Ok(kind)
}

/// Boots machines whose descriptions are damaged.
fn boot_damaged(options: &TestArgs) -> Checked {
    let damage = DamageArgs {
        common: options.common.clone(),
        seed: 1,
        boots: DAMAGED_BOOTS,
        only: None,
        topology: Vec::new(),
        firmware: Vec::new(),
        jobs: AT_A_TIME as u16,
        json: None,
        timeout: options.timeout,
    };
    let started = Instant::now();
    let kernel = image::build(Binary::Main, options.common.verbose).map_err(Stop::from);
    let checked = kernel.and_then(|kernel| damage::check(&damage, &kernel));
    let differences = checked.unwrap_or_else(|stop| vec![format!("{}: {}", stop.kind.word(), stop.message)]);
    Checked {
        name: DAMAGED.into(),
        layer: Layer::Boot,
        took: started.elapsed(),
        command: format!("cargo xtask damage --seed 1 --boots {DAMAGED_BOOTS}"),
        verdict: Verdict::of(differences),
    }
}

/// Compares what boots of the default machine cost with the budget.
fn compare_with_budget(options: &TestArgs) -> Checked {
    let started = Instant::now();
    let program = program::qemu(options.common.qemu.as_deref());
    let deadline = Duration::from_secs(options.timeout);
    let kernel = image::build(Binary::Main, options.common.verbose).map_err(Stop::from);
    let verdict = match kernel.and_then(|kernel| budget::check(&program, &kernel, deadline)) {
        Ok(budget::Checked::Compared(over)) => Verdict::of(over),
        Ok(budget::Checked::Skipped(reason)) => Verdict::Skipped(reason),
        Err(stop) => Verdict::Failed(vec![format!("{}: {}", stop.kind.word(), stop.message)]),
    };
    let (name, command) = (BUDGET.into(), "cargo xtask speed".into());
    Checked { name, layer: Layer::Boot, took: started.elapsed(), command, verdict }
}

#[cfg(test)]
mod tests;
