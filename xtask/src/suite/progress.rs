//! A run of the suite while it goes on: what has been checked, and what people see of it.

use std::collections::BTreeSet;
use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use super::checked::{self, Checked, Counts, Verdict};
use crate::cli::TestArgs;
use crate::interrupt;
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::results::{self, BootTimes, Results};

/// The results of a run so far.
pub(super) struct Progress {
    results: Vec<Checked>,
    /// On a terminal: how far the run is.
    bar: Option<ProgressBar>,
    /// Whether lines go to standard error, because standard output is for JSON alone.
    only_json: bool,
    fail_fast: bool,
    failed: usize,
    /// Version of the QEMU that runs the next boots; none before the first.
    qemu: Option<String>,
    /// Whether the names of the boots contain it.
    is_one_of_several: bool,
    /// Where the results are kept.
    logs: PathBuf,
    began: SystemTime,
    started: Instant,
    boots: BootTimes,
}

impl Progress {
    /// A run of `total` checks.
    pub(super) fn new(options: &TestArgs, total: usize) -> Self {
        let template = "{bar:30} {pos} of {len}, {elapsed} elapsed, {eta} left{msg}";
        let bar = || {
            let bar = ProgressBar::new(total as u64);
            match ProgressStyle::with_template(template) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        };
        Self {
            results: Vec::new(),
            bar: std::io::stderr().is_terminal().then(bar),
            only_json: output::is_only_json(options.json.as_deref()),
            fail_fast: options.fail_fast,
            failed: 0,
            qemu: None,
            is_one_of_several: false,
            logs: logs(options),
            began: SystemTime::now(),
            started: Instant::now(),
            boots: BootTimes::default(),
        }
    }

    /// The next boots run on this QEMU, and are named after it if there are several.
    pub(super) fn on_qemu(&mut self, version: &str, is_one_of_several: bool) {
        self.say(&format!("QEMU {version}"));
        self.qemu = version.split(' ').next().map(String::from);
        self.is_one_of_several = is_one_of_several;
    }

    /// Boots took so long.
    pub(super) fn booted(&mut self, times: BootTimes) {
        self.boots.add(times);
    }

    /// Keeps a result and shows it.
    pub(super) fn keep(&mut self, mut checked: Checked) {
        if let Some(qemu) = self.qemu.as_ref().filter(|_| self.is_one_of_several) {
            checked.name += &format!(" (QEMU {qemu})");
        }
        checked.qemu.clone_from(&self.qemu);
        self.say(&checked.text(&self.logs));
        self.failed += usize::from(matches!(checked.verdict, Verdict::Failed(_)));
        if let Some(bar) = &self.bar {
            bar.inc(1);
            bar.set_message(match self.failed {
                0 => String::new(),
                count => format!(", {count} failed"),
            });
        }
        self.results.push(checked);
    }

    /// Whether nothing else is to run.
    pub(super) fn is_over(&self) -> bool {
        interrupt::is_pending() || self.fail_fast && self.failed > 0
    }

    /// Writes the results where they are wanted, and gives the verdict.
    ///
    /// # Errors
    ///
    /// The run was interrupted, nothing ran, or a file cannot be written.
    pub(super) fn end(self, options: &TestArgs, qemus: &[String]) -> Result<Kind, Stop> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let counts = Counts::of(&self.results);
        remember_failed(&self.results, !self.is_over() && selects_everything(options))?;
        if interrupt::is_pending() {
            eprintln!("{}", counts.text());
            return Err(Stop::unable("interrupted"));
        }
        if counts.passed + counts.failed == 0 {
            return Err(Stop::unable(format!("nothing was left to run{}", counts.reasons_text())));
        }
        let kind = if counts.failed == 0 { Kind::Pass } else { Kind::Fail };
        if let Some(file) = &options.junit {
            checked::write_junit(file, &self.results)?;
        }
        if let Some(file) = &options.ktap {
            fs::write(file, checked::ktap(&self.results))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        let kept = self.kept(qemus, &counts, kind);
        write_results(&self.logs, &kept)?;
        let times = kept.boots.map_or(String::new(), |boots| times_text(&boots) + "\n");
        let text = format!("{times}{}", counts.text());
        output::results(&(text.clone() + "\n"), &kept, options.json.as_deref())?;
        if self.only_json {
            eprintln!("{text}");
        }
        Ok(kind)
    }

