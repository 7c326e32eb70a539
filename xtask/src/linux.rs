//! `cargo xtask linux`: boots a user's kernel on our machines, reads the groups back, and says which probe path the
//! kernel behaves like.
//!
//! [`kernel`] and [`modules`] make a bootable kernel of the user's files, [`initramfs`] puts our init beside it,
//! [`console`] runs it, [`listing`] reads what init printed. [`grouping`] compares that with a [`mod@reference`], and
//! [`judgement`] and [`summary`] judge and print it. [`recording`] writes answers for later.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::boot::Boot;
use crate::capabilities::Capabilities;
use crate::cli::LinuxArgs;
use crate::image::{self, Binary, Kernel};
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::paths::Paths;
use crate::program;
use crate::requirement::Requirement;
use crate::setup::{self, Need};
use crate::topology::Topology;
use crate::when::When;

mod boots;
mod compression;
mod config_space;
mod console;
mod files;
mod grouping;
mod initramfs;
mod invariants;
mod judgement;
mod kernel;
mod listing;
mod machines;
mod modules;
mod record;
mod recording;
mod reference;
mod repeat;
mod saved_log;
mod selection;
mod summary;

pub(crate) use files::{for_each_file, is_package};
pub(crate) use invariants::sentence as invariant_sentence;
pub(crate) use saved_log::{PathAnswers, SavedGroups, listing_of, path_answers};

use boots::{Boots, Files, KEPT};
use judgement::Judged;
use kernel::UserKernel;
use machines::Subject;
use reference::{Like, References};
use selection::Selection;
use summary::Summary;

/// Boots a kernel on the machines that the options select, and prints how it compares; the kind is the verdict.
///
/// # Errors
///
/// Something that is needed is missing, or the file is not a kernel.
pub(crate) fn command(options: &LinuxArgs) -> Result<Kind, Stop> {
    let started = Instant::now();
    let only_json = output::is_only_json(options.json.as_deref());
    let say = |text: &str| if only_json { eprintln!("{text}") } else { println!("{text}") };
    let program = program::qemu(options.common.qemu.as_deref());
    let mut selection = Selection::of(options, &program)?;
    if options.dry_run {
        let (kernel, initramfs) = bootable(options, &selection)?;
        let files = Files::write(&output::workspace().join(KEPT), &kernel.image, &initramfs)?;
        selection
            .subjects
            .iter()
            .for_each(|subject| println!("{}", output::shell_line(files.words(subject))));
        return Ok(Kind::Pass);
    }
    let examined = examine(options, &mut selection, &say)?;
    if let Some(place) = &options.record {
        recording::write(place, &examined.judged, &selection.subjects, &examined.qemu)?;
    }
    let repeat = |one: &Judged| repeat::line(options, &selection.subjects, one);
    let summary = Summary {
        kernel: options.kernel.display().to_string(),
        expected: Like::of_word(&options.like).name(),
        qemu: &examined.qemu,
        judged: &examined.judged,
        paths: &examined.paths,
        skipped: &selection.skipped,
        took: started.elapsed(),
        repeat: &repeat,
        skip_broken: options.skip_broken,
    };
    output::results(&summary.text(), &summary.json(), options.json.as_deref())?;
    Ok(summary.kind())
}

/// The paths that a kernel is like on every machine that the options select; nothing is printed.
///
/// # Errors
///
/// As [`command`], and a machine on which the kernel did not list its groups.
pub(crate) fn paths_of(options: &LinuxArgs) -> Result<Vec<probe::Path>, Stop> {
    let program = program::qemu(options.common.qemu.as_deref());
    let mut selection = Selection::of(options, &program)?;
    let examined = examine(options, &mut selection, &|_| ())?;
    if let Some(one) = examined.judged.iter().find(|one| !one.status.is_compared()) {
        let why = one.why.as_deref().unwrap_or_default();
        return Err(Stop::unable(format!("{}: {} {why}", one.id, one.status.word())));
    }
    let is_like = |path: &probe::Path| examined.judged.iter().all(|one| one.paths.contains(path));
    Ok(probe::Path::ALL.into_iter().filter(is_like).collect())
}

