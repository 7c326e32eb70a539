//! Whether a boot gave what its topology expects: the differences, in words. Each subject has a file.

use report::Verdict;

use crate::answer::LinuxAnswer;
use crate::expect::Expect;
use crate::outcome::{Kind, Outcome};

mod consistency;
mod devices;
mod dma;
mod findings;
mod groups;
mod invariants;
mod iommus;
mod log;
mod moves;
mod operations;
mod race;
pub(crate) mod regions;
mod run;
mod suites;
mod ungrouped;
mod verdict;
mod warnings;
mod words;

/// Compares the end of a boot with what is expected, and with Linux's answers if there are any; where Linux gives
/// one or another, it must be one of them. Empty if there is no difference.
pub(crate) fn differences_from_any(
    outcome: &Outcome,
    expect: &Expect,
    answers: &[LinuxAnswer],
) -> Vec<String> {
    let mut found = answers.iter().map(|answer| differences(outcome, expect, Some(answer)));
    let first = found.next().unwrap_or_else(|| differences(outcome, expect, None));
    if found.any(|others| others.is_empty()) { Vec::new() } else { first }
}

/// Compares the end of a boot with what is expected, and with Linux's answer if there is one. Empty
/// if there is no difference.
fn differences(outcome: &Outcome, expect: &Expect, linux: Option<&LinuxAnswer>) -> Vec<String> {
    let report = &outcome.report;
    if matches!(outcome.kind, Kind::Timeout | Kind::Crash | Kind::Unable | Kind::Usage) {
        if outcome.kind != expect.result {
            return vec![format!("{}: {}", outcome.kind.word(), report.error.as_deref().unwrap_or_default())];
        }
        return [findings::differences(report, expect), warnings::differences(report, expect, None)].concat();
    }
    let mut found = verdict::differences(outcome, expect);
    found.extend(consistency::differences(report));
    // A run that ended with an error may not have come so far.
    if report.result != Verdict::Error {
        found.extend(invariants::differences(report, expect));
        found.extend(race::differences(report, expect));
    }
    found.extend(run::differences(report, expect));
    found.extend(groups::differences(report, expect, linux));
    found.extend(ungrouped::differences(report, expect, linux));
    found.extend(iommus::differences(report, expect, linux));
    found.extend(devices::differences(report, expect, linux));
    found.extend(dma::differences(report, expect));
    found.extend(suites::differences(report, expect));
    found.extend(operations::differences(report, expect));
    found.extend(linux.iter().flat_map(|answer| log::differences(outcome, answer)));
    found.extend(findings::differences(report, expect));
    found.extend(warnings::differences(report, expect, linux));
    found
}

#[cfg(test)]
mod tests;
