//! `cargo xtask test`: every check in one list, each with a name, a verdict and, if it failed, the
//! exact command and what differs.

use std::fs;
use std::time::Instant;

use anyhow::Context;

use crate::cli::TestArgs;
use crate::image;
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::paths::Paths;
use crate::run;
use crate::setup;
use crate::topology::{self, Topology};

mod boots;
mod checked;
mod host;
mod selection;
mod special;

use boots::Boots;
use checked::{Checked, Layer, Verdict};
use host::HOST_CHECKS;
use selection::{is_wanted, list, of_malformed, wanted};
use special::{SPECIAL_CHECKS, SpecialCheck};

/// Runs what was asked for; the kind says how it went as a whole.
///
/// # Errors
///
/// Something that the checks need is not there, or no test has a name that was asked for.
pub(crate) fn command(options: &TestArgs) -> Result<Kind, Stop> {
    let paths = Paths::read()?;
    let (cases, malformed) = wanted(Topology::all(&topology::directory())?, options, &paths);
    let with_host = options.filters.is_empty() && !options.boot_only;
    let special: Vec<&SpecialCheck> =
        SPECIAL_CHECKS.iter().filter(|check| is_wanted(options, check.name)).collect();
    let with_boots = !cases.is_empty() || !special.is_empty();
    if !with_boots && malformed.is_empty() && !with_host && !options.host_only {
        return Err(Stop::usage("no boot test has such a name; --list shows all"));
    }
    if options.list {
        list(if with_host { &HOST_CHECKS } else { &[] }, &cases, &malformed);
        for check in special {
            println!("boot {}: {}", check.name, check.about);
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
    for check in special.iter().take_while(|_| !run::interrupted()) {
        let checked = check.run(options);
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

#[cfg(test)]
mod tests;
