//! Results of checks, for people, scripts and continuous integration.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use crate::results::{BootFacts, Ending, Test};

/// The result of one check.
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) layer: Layer,
    pub(super) took: Duration,
    /// What to paste to get the same.
    pub(super) command: String,
    /// The command that checks it again.
    pub(super) repeat: String,
    pub(super) verdict: Verdict,
    /// Version of the QEMU; none if it needs none.
    pub(super) qemu: Option<String>,
    /// The boot that it was, if it was one of a topology.
    pub(super) boot: Option<BootFacts>,
}

/// What a check runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    Host,
    Boot,
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    /// What differs.
    Failed(Vec<String>),
    /// Why it could not run on this QEMU.
    Skipped(String),
}

impl Verdict {
    /// Failed if there is any difference.
    pub(super) fn of(differences: Vec<String>) -> Self {
        if differences.is_empty() { Self::Passed } else { Self::Failed(differences) }
    }
}

impl Layer {
    fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Boot => "boot",
        }
    }
}

impl Checked {
    /// A check that one command repeats, and that nothing more is known of.
    pub(super) fn of(name: impl Into<String>, layer: Layer, command: String, verdict: Verdict) -> Self {
        let (name, repeat, took) = (name.into(), command.clone(), Duration::ZERO);
        Self { name, layer, took, command, repeat, verdict, qemu: None, boot: None }
    }

    /// A boot that QEMU cannot do.
    pub(super) fn skipped(name: String, boot: BootFacts, reason: String) -> Self {
        let verdict = Verdict::Skipped(reason);
        Self { boot: Some(boot), ..Self::of(name, Layer::Boot, String::new(), verdict) }
    }

    /// The name without that of a QEMU.
    pub(super) fn base_name(&self) -> &str {
        self.name.split_once(" (QEMU ").map_or(&self.name, |(name, _)| name)
    }

    /// What people see; files that are kept are below `directory`.
    pub(super) fn text(&self, directory: &Path) -> String {
        let (layer, name, seconds) = (self.layer.word(), &self.name, self.took.as_secs_f32());
        match &self.verdict {
            Verdict::Passed => format!("ok     {layer} {name} ({seconds:.1} s)"),
            Verdict::Skipped(reason) => format!("skipped {layer} {name}: {reason}"),
            Verdict::Failed(differences) => {
                let mut text = format!("FAILED {layer} {name} ({seconds:.1} s)");
                let by_hand = (self.command != self.repeat).then(|| format!("by hand: {}", self.command));
                let again = format!("again: {}", self.repeat);
                let log = self.boot.as_ref().and_then(|boot| boot.log.as_ref());
                let log = log.map(|file| format!("log: {}", directory.join(file).display()));
                for line in differences.iter().chain([&again]).chain(&log).chain(&by_hand) {
                    // Writing to a text does not fail.
                    let _ = write!(text, "\n       {}", line.replace('\n', "\n       "));
                }
                text
            }
        }
    }

    /// What is kept.
    pub(super) fn to_test(&self) -> Test {
        let (result, differences, reason) = match &self.verdict {
            Verdict::Passed => (Ending::Pass, Vec::new(), None),
            Verdict::Failed(differences) => (Ending::Fail, differences.clone(), None),
            Verdict::Skipped(reason) => (Ending::Skip, Vec::new(), Some(reason.clone())),
        };
        Test {
            name: self.name.clone(),
            layer: self.layer.word().into(),
            result,
            seconds: self.took.as_secs_f64(),
            command: self.command.clone(),
            repeat: self.repeat.clone(),
            differences,
            reason,
            qemu: self.qemu.clone(),
            boot: self.boot.clone(),
        }
    }

    fn to_junit(&self) -> TestCase {
        let status = match &self.verdict {
            Verdict::Passed => TestCaseStatus::success(),
            Verdict::Failed(differences) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(differences.first().cloned().unwrap_or_default());
                status.set_description(differences.join("\n") + "\nagain: " + &self.repeat);
                status
            }
            Verdict::Skipped(reason) => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(reason.clone());
                status
            }
        };
        let mut case = TestCase::new(self.name.clone(), status);
        case.set_time(self.took);
        // What viewers group by.
        let folder = self.boot.as_ref().map_or(self.layer.word(), |boot| boot.topology.as_str());
        case.set_classname(format!("iogroups.{folder}"));
        case
    }
}

/// How many checks ended how.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    /// By their reason.
    pub(super) skipped: BTreeMap<String, usize>,
}

impl Counts {
    pub(super) fn of(results: &[Checked]) -> Self {
        let mut counts = Self::default();
        for checked in results {
            match &checked.verdict {
                Verdict::Passed => counts.passed += 1,
                Verdict::Failed(_) => counts.failed += 1,
                Verdict::Skipped(reason) => *counts.skipped.entry(reason.clone()).or_default() += 1,
            }
        }
        counts
    }

    /// The last lines: a line for each reason, and one with the numbers.
    pub(super) fn text(&self) -> String {
        let reasons: String =
            self.skipped.iter().map(|(reason, count)| format!("{count} skipped: {reason}\n")).collect();
        let skipped: usize = self.skipped.values().sum();
        let skipped = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
        format!("{reasons}{} passed, {} failed{skipped}", self.passed, self.failed)
    }

    /// The reasons, as the end of a sentence.
    pub(super) fn reasons_text(&self) -> String {
        self.skipped.keys().map(|reason| format!("; {reason}")).collect()
    }
}

/// Results in the format of Linux's test harnesses (Documentation/dev-tools/ktap.rst, version 1).
pub(super) fn ktap(results: &[Checked]) -> String {
    let mut text = format!("KTAP version 1\n1..{}\n", results.len());
    for (number, checked) in (1..).zip(results) {
        // A hash begins a directive.
        let name = format!("{} {}", checked.layer.word(), checked.name).replace('#', "_");
        // Writing to a text does not fail.
        let _ = match &checked.verdict {
            Verdict::Passed => writeln!(text, "ok {number} {name}"),
            Verdict::Skipped(reason) => {
                writeln!(text, "ok {number} {name} # SKIP {}", reason.replace('\n', " "))
            }
            Verdict::Failed(differences) => {
                let again = format!("again: {}", checked.repeat);
                for line in differences.iter().chain([&again]).flat_map(|text| text.lines()) {
                    let _ = writeln!(text, "# {line}");
                }
                writeln!(text, "not ok {number} {name}")
            }
        };
    }
    text
}

/// Results for continuous integration.
pub(super) fn write_junit(file: &Path, results: &[Checked]) -> anyhow::Result<()> {
    let mut report = quick_junit::Report::new("iogroups");
    for layer in [Layer::Host, Layer::Boot] {
        let mut suite = TestSuite::new(layer.word());
        suite.add_test_cases(results.iter().filter(|checked| checked.layer == layer).map(Checked::to_junit));
        report.add_test_suite(suite);
    }
    let text = report.to_string()?;
    // quick-junit counts skipped tests in the whole, too; the schema (junit-10.xsd of Jenkins) counts them in suites only.
    let skipped = report.test_suites.iter().flat_map(|suite| &suite.test_cases);
    let skipped = skipped.filter(|case| matches!(case.status, TestCaseStatus::Skipped { .. })).count();
    let text = text.replacen(&format!(" skipped=\"{skipped}\""), "", 1);
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
