//! The boots of a run: asked of one QEMU, some at a time, each compared with what is expected of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::checked::{Checked, Layer, Verdict};
use super::progress::{self, Progress};
use crate::boot::{Boot, OwnTrees, Tree};
use crate::capabilities::Capabilities;
use crate::case::Case;
use crate::cli::{Common, TestArgs};
use crate::expect::Expect;
use crate::image::{Binary, Kernel};
use crate::interrupt;
use crate::judge;
use crate::known_deviations::KnownDeviations;
use crate::outcome::Kind;
use crate::output;
use crate::paths::Paths;
use crate::program;
use crate::requirement::Requirement;
use crate::results::{BootFacts, BootTimes};
use crate::run::Log;
use crate::when::When;

/// The binaries that the boots of a run need.
pub(super) type Kernels = BTreeMap<Binary, Kernel>;

/// A boot of a topology, with the files that it needs.
pub(super) struct Ready {
    case: Case,
    pub(super) boot: Boot,
}

/// What every boot of a run shares.
pub(super) struct Boots {
    program: String,
    qemu: Capabilities,
    /// Changes of what is expected that every topology is subject to.
    changes: Vec<When>,
    paths: Paths,
    trees: OwnTrees,
    /// What suites in the guest are compared with.
    known: KnownDeviations,
    deadline: Duration,
    /// Where every report is kept.
    reports: PathBuf,
    /// Where every log is kept.
    logs: PathBuf,
    /// Where the results of the run are kept: what is below it is named from there.
    results: PathBuf,
    /// Words of the command line that select this QEMU.
    of_qemu: Vec<String>,
    /// Boots at a time.
    jobs: usize,
}

