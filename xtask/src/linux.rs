//! `cargo xtask linux`: boots a user's kernel on our machines, reads the groups back, and says which probe path the
//! kernel behaves like.
//!
//! [`kernel`] and [`modules`] make a bootable kernel of what the user has, [`initramfs`] puts our init beside it,
//! [`console`] runs it, [`listing`] reads what init printed. [`grouping`] compares that with a [`reference`], and
//! [`judgement`] and [`summary`] say what it means. [`record`] writes answers for later.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::boot::Boot;
use crate::capabilities::Capabilities;
use crate::cli::LinuxArgs;
use crate::image::{self, Binary, Kernel};
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::paths::Paths;
use crate::program;
use crate::qemu::LinuxStart;
use crate::requirement::Requirement;
use crate::run;
use crate::setup::{self, Need};

mod compression;
mod config_space;
mod console;
mod files;
mod grouping;
mod initramfs;
mod judgement;
mod kernel;
mod listing;
mod machines;
mod modules;
mod record;
mod recording;
mod reference;
mod selection;
mod summary;

use judgement::{Comparison, Judged};
use kernel::UserKernel;
use machines::Subject;
use reference::{Like, References};
use selection::Selection;
use summary::Summary;

/// Where console logs are kept, below the target directory, and the files of `--dry-run`.
const KEPT: &str = "target/linux";

/// Runs what was asked for; the kind says how it went as a whole.
///
/// # Errors
///
/// Something is missing, or the kernel is not one.
pub(crate) fn command(options: &LinuxArgs) -> Result<Kind, Stop> {
    let started = Instant::now();
    let program = program::qemu(options.common.qemu.as_deref());
    let mut selection = Selection::of(options, &program)?;
    let needs = [Need::Target, Need::Qemu, Need::Firmware];
    let by_firmware = selection.subjects.iter().any(|subject| subject.firmware.is_uefi());
    setup::provide(&needs[..if by_firmware { 3 } else { 2 }], &options.common)?;
    let kernel = UserKernel::read(&options.kernel, &options.modules)
        .map_err(|error| Stop::unable(format!("--kernel {}: {error:#}", options.kernel.display())))?;
    let names: Vec<&str> = if options.load.is_empty() {
        modules::USUAL.to_vec()
    } else {
        options.load.iter().map(String::as_str).collect()
    };
    let loaded = kernel.modules.in_order(names)?;
    let initramfs = initramfs::build(&loaded, options.common.verbose)?;
    if options.dry_run {
        let files = Files::write(&output::workspace().join(KEPT), &kernel.image, &initramfs)?;
        selection
            .subjects
            .iter()
            .for_each(|subject| println!("{}", output::shell_line(files.words(subject))));
        return Ok(Kind::Pass);
    }
    let qemu = ask(&mut selection, &program)?;
    let say = |text: &str| match options.json.as_deref() {
        Some(path) if path == Path::new("-") => eprintln!("{text}"),
        _ => println!("{text}"),
    };
    say(&format!(
        "{}: {} modules found, {} loaded; QEMU {}",
        kernel.file.display(),
        kernel.modules.count(),
        loaded.len(),
        qemu.version()
    ));
    let kernels = our_kernels(&selection.subjects, &program, options.common.verbose)?;
    let paths = Paths::read()?;
    let directory =
        tempfile::Builder::new().prefix("iogroups-linux-").tempdir().context("no run directory")?;
    let session = Session {
        options,
        like: Like::of_word(&options.like),
        references: References { program: &program, kernels: &kernels, paths: &paths },
        files: Files::write(directory.path(), &kernel.image, &initramfs)?,
        directory: directory.path(),
    };
    let width = selection.subjects.iter().map(|subject| subject.id.len()).max().unwrap_or_default();
    let judged = session.judge_all(&selection.subjects, |one| {
        say(&summary::of_machine(one, &session.like.name(), width, options.common.verbose));
    })?;
    if let Some(place) = &options.record {
        recording::write(place, &judged, &selection.subjects, qemu.version())?;
    }
    let repeat = |one: &Judged| session.repeat(&selection.subjects, one);
    let summary = Summary {
        kernel: kernel.file.display().to_string(),
        expected: session.like.name(),
        qemu: qemu.version(),
        judged: &judged,
        skipped: &selection.skipped,
        took: started.elapsed(),
        repeat: &repeat,
        skip_broken: options.skip_broken,
    };
    say(summary.text().trim_end());
    match options.json.as_deref() {
        Some(path) if path == Path::new("-") => println!("{}", summary.json()),
        Some(path) => fs::write(path, format!("{}\n", summary.json()))
            .with_context(|| format!("cannot write {}", path.display()))?,
        None => (),
    }
    Ok(summary.kind())
}

/// Asks QEMU about all that the machines require of it, and leaves out those that it cannot make.
fn ask(selection: &mut Selection, program: &str) -> Result<Capabilities> {
    let needed: Vec<Requirement> =
        selection.subjects.iter().flat_map(|subject| subject.topology.requirements()).collect();
    let types: BTreeSet<&str> = needed.iter().filter_map(Requirement::type_name).collect();
    let qemu = Capabilities::ask(program, &types)?;
    selection.keep(|subject| match subject.topology.requirements().iter().find_map(|one| qemu.lacks(one)) {
        Some(reason) => Err(reason),
        None => Ok(()),
    });
    Ok(qemu)
}

/// Builds the binaries of our kernel that these machines need.
fn our_kernels(subjects: &[Subject], program: &str, verbose: bool) -> Result<BTreeMap<Binary, Kernel>> {
    let binary = |subject: &Subject| Ok(Boot::of_topology(&subject.topology, program)?.start.binary());
    let binaries: BTreeSet<Binary> = subjects.iter().map(binary).collect::<Result<_>>()?;
    image::build_all(&binaries, verbose)
}

