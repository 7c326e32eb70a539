//! A run of the suite while it goes on: what has been checked, and what people see of it.

use std::fs;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use super::checked::{self, Checked, Counts, Verdict};
use crate::cli::TestArgs;
use crate::interrupt;
use crate::outcome::{Kind, Stop};
use crate::output;

/// The results of a run so far.
pub(super) struct Progress {
    results: Vec<Checked>,
    /// On a terminal: how far the run is.
    bar: Option<ProgressBar>,
    /// Whether lines go to standard error, because standard output is for JSON alone.
    only_json: bool,
    fail_fast: bool,
    failed: usize,
    /// Added to the name of each boot, where several QEMUs run it.
    on: String,
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
            on: String::new(),
        }
    }

    /// The next boots run on this QEMU, and are named after it if there are several.
    pub(super) fn on_qemu(&mut self, version: &str, is_one_of_several: bool) {
        self.say(&format!("QEMU {version}"));
        let version = version.split(' ').next().unwrap_or(version);
        self.on = if is_one_of_several { format!(" (QEMU {version})") } else { String::new() };
    }

    /// Keeps a result and shows it.
    pub(super) fn keep(&mut self, mut checked: Checked) {
        checked.name += &self.on;
        self.say(&checked.text());
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
        if interrupt::is_pending() {
            return Err(Stop::unable("interrupted"));
        }
        let counts = Counts::of(&self.results);
        if counts.passed + counts.failed == 0 {
            return Err(Stop::unable(format!("nothing was left to run{}", counts.reasons_text())));
        }
        let kind = if counts.failed == 0 { Kind::Pass } else { Kind::Fail };
        remember_failed(&self.results)?;
        if let Some(file) = &options.junit {
            checked::write_junit(file, &self.results)?;
        }
        if let Some(file) = &options.ktap {
            fs::write(file, checked::ktap(&self.results))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        let form = checked::summary(&self.results, qemus, kind);
        output::results(&(counts.text() + "\n"), &form, options.json.as_deref())?;
        if self.only_json {
            eprintln!("{}", counts.text());
        }
        Ok(kind)
    }

    fn say(&self, text: &str) {
        let show = || if self.only_json { eprintln!("{text}") } else { println!("{text}") };
        match &self.bar {
            Some(bar) => bar.suspend(show),
            None => show(),
        }
    }
}

/// The file with the names of the checks that failed in the last run, a line each.
fn memory() -> PathBuf {
    output::workspace().join("target/failed-tests")
}

fn remember_failed(results: &[Checked]) -> Result<(), Stop> {
    let failed = results.iter().filter(|checked| matches!(checked.verdict, Verdict::Failed(_)));
    let names: String = failed.map(|checked| checked.base_name().to_owned() + "\n").collect();
    let file = memory();
    let written = fs::create_dir_all(file.with_file_name("")).and_then(|()| fs::write(&file, names));
    Ok(written.with_context(|| format!("cannot write {}", file.display()))?)
}

/// Names of the checks that failed in the last run.
///
/// # Errors
///
/// There was none, or none failed.
pub(super) fn failed_last_time() -> Result<Vec<String>, Stop> {
    let text = fs::read_to_string(memory()).unwrap_or_default();
    let names: Vec<String> = text.lines().map(String::from).collect();
    if names.is_empty() { Err(Stop::usage("no test failed in the last run")) } else { Ok(names) }
}