impl Boots {
    /// Asks QEMU about all that the machines require of it.
    ///
    /// # Errors
    ///
    /// QEMU does not answer, or a file or directory of the suite cannot be used.
    pub(super) fn ask(
        options: &TestArgs,
        common: &Common,
        cases: &[Case],
        paths: &Paths,
    ) -> anyhow::Result<Self> {
        let program = program::qemu(common.qemu.as_deref());
        let changes = When::of_all()?;
        let of_changes = changes.iter().chain(cases.iter().flat_map(|case| &case.topology.when));
        let stated: Vec<&Requirement> = of_changes.flat_map(When::requirements).collect();
        let needed: Vec<Requirement> = cases.iter().flat_map(Case::requirements).collect();
        let types = stated.into_iter().chain(&needed).filter_map(Requirement::type_name);
        let qemu = Capabilities::ask(&program, &types.collect::<BTreeSet<_>>())?;
        // Several QEMUs run the same boots.
        let of_qemu = |directory: PathBuf| match options.qemu.len() {
            0 | 1 => directory,
            _ => directory.join(qemu.version().split(' ').next().unwrap_or_default()),
        };
        let results = progress::logs(options);
        let logs = of_qemu(results.clone());
        let reports = options.reports.clone().map_or_else(|| logs.clone(), of_qemu);
        for directory in [&reports, &logs] {
            fs::create_dir_all(directory)
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        let (deadline, jobs) = (Duration::from_secs(options.timeout), jobs(options));
        Ok(Self {
            changes,
            paths: paths.clone(),
            trees: OwnTrees::default(),
            known: KnownDeviations::read()?,
            deadline,
            reports,
            logs,
            results,
            of_qemu: options.qemu.first().map_or(Vec::new(), |_| vec!["--qemu".into(), program.clone()]),
            program,
            jobs,
            qemu,
        })
    }

    /// The version of QEMU.
    pub(super) fn version(&self) -> &str {
        self.qemu.version()
    }

    /// Why this QEMU cannot make the machine of a boot.
    pub(super) fn lacks(&self, case: &Case) -> Option<String> {
        case.requirements().iter().find_map(|requirement| self.qemu.lacks(requirement))
    }

    /// Does every boot, some at a time, as long as the progress goes on.
    pub(super) fn boot_all(&self, boots: &[Ready], kernels: &Kernels, progress: &mut Progress) {
        let (alone, together): (Vec<_>, Vec<_>) = boots.iter().partition(|ready| ready.case.topology.alone);
        self.boot_at_a_time(self.jobs, &together, kernels, progress);
        self.boot_at_a_time(1, &alone, kernels, progress);
    }

    fn boot_at_a_time(&self, at_a_time: usize, boots: &[&Ready], kernels: &Kernels, progress: &mut Progress) {
        let started = Instant::now();
        let mut times = OfBatch::default();
        let next = AtomicUsize::new(0);
        let is_over = AtomicBool::new(progress.is_over());
        let (sender, results) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..at_a_time {
                let sender = sender.clone();
                scope.spawn(|| {
                    let sender = sender;
                    while let Some(ready) = boots.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let is_over = is_over.load(Ordering::Relaxed) || interrupt::is_pending();
                        if is_over || sender.send(self.boot_one(ready, kernels)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            for checked in results {
                times.add(&checked);
                progress.keep(checked);
                is_over.store(progress.is_over(), Ordering::Relaxed);
            }
        });
        progress.booted(times.boot_times(started.elapsed(), at_a_time));
    }

    /// The boot of a case, or the failed check that it is if a file of its topology cannot be used.
    pub(super) fn ready(&self, case: Case) -> Result<Ready, Box<Checked>> {
        match Boot::of_case(&case, &self.program) {
            Ok(mut boot) => {
                boot.start.append.extend(self.known.hazards_word(&boot.start, &self.qemu));
                Ok(Ready { case, boot })
            }
            Err(error) => {
                let verdict = Verdict::Failed(vec![format!("{error:#}")]);
                let checked = Checked::of(case.id.clone(), Layer::Boot, self.repeat(&case), verdict);
                Err(Box::new(Checked { boot: Some(case.facts()), ..checked }))
            }
        }
    }

    fn boot_one(&self, Ready { case, boot }: &Ready, kernels: &Kernels) -> Checked {
        let started = Instant::now();
        let kernel = &kernels[&boot.start.binary()];
        let mut facts = case.facts();
        let differences =
            self.differences(case, boot, kernel, &mut facts).unwrap_or_else(|error| vec![error]);
        let command = boot.shell_lines(kernel).join("\n");
        let checked = Checked::of(case.id.clone(), Layer::Boot, command, Verdict::of(differences));
        Checked { repeat: self.repeat(case), boot: Some(facts), took: started.elapsed(), ..checked }
    }

    /// The command that boots a case and judges it again.
    fn repeat(&self, case: &Case) -> String {
        let words = ["cargo", "xtask", "test", "--boot-only", "--exact"].map(String::from);
        output::shell_line(words.iter().chain([&case.id]).chain(&self.of_qemu))
    }

    /// A file that is kept, named from where the results are.
    fn kept(&self, file: &Path) -> PathBuf {
        file.strip_prefix(&self.results).map_or_else(|_| absolute(file), Path::to_owned)
    }

    /// What is expected on this QEMU, and why that is not what is expected on every one.
    fn expected<'a>(&'a self, case: &'a Case, boot: &Boot) -> anyhow::Result<(Expect, Vec<&'a str>)> {
        let route = (case.firmware, case.path);
        let tree = || self.trees.of(boot);
        let (mut expect, of_all) =
            When::expected(&self.changes, case.expect.clone(), route, &self.qemu, tree)?;
        if expect.result == Kind::Error {
            // A run that ends early may not have seen what every machine has.
            let added = expect.findings.split_off(case.expect.findings.len());
            expect.tolerated.extend(added);
        }
        let (expect, own) = When::expected(case.changes(), expect, route, &self.qemu, tree)?;
        Ok((expect, [of_all, own].concat()))
    }

    /// Boots once; what differs from what is expected, or why there is nothing to compare.
    fn differences(
        &self,
        case: &Case,
        boot: &Boot,
        kernel: &Kernel,
        facts: &mut BootFacts,
    ) -> Result<Vec<String>, String> {
        let (expect, reasons) = self.expected(case, boot).map_err(|error| format!("{error:#}"))?;
        let answers = case.answers(&expect, &self.paths).map_err(|error| format!("{error:#}"))?;
        let deadline = case.topology.timeout.map_or(self.deadline, Duration::from_secs);
        let own_tree = matches!(boot.tree, Tree::Edited(_)).then(|| self.trees.of(boot)).transpose();
        let own_tree = own_tree.map_err(|error| format!("{error:#}"))?;
        let boot = &Boot { own_tree, ..boot.clone() };
        let log = self.logs.join(file_name(&case.id, "log"));
        let outcome = boot.run(kernel, Some(deadline), &Log::Kept(log.clone()));
        facts.log = Some(self.kept(&log)).filter(|_| log.is_file());
        let mut outcome = outcome.map_err(|stop| format!("{}: {}", stop.kind.word(), stop.message))?;
        if boot.start.has_suite() {
            self.known.judge(&boot.start, &mut outcome, &self.qemu);
        }
        facts.qemu_seconds = outcome.took.as_secs_f64();
        let file = self.reports.join(file_name(&case.id, "json"));
        let written =
            outcome.to_json().map_err(io::Error::from).and_then(|text| fs::write(&file, text + "\n"));
        written.map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        facts.report = Some(self.kept(&file));
        let mut found = judge::differences_from_any(&outcome, &expect, &answers);
        let run = &outcome.report.run;
        found.extend(run_difference("firmware", case.firmware.word(), &run.firmware));
        found.extend(run_difference("path", case.path.word(), &run.path));
        // A kernel that cannot parse an order reports that instead.
        if run.order != case.order && expect.result != Kind::Error {
            let [expected, is] = [&case.order, &run.order].map(|order| order.as_deref().unwrap_or("Linux's"));
            found.push(format!("order: expected {expected}, is {is}"));
        }
        if !found.is_empty() {
            found.extend(reasons.iter().map(|why| format!("the expectation is that for this QEMU: {why}")));
        }
        Ok(found)
    }
}

/// What boots that ran some at a time took.
#[derive(Default)]
struct OfBatch {
    count: usize,
    checks: Duration,
    /// In seconds, each and the longest.
    qemu: f64,
    longest: f64,
}

impl OfBatch {
    fn add(&mut self, checked: &Checked) {
        let qemu = checked.boot.as_ref().map_or(0.0, |boot| boot.qemu_seconds);
        self.count += 1;
        self.checks += checked.took;
        self.qemu += qemu;
        self.longest = self.longest.max(qemu);
    }

    fn boot_times(&self, wall: Duration, at_a_time: usize) -> BootTimes {
        let at_a_time = u16::try_from(at_a_time.max(1)).map_or(1.0, f64::from);
        let count = u32::try_from(self.count).map_or(f64::MAX, f64::from).max(1.0);
        BootTimes {
            count: self.count,
            seconds: wall.as_secs_f64(),
            qemu_seconds: (self.qemu / at_a_time).max(self.longest),
            overhead_ms: (self.checks.as_secs_f64() - self.qemu) * 1e3 / count,
        }
    }
}

/// A path that means the same everywhere.
fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}

/// Boots at a time. More than there are CPUs make each one slower, and a deadline is in wall-clock time.
pub(super) fn jobs(options: &TestArgs) -> usize {
    let cpus = || thread::available_parallelism().map_or(1, usize::from);
    options.jobs.map_or_else(cpus, usize::from)
}

/// A name of a boot as a name of a file: some have an order in them, with characters that a file name cannot have.
fn file_name(id: &str, extension: &str) -> String {
    format!("{}.{extension}", id.replace('/', "_"))
}

/// What differs if the kernel ran otherwise than meant; a run without a report does not say.
pub(super) fn run_difference(what: &str, meant: &str, is: &str) -> Option<String> {
    (is != meant && !is.is_empty()).then(|| format!("{what}: expected {meant}, is {is}"))
}