/// The files that QEMU reads.
struct Files {
    image: PathBuf,
    initramfs: PathBuf,
}

impl Files {
    fn write(directory: &Path, image: &[u8], initramfs: &[u8]) -> Result<Self> {
        let files = Self { image: directory.join("Image"), initramfs: directory.join("initramfs.cpio") };
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        for (file, bytes) in [(&files.image, image), (&files.initramfs, initramfs)] {
            fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(files)
    }

    fn words(&self, subject: &Subject) -> Vec<String> {
        subject.machine.boot_linux(&LinuxStart {
            image: &self.image,
            initramfs: &self.initramfs,
            command_line: &subject.command_line,
            by_tables: subject.firmware.is_acpi(),
        })
    }
}

/// All that the boots of one command share.
struct Session<'a> {
    options: &'a LinuxArgs,
    like: Like,
    references: References<'a>,
    files: Files,
    /// Where QEMU runs.
    directory: &'a Path,
}

impl Session<'_> {
    /// Boots every machine, some at a time; results are in the order of the machines.
    fn judge_all(&self, subjects: &[Subject], done: impl Fn(&Judged) + Sync) -> Result<Vec<Judged>, Stop> {
        let usual = || thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.options.jobs.map_or_else(usual, usize::from).min(subjects.len());
        let next = AtomicUsize::new(0);
        let results = Mutex::new(BTreeMap::new());
        let first_stop = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(subject) = subjects.get(number) else { break };
                        match self.judge(subject) {
                            Ok(judged) => {
                                done(&judged);
                                results.lock().expect("no thread panics with it").insert(number, judged);
                            }
                            Err(stop) => {
                                first_stop.lock().expect("no thread panics with it").get_or_insert(stop);
                                next.store(subjects.len(), Ordering::Relaxed);
                            }
                        }
                    }
                });
            }
        });
        if run::interrupted() {
            return Err(Stop::unable("interrupted"));
        }
        match first_stop.into_inner().expect("all threads have ended") {
            Some(stop) => Err(stop),
            None => Ok(results.into_inner().expect("all threads have ended").into_values().collect()),
        }
    }

    fn judge(&self, subject: &Subject) -> Result<Judged, Stop> {
        let comparison = match self.comparison(subject) {
            Ok(comparison) => comparison,
            Err(error) => return Ok(Judged::unknown(subject, format!("nothing to compare with: {error:#}"))),
        };
        let words = self.files.words(subject);
        if self.options.common.verbose {
            eprintln!("+ {}", output::shell_line(&words));
        }
        let mut runs = Vec::new();
        for number in 1..=self.options.runs {
            let finished = console::run(&words, self.directory, Duration::from_secs(self.options.timeout))?;
            let name =
                if self.options.runs > 1 { format!("{}.{number}", subject.id) } else { subject.id.clone() };
            keep_log(&name, &finished.console)?;
            runs.push(finished);
        }
        Ok(Judged::of(subject, runs, &comparison))
    }

    /// Our kernel's answers on a machine, on every path.
    fn comparison(&self, subject: &Subject) -> Result<Comparison> {
        let mut paths = Vec::new();
        for path in probe::Path::ALL {
            paths.push((
                path,
                self.references.boot(subject, path).with_context(|| format!("path {}", path.word()))?,
            ));
        }
        let of = |wanted: probe::Path| {
            paths.iter().find(|(path, _)| *path == wanted).map(|(_, reference)| reference)
        };
        let expected = match &self.like {
            Like::Path(path) => of(*path).map(|reference| reference.groupings.clone()).unwrap_or_default(),
            Like::Saved(place) => vec![reference::saved(place, subject)?],
        };
        let fixed = of(probe::Path::Fixed).and_then(|reference| reference.groupings.first().cloned());
        Ok(Comparison { expected, fixed, paths })
    }

    /// The command that tries one machine again.
    fn repeat(&self, subjects: &[Subject], one: &Judged) -> String {
        let mut words: Vec<String> = ["cargo", "xtask", "linux", "--kernel"].map(String::from).into();
        words.push(self.options.kernel.display().to_string());
        for place in &self.options.modules {
            words.extend(["--modules".into(), place.display().to_string()]);
        }
        if let Some(subject) = subjects.iter().find(|subject| subject.id == one.id) {
            let asked =
                self.options.topology.iter().find(|name| {
                    Path::new(name).file_stem() == Path::new(&subject.topology.name).file_stem()
                });
            words.extend(["--topology".into(), asked.unwrap_or(&subject.topology.name).clone()]);
            words.extend(["--firmware".into(), subject.firmware.word().into()]);
        }
        if !matches!(self.like, Like::Path(probe::Path::Fixed)) {
            words.extend(["--like".into(), self.options.like.clone()]);
        }
        if let Some(qemu) = &self.options.common.qemu {
            words.extend(["--qemu".into(), qemu.display().to_string()]);
        }
        if !self.options.load.is_empty() {
            words.extend(["--load".into(), self.options.load.join(",")]);
        }
        if !self.options.append.is_empty() {
            words.extend(["--append".into(), self.options.append.clone()]);
        }
        output::shell_line(words)
    }
}

/// Keeps the console of a run.
fn keep_log(name: &str, lines: &[String]) -> Result<()> {
    let directory = output::workspace().join(KEPT);
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let file = directory.join(format!("{name}.log"));
    fs::write(&file, lines.join("\n") + "\n").with_context(|| format!("cannot write {}", file.display()))
}