/// The results of a kernel on all machines.
struct Examined {
    paths: Paths,
    qemu: String,
    judged: Vec<Judged>,
}

/// Boots a kernel on every machine, and our own for comparison.
fn examine(
    options: &LinuxArgs,
    selection: &mut Selection,
    say: &(impl Fn(&str) + Sync),
) -> Result<Examined, Stop> {
    let program = program::qemu(options.common.qemu.as_deref());
    let needs = [Need::Target, Need::Qemu, Need::Firmware];
    let by_firmware = selection.subjects.iter().any(|subject| subject.firmware.is_uefi());
    setup::provide(&needs[..if by_firmware { 3 } else { 2 }], &options.common)?;
    let (kernel, initramfs) = bootable(options, selection)?;
    let qemu = ask_qemu(selection, &program)?;
    let modules = kernel.modules.count();
    say(&format!("{}: {modules} modules found; QEMU {}", options.kernel.display(), qemu.version()));
    let kernels = our_kernels(&selection.subjects, &program, options.common.verbose)?;
    let paths = Paths::read()?;
    let directory =
        tempfile::Builder::new().prefix("iogroups-linux-").tempdir().context("no run directory")?;
    let like = Like::of_word(&options.like);
    let boots = Boots {
        options,
        like: &like,
        references: References { program: &program, kernels: &kernels, paths: &paths },
        files: Files::write(directory.path(), &kernel.image, &initramfs)?,
        directory: directory.path(),
    };
    let width = selection.subjects.iter().map(|subject| subject.id.len()).max().unwrap_or_default();
    let judged = boots.judge_all(&selection.subjects, |one| {
        say(&summary::of_machine(one, &like.name(), width, options.common.verbose));
    })?;
    Ok(Examined { paths, qemu: qemu.version().to_owned(), judged })
}

/// The kernel, and the initramfs with the modules that these machines need.
fn bootable(options: &LinuxArgs, selection: &Selection) -> Result<(UserKernel, Vec<u8>), Stop> {
    let kernel = UserKernel::read(&options.kernel, &options.modules)
        .map_err(|error| Stop::unable(format!("--kernel: {error:#}")))?;
    let words = selection.subjects.iter().flat_map(|subject| &subject.machine.devices).map(String::as_str);
    let names: Vec<&str> = match &options.load[..] {
        [] => modules::usual(words),
        asked => asked.iter().map(String::as_str).collect(),
    };
    let loaded = kernel.modules.in_order(names)?;
    let initramfs = initramfs::build(&loaded, options.common.verbose)?;
    Ok((kernel, initramfs))
}

/// Asks QEMU about all that the machines, and the names of their recorded answers, depend on. Leaves out the machines
/// that it cannot make.
fn ask_qemu(selection: &mut Selection, program: &str) -> Result<Capabilities> {
    let topologies = selection.subjects.iter().map(|subject| &subject.topology);
    let needed: Vec<Requirement> = topologies.clone().flat_map(Topology::requirements).collect();
    let of_answers = topologies.flat_map(|topology| &topology.when).flat_map(When::requirements);
    let types = needed.iter().chain(of_answers).filter_map(Requirement::type_name).collect();
    let qemu = Capabilities::ask(program, &types)?;
    selection.keep(|subject| match subject.topology.requirements().iter().find_map(|one| qemu.lacks(one)) {
        Some(reason) => Err(reason),
        None => Ok(()),
    });
    for subject in &mut selection.subjects {
        subject.find_recorded(&qemu)?;
    }
    Ok(qemu)
}

/// Builds the binaries of our kernel that these machines need.
fn our_kernels(subjects: &[Subject], program: &str, verbose: bool) -> Result<BTreeMap<Binary, Kernel>> {
    let binary = |subject: &Subject| Ok(Boot::of_topology(&subject.topology, program)?.start.binary());
    let binaries: BTreeSet<Binary> = subjects.iter().map(binary).collect::<Result<_>>()?;
    image::build_all(&binaries, verbose)
}