    /// What is kept of the run.
    fn kept(&self, qemus: &[String], counts: &Counts, kind: Kind) -> Results {
        Results {
            schema: results::SCHEMA.into(),
            result: kind.word().into(),
            exit_status: kind.exit_status(),
            qemu: qemus.first().cloned(),
            qemus: qemus.to_vec(),
            passed: counts.passed,
            failed: counts.failed,
            skipped: counts.skipped.values().sum(),
            skipped_reasons: counts.skipped.clone(),
            began: self.began.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            seconds: self.started.elapsed().as_secs_f64(),
            boots: (self.boots.count > 0).then_some(self.boots),
            tests: self.results.iter().map(Checked::to_test).collect(),
        }
    }

    fn say(&self, text: &str) {
        let show = || if self.only_json { eprintln!("{text}") } else { println!("{text}") };
        match &self.bar {
            Some(bar) => bar.suspend(show),
            None => show(),
        }
    }
}

/// The file with the names of the checks that failed when they last ran, a line each.
fn memory() -> PathBuf {
    output::workspace().join("target/failed-tests")
}

/// Where the logs, the reports and the results go.
pub(super) fn logs(options: &TestArgs) -> PathBuf {
    options.logs.clone().unwrap_or_else(results::usual_directory)
}

fn write_results(directory: &Path, results: &Results) -> anyhow::Result<()> {
    let file = directory.join(results::FILE);
    let line = serde_json::to_string(results).context("the results cannot be written as JSON")?;
    let written = fs::create_dir_all(directory).and_then(|()| fs::write(&file, line + "\n"));
    written.with_context(|| format!("cannot write {}", file.display()))
}

/// What the boots took, in one line.
fn times_text(boots: &BootTimes) -> String {
    let BootTimes { count, seconds, qemu_seconds, overhead_ms } = boots;
    format!(
        "{count} boots in {seconds:.1} s, {:.2} times the {qemu_seconds:.1} s of their QEMUs; {overhead_ms:.0} ms beside \
         QEMU for each",
        boots.ratio()
    )
}

/// Whether the options leave out no check, or only those that did not fail.
fn selects_everything(options: &TestArgs) -> bool {
    let TestArgs { filters, firmware, path, iommu, boot_only, host_only, .. } = options;
    let has_axis = !firmware.is_empty() || !path.is_empty() || iommu.is_some();
    filters.is_empty() && !has_axis && !boot_only && !host_only
}

/// Keeps the names for `--failed`.
fn remember_failed(results: &[Checked], everything: bool) -> Result<(), Stop> {
    let file = memory();
    let before = fs::read_to_string(&file).unwrap_or_default();
    let names: String =
        still_failed(&before, results, everything).into_iter().map(|name| name + "\n").collect();
    let written = fs::create_dir_all(file.with_file_name("")).and_then(|()| fs::write(&file, names));
    Ok(written.with_context(|| format!("cannot write {}", file.display()))?)
}

/// Names of the checks that failed, and, unless everything ran, of those that failed before and did not run.
pub(super) fn still_failed(before: &str, results: &[Checked], everything: bool) -> BTreeSet<String> {
    let ran: BTreeSet<&str> = results.iter().map(Checked::base_name).collect();
    let not_run = before.lines().filter(|name| !everything && !ran.contains(name));
    let failed = results.iter().filter(|checked| matches!(checked.verdict, Verdict::Failed(_)));
    failed.map(Checked::base_name).chain(not_run).map(String::from).collect()
}

/// Names of the checks that failed when they last ran.
///
/// # Errors
///
/// None did.
pub(super) fn failed_last_time() -> Result<Vec<String>, Stop> {
    let text = fs::read_to_string(memory()).unwrap_or_default();
    let names: Vec<String> = text.lines().map(String::from).collect();
    if names.is_empty() { Err(Stop::usage("no test failed in the last run")) } else { Ok(names) }
}
