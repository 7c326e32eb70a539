//! `cargo xtask test`: every check in one list, each with a name, a verdict and, if it failed, the
//! exact command and what differs.

use std::path::Path;
use std::time::Instant;

use crate::case::Case;
use crate::cli::{Common, TestArgs};
use crate::image;
use crate::outcome::{Kind, Stop};
use crate::paths::Paths;
use crate::setup;
use crate::topology::{self, Topology};

mod boots;
mod checked;
mod device_trees;
mod host;
mod linux_kernels;
mod progress;
mod readme_commands;
mod selection;
mod special;
mod uart_ktap;

use boots::Boots;
use checked::{Checked, Layer, Verdict};
use host::{HOST_CHECKS, HostCheck};
use progress::Progress;
use selection::{Selection, list, of_malformed, wanted};
use special::{SPECIAL_CHECKS, SpecialCheck};

/// Runs the selected checks; the kind is the overall result.
///
/// # Errors
///
/// Something that the checks need is not there, or no test has a name that was asked for.
pub(crate) fn command(options: &TestArgs) -> Result<Kind, Stop> {
    let paths = Paths::read()?;
    let selection = Selection::of(options)?;
    let (cases, malformed) = wanted(Topology::all(&topology::directory())?, &selection, &paths);
    let special: Vec<&SpecialCheck> =
        SPECIAL_CHECKS.iter().filter(|check| selection.has_check(check.name)).collect();
    let host: Vec<&HostCheck> =
        HOST_CHECKS.iter().filter(|check| selection.has_host_check(check.name)).collect();
    let with_boots = !cases.is_empty() || !special.is_empty();
    if !with_boots && malformed.is_empty() && host.is_empty() {
        return Err(Stop::usage("no test is left to run; --list shows all"));
    }
    if options.list {
        list(&host, &cases, &malformed);
        for check in special {
            println!("boot {}: {}", check.name, check.about);
        }
        return Ok(Kind::Pass);
    }
    let qemus: Vec<Option<&Path>> = match &options.qemu[..] {
        [] => vec![None],
        named => named.iter().map(|path| Some(path.as_path())).collect(),
    };
    let needs_firmware = cases.iter().any(|case| case.firmware.is_uefi());
    let needs = if options.host_only { 2 } else { 3 + usize::from(needs_firmware) };
    for qemu in &qemus {
        setup::provide(&setup::EVERYTHING[..needs], &options.common(*qemu))?;
    }
    let boots = cases.len() + special.len();
    let mut progress = Progress::new(options, host.len() + malformed.len() + qemus.len() * boots);
    for check in host {
        if progress.is_over() {
            break;
        }
        progress.keep(check.run()?);
    }
    for checked in malformed.into_iter().map(of_malformed) {
        progress.keep(checked);
    }
    let mut versions = Vec::new();
    for qemu in qemus.iter().filter(|_| with_boots) {
        if progress.is_over() {
            break;
        }
        let common = options.common(*qemu);
        let boots = Boots::ask(options, &common, &cases, &paths)?;
        progress.on_qemu(boots.version(), qemus.len() > 1);
        versions.push(boots.version().to_owned());
        boot_cases(&boots, &cases, &common, &mut progress);
        for check in &special {
            if progress.is_over() {
                break;
            }
            progress.keep(check.run(options, &common));
        }
    }
    progress.end(options, &versions)
}

/// Boots the cases that this QEMU can make.
fn boot_cases(boots: &Boots, cases: &[Case], common: &Common, progress: &mut Progress) {
    let mut ready = Vec::new();
    for case in cases {
        match boots.lacks(case) {
            Some(reason) => progress.keep(Checked::skipped(case.id.clone(), case.facts(), reason)),
            None => match boots.ready(case.clone()) {
                Ok(boot) => ready.push(boot),
                Err(checked) => progress.keep(*checked),
            },
        }
    }
    if ready.is_empty() {
        return;
    }
    let started = Instant::now();
    let binaries = ready.iter().map(|ready| ready.boot.start.binary()).collect();
    match image::build_all(&binaries, common.verbose) {
        Ok(kernels) => boots.boot_all(&ready, &kernels, progress),
        Err(error) => {
            let verdict = Verdict::Failed(vec![format!("{error:#}, so that nothing could be booted")]);
            let checked = Checked::of("image", Layer::Boot, image::command_line(&binaries), verdict);
            progress.keep(Checked { took: started.elapsed(), ..checked });
        }
    }
}

#[cfg(test)]
mod tests;
