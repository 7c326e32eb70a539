//! The boots of one command: every machine, some at a time, each compared with our kernel on the same one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::console;
use super::judgement::{Comparison, Judged};
use super::listing;
use super::machines::Subject;
use super::reference::{self, Like, References};
use crate::cli::LinuxArgs;
use crate::interrupt;
use crate::outcome::Stop;
use crate::output;
use crate::qemu::LinuxStart;

/// The files that QEMU reads.
pub(super) struct Files {
    image: PathBuf,
    initramfs: PathBuf,
}

impl Files {
    pub(super) fn write(directory: &Path, image: &[u8], initramfs: &[u8]) -> Result<Self> {
        let files = Self { image: directory.join("Image"), initramfs: directory.join("initramfs.cpio") };
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        for (file, bytes) in [(&files.image, image), (&files.initramfs, initramfs)] {
            fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(files)
    }

    pub(super) fn words(&self, subject: &Subject) -> Vec<String> {
        subject.machine.boot_linux(&LinuxStart {
            image: &self.image,
            initramfs: &self.initramfs,
            command_line: &subject.command_line,
            by_tables: subject.firmware.is_acpi(),
            has_slot_changes: !subject.topology.hot_plug.is_empty(),
        })
    }
}

/// Where console logs are kept, and the files of `--dry-run`.
pub(super) const KEPT: &str = "target/linux";

/// All that the boots of one command share.
pub(super) struct Boots<'a> {
    pub(super) options: &'a LinuxArgs,
    pub(super) like: &'a Like,
    pub(super) references: References<'a>,
    pub(super) files: Files,
    /// Where QEMU runs.
    pub(super) directory: &'a Path,
}

impl Boots<'_> {
    /// Boots every machine, some at a time; results are in the order of the machines.
    pub(super) fn judge_all(
        &self,
        subjects: &[Subject],
        done: impl Fn(&Judged) + Sync,
    ) -> Result<Vec<Judged>, Stop> {
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
        if interrupt::is_pending() {
            return Err(Stop::unable("interrupted"));
        }
        match first_stop.into_inner().expect("all threads have ended") {
            Some(stop) => Err(stop),
            None => Ok(results.into_inner().expect("all threads have ended").into_values().collect()),
        }
    }

    fn judge(&self, subject: &Subject) -> Result<Judged, Stop> {
        let words = self.files.words(subject);
        if self.options.common.verbose {
            eprintln!("+ {}", output::shell_line(&words));
        }
        let mut runs = Vec::new();
        for number in 1..=self.options.runs {
            let deadline = Duration::from_secs(self.options.timeout);
            let finished = match &subject.topology.hot_plug[..] {
                [] => console::run(&words, self.directory, deadline, &[])?,
                changes => {
                    // The sockets of each QEMU are in a directory of its own.
                    let own = tempfile::tempdir().context("no run directory")?;
                    console::run(&words, own.path(), deadline, changes)?
                }
            };
            let name =
                if self.options.runs > 1 { format!("{}.{number}", subject.id) } else { subject.id.clone() };
            keep_log(&name, &finished.console)?;
            runs.push(finished);
        }
        Ok(Judged::of(subject, runs, |release| self.comparison(subject, listing::version(release))))
    }

    /// Our kernel's answers on a machine, on every path, and what a Linux of this version must be like.
    fn comparison(&self, subject: &Subject, version: &str) -> Result<Comparison> {
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
        let expected = match self.like {
            Like::Path(path) => of(*path).map(|reference| reference.groupings.clone()).unwrap_or_default(),
            Like::Saved(place) => reference::saved(place, subject, version)?,
        };
        let fixed = of(probe::Path::Fixed).and_then(|reference| reference.groupings.first().cloned());
        Ok(Comparison { expected, fixed, paths })
    }
}

/// Keeps the console of a run.
fn keep_log(name: &str, lines: &[String]) -> Result<()> {
    let directory = output::workspace().join(KEPT);
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let file = directory.join(format!("{name}.log"));
    fs::write(&file, lines.join("\n") + "\n").with_context(|| format!("cannot write {}", file.display()))
}
