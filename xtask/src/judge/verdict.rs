//! The verdict: the expected one, for the expected reasons, and one that follows from the report.

use report::Verdict;

use super::words::set;
use crate::expect::Expect;
use crate::outcome::Outcome;

pub(super) fn differences(outcome: &Outcome, expect: &Expect) -> Vec<String> {
    let mut found = Vec::new();
    let (report, expected) = (&outcome.report, expect.result);
    let reasons = &report.failed_because;
    if outcome.kind != expected {
        let reason = report.error.as_ref().or(reasons.first()).map_or("without a reason", String::as_str);
        found.push(format!("verdict: expected {}, is {} ({reason})", expected.word(), report.result.word()));
    }
    for words in &expect.because {
        if !reasons.iter().any(|reason| words.iter().all(|word| reason.contains(word))) {
            found.push(format!("no reason to fail contains {}", set(words)));
        }
    }
    let mut judged = report.clone();
    judged.judge();
    if (judged.result, &judged.failed_because) != (report.result, reasons) {
        found.push(format!(
            "the verdict does not follow from the report: expected {} because of {}, is {} because of {}",
            judged.result.word(),
            set(&judged.failed_because),
            report.result.word(),
            set(reasons)
        ));
    }
    let text = report.to_string();
    let last = text.lines().last().unwrap_or_default();
    if !last.starts_with(&format!("{}:", report.result.word())) {
        found.push(format!("last line: expected the verdict, is {last:?}"));
    }
    if (report.result == Verdict::Error) != report.error.is_some() {
        found.push("the verdict and the error text do not go together".into());
    }
    found
}
