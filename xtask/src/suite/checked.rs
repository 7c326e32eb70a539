//! Results of checks, for people, scripts and continuous integration.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use crate::outcome::Kind;

/// The result of one check.
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) layer: Layer,
    pub(super) took: Duration,
    /// What to paste to get the same.
    pub(super) command: String,
    pub(super) verdict: Verdict,
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
    /// A boot that QEMU cannot do.
    pub(super) fn skipped(name: String, reason: String) -> Self {
        let (layer, took, command) = (Layer::Boot, Duration::ZERO, String::new());
        Self { name, layer, took, command, verdict: Verdict::Skipped(reason) }
    }

    /// The name without that of a QEMU.
    pub(super) fn base_name(&self) -> &str {
        self.name.split_once(" (QEMU ").map_or(&self.name, |(name, _)| name)
    }

    /// What people see.
    pub(super) fn text(&self) -> String {
        let (layer, name, seconds) = (self.layer.word(), &self.name, self.took.as_secs_f32());
        match &self.verdict {
            Verdict::Passed => format!("ok     {layer} {name} ({seconds:.1} s)"),
            Verdict::Skipped(reason) => format!("skipped {layer} {name}: {reason}"),
            Verdict::Failed(differences) => {
                let mut text = format!("FAILED {layer} {name} ({seconds:.1} s)");
                for line in differences.iter().chain([&self.command]) {
                    // Writing to a text does not fail.
                    let _ = write!(text, "\n       {}", line.replace('\n', "\n       "));
                }
                text
            }
        }
    }

    fn to_json(&self) -> Value {
        let (result, differences, reason) = match &self.verdict {
            Verdict::Passed => ("pass", &[][..], None),
            Verdict::Failed(differences) => ("fail", differences.as_slice(), None),
            Verdict::Skipped(reason) => ("skip", &[][..], Some(reason)),
        };
        json!({
            "name": self.name,
            "layer": self.layer.word(),
            "result": result,
            "seconds": self.took.as_secs_f32(),
            "command": self.command,
            "differences": differences,
            "reason": reason,
        })
    }

    fn to_junit(&self) -> TestCase {
        let status = match &self.verdict {
            Verdict::Passed => TestCaseStatus::success(),
            Verdict::Failed(differences) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(differences.first().cloned().unwrap_or_default());
                status.set_description(self.text());
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
        case
    }
}

/// How many checks ended how.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    /// By their reason.
    skipped: BTreeMap<String, usize>,
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

/// Results for scripts.
pub(super) fn summary(results: &[Checked], qemus: &[String], kind: Kind) -> Value {
    let counts = Counts::of(results);
    json!({
        "schema": "iogroups-test/1",
        "result": kind.word(),
        "exit_status": kind.exit_status(),
        "qemu": qemus.first(),
        "qemus": qemus,
        "passed": counts.passed,
        "failed": counts.failed,
        "skipped": counts.skipped.values().sum::<usize>(),
        "skipped_reasons": counts.skipped,
        "tests": results.iter().map(Checked::to_json).collect::<Vec<_>>(),
    })
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
                for line in differences.iter().chain([&checked.command]).flat_map(|text| text.lines()) {
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
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
