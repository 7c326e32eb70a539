//! What QEMU's virtio-iommu is known to do otherwise than the specification: `xtask/suites/protocol.toml`.
//!
//! The guest reports what the device answered; only we know which QEMU it was. A deviation that is not known fails, and
//! so does a known one that is gone.

use std::fs;

use anyhow::{Context, Result};
use report::{CaseOutcome, Report, SuiteCase, SuiteReport, Verdict};
use serde::Deserialize;

use crate::capabilities::Capabilities;
use crate::outcome::{Kind, Outcome};
use crate::output;
use crate::qemu::KernelStart;
use crate::requirement::Requirement;

/// The suite that is judged here, as the guest names it.
const PROTOCOL: &str = "protocol";
/// The word that selects suites, and the value for all of them.
const SUITE: &str = "suite=";
const ALL: &str = "all";
/// The suites that there are.
pub(crate) const SUITES: [&str; 2] = [PROTOCOL, "isolation"];

/// What is known about QEMU's device.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct KnownDeviations {
    /// Cases that must run on each IOMMU.
    at_least: usize,
    deviation: Vec<Deviation>,
    hazard: Vec<Hazard>,
}

/// Cases in which some QEMUs deviate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    cases: Vec<String>,
    /// What the device does.
    answer: String,
    /// What QEMU has.
    #[serde(default)]
    has: Vec<Requirement>,
    /// What QEMU does not have.
    #[serde(default)]
    lacks: Vec<Requirement>,
    /// The reason, and the versions tried.
    why: String,
}

/// Cases that make some QEMUs abort or hang.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hazard {
    cases: Vec<String>,
    /// What a QEMU has that stands them.
    safe: Vec<Requirement>,
    /// What happens on others, and the versions tried.
    #[expect(dead_code, reason = "for the reader of the file")]
    why: String,
}

impl KnownDeviations {
    /// # Errors
    ///
    /// The file cannot be read or is malformed.
    pub(crate) fn read() -> Result<Self> {
        let file = output::workspace().join("xtask/suites/protocol.toml");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is malformed", file.display()))
    }

    /// The word by which the guest runs cases that this QEMU stands; none if no suite is asked for.
    pub(crate) fn hazards_word(&self, start: &KernelStart, qemu: &Capabilities) -> Option<String> {
        let stands = |hazard: &&Hazard| hazard.safe.iter().all(|one| qemu.lacks(one).is_none());
        let safe: Vec<&str> =
            self.hazard.iter().filter(stands).flat_map(|hazard| &hazard.cases).map(String::as_str).collect();
        let is_asked = asked(start).contains(&PROTOCOL);
        (is_asked && !safe.is_empty()).then(|| format!("hazards={}", safe.join(",")))
    }

    /// Compares the suites of a run with what is known, and makes the verdict follow.
    pub(crate) fn judge(&self, start: &KernelStart, outcome: &mut Outcome, qemu: &Capabilities) {
        if !matches!(outcome.kind, Kind::Pass | Kind::Fail) || outcome.report.result == Verdict::Error {
            return;
        }
        let report = &mut outcome.report;
        for suite in report.suites.iter_mut().filter(|suite| kind_of(suite) == PROTOCOL) {
            self.judge_suite(suite, qemu);
        }
        let missing = missing(start, report);
        report.judge();
        report.fail_for(missing);
        outcome.kind = report.result.into();
    }

    fn judge_suite(&self, suite: &mut SuiteReport, qemu: &Capabilities) {
        for case in &mut suite.cases {
            let known = self.deviation.iter().find(|known| known.is_about(&case.id, qemu));
            if let Some(complaint) = difference(case, known) {
                case.outcome = CaseOutcome::Failed;
                case.detail = format!("{}; {complaint}", case.detail);
            } else if let Some(known) = known.filter(|_| case.outcome == CaseOutcome::Deviation) {
                case.detail = format!("{}; known: {}", case.detail, known.why);
            }
        }
        let run = suite.cases.len() - suite.count(CaseOutcome::Skipped);
        if run < self.at_least {
            suite.cases.push(SuiteCase {
                id: "at-least".into(),
                outcome: CaseOutcome::Failed,
                clause: None,
                detail: format!("{run} cases ran, expected at least {}", self.at_least),
                answer: None,
            });
        }
    }
}

impl Deviation {
    fn is_about(&self, case: &str, qemu: &Capabilities) -> bool {
        self.cases.iter().any(|one| one == case)
            && self.has.iter().all(|one| qemu.lacks(one).is_none())
            && self.lacks.iter().all(|one| qemu.lacks(one).is_some())
    }
}

/// Why a case fails, if it does.
fn difference(case: &SuiteCase, known: Option<&Deviation>) -> Option<String> {
    match (case.outcome, known) {
        (CaseOutcome::Deviation, None) => {
            Some("no such deviation is in xtask/suites/protocol.toml for this QEMU".into())
        }
        (CaseOutcome::Deviation, Some(known)) if case.answer.as_ref() != Some(&known.answer) => {
            Some(format!("xtask/suites/protocol.toml has another deviation for this QEMU: {}", known.answer))
        }
        (CaseOutcome::Passed, Some(known)) => Some(format!(
            "it conforms, but xtask/suites/protocol.toml has a deviation for this QEMU: {}",
            known.answer
        )),
        _ => None,
    }
}

/// The suite that a part of the report belongs to: there is one part for each IOMMU if there are several.
fn kind_of(suite: &SuiteReport) -> &str {
    suite.name.split('@').next().unwrap_or_default()
}

/// The suites that the command line asks for.
fn asked(start: &KernelStart) -> Vec<&str> {
    let values = start.append.iter().filter_map(|word| word.strip_prefix(SUITE));
    let is_asked = |suite: &&str| values.clone().any(|value| value == ALL || value == *suite);
    SUITES.into_iter().filter(is_asked).collect()
}

/// A sentence for each suite that was asked for and is not in the report.
fn missing(start: &KernelStart, report: &Report) -> Vec<String> {
    let is_there = |name: &&str| report.suites.iter().any(|suite| kind_of(suite) == *name);
    let missing = asked(start).into_iter().filter(|name| !is_there(name));
    missing.map(|name| format!("suite {name} was asked for and is not in the report")).collect()
}

#[cfg(test)]
mod tests;
