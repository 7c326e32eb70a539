//! The boots of a run: asked of one QEMU, some at a time, each compared with what is expected of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::checked::{Checked, Layer, Verdict};
use super::progress::Progress;
use crate::boot::Boot;
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
    /// What suites in the guest are compared with.
    known: KnownDeviations,
    deadline: Duration,
    /// Where every report is kept.
    reports: Option<PathBuf>,
    /// Where every log is kept.
    logs: PathBuf,
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
        let needed: Vec<Requirement> = cases.iter().flat_map(|case| case.topology.requirements()).collect();
        let types = stated.into_iter().chain(&needed).filter_map(Requirement::type_name);
        let qemu = Capabilities::ask(&program, &types.collect::<BTreeSet<_>>())?;
        // Several QEMUs run the same boots.
        let of_qemu = |directory: PathBuf| match options.qemu.len() {
            0 | 1 => directory,
            _ => directory.join(qemu.version().split(' ').next().unwrap_or_default()),
        };
        let reports = options.reports.clone().map(of_qemu);
        let usual = || output::workspace().join("target/test-logs");
        let logs = of_qemu(options.logs.clone().unwrap_or_else(usual));
        for directory in reports.iter().chain([&logs]) {
            fs::create_dir_all(directory)
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        let (deadline, jobs) = (Duration::from_secs(options.timeout), jobs(options));
        Ok(Self {
            program,
            changes,
            paths: paths.clone(),
            known: KnownDeviations::read()?,
            deadline,
            reports,
            logs,
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
        case.topology.requirements().iter().find_map(|requirement| self.qemu.lacks(requirement))
    }

    /// Does every boot, some at a time, as long as the progress goes on.
    pub(super) fn boot_all(&self, boots: &[Ready], kernels: &Kernels, progress: &mut Progress) {
        let (alone, together): (Vec<_>, Vec<_>) = boots.iter().partition(|ready| ready.case.topology.alone);
        self.boot_at_a_time(self.jobs, &together, kernels, progress);
        self.boot_at_a_time(1, &alone, kernels, progress);
    }

    /// Where the log of a boot goes.
    fn log_of(&self, id: &str) -> Log {
        Log::Kept(self.logs.join(file_name(id, "log")))
    }

    fn boot_at_a_time(&self, at_a_time: usize, boots: &[&Ready], kernels: &Kernels, progress: &mut Progress) {
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
                progress.keep(checked);
                is_over.store(progress.is_over(), Ordering::Relaxed);
            }
        });
    }

    /// The boot of a case, or the failed check that it is if a file of its topology cannot be used.
    pub(super) fn ready(&self, case: Case) -> Result<Ready, Checked> {
        match Boot::of_case(&case, &self.program) {
            Ok(mut boot) => {
                boot.start.append.extend(self.known.hazards_word(&boot.start, &self.qemu));
                Ok(Ready { case, boot })
            }
            Err(error) => Err(Checked {
                name: case.id,
                layer: Layer::Boot,
                took: Duration::ZERO,
                command: format!("cargo xtask qemu --topology {}", case.topology.name),
                verdict: Verdict::Failed(vec![format!("{error:#}")]),
            }),
        }
    }

    fn boot_one(&self, Ready { case, boot }: &Ready, kernels: &Kernels) -> Checked {
        let started = Instant::now();
        let kernel = &kernels[&boot.start.binary()];
        let differences = self.differences(case, boot, kernel).unwrap_or_else(|error| vec![error]);
        Checked {
            name: case.id.clone(),
            layer: Layer::Boot,
            took: started.elapsed(),
            command: boot.shell_lines(kernel).join("\n"),
            verdict: Verdict::of(differences),
        }
    }

    /// What is expected on this QEMU, and why that is not what is expected on every one.
    fn expected<'a>(&'a self, case: &'a Case, boot: &Boot) -> anyhow::Result<(Expect, Vec<&'a str>)> {
        let route = (case.firmware, case.path);
        let tree = || boot.own_tree();
        let (mut expect, of_all) =
            When::expected(&self.changes, case.expect.clone(), route, &self.qemu, tree)?;
        if expect.result == Kind::Error {
            // A run that ends early may not have seen what every machine has.
            let added = expect.findings.split_off(case.expect.findings.len());
            expect.tolerated.extend(added);
        }
        let (expect, own) = When::expected(&case.topology.when, expect, route, &self.qemu, tree)?;
        Ok((expect, [of_all, own].concat()))
    }

    /// Boots once; what differs from what is expected, or why there is nothing to compare.
    fn differences(&self, case: &Case, boot: &Boot, kernel: &Kernel) -> Result<Vec<String>, String> {
        let (expect, reasons) = self.expected(case, boot).map_err(|error| format!("{error:#}"))?;
        let answers = case.answers(&expect, &self.paths).map_err(|error| format!("{error:#}"))?;
        let deadline = case.topology.timeout.map_or(self.deadline, Duration::from_secs);
        let outcome = boot.run(kernel, Some(deadline), &self.log_of(&case.id));
        let mut outcome = outcome.map_err(|stop| format!("{}: {}", stop.kind.word(), stop.message))?;
        if boot.start.has_suite() {
            self.known.judge(&boot.start, &mut outcome, &self.qemu);
        }
        if let Some(directory) = &self.reports {
            let file = directory.join(file_name(&case.id, "json"));
            let written =
                outcome.to_json().map_err(io::Error::from).and_then(|text| fs::write(&file, text + "\n"));
            written.map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        }
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
            if let Log::Kept(file) = self.log_of(&case.id) {
                found.push(format!("the log is in {}", file.display()));
            }
            found.extend(reasons.iter().map(|why| format!("the expectation is that for this QEMU: {why}")));
        }
        Ok(found)
    }
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
