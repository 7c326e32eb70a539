//! Findings and the error: those that are expected are there, and nothing serious is beside them.

use report::{Finding, Report, Severity};

use super::words::set;
use crate::expect::Expect;

/// Compares findings and the error with those that are expected.
pub(super) fn differences(report: &Report, expect: &Expect) -> Vec<String> {
    let mut found = Vec::new();
    let text_of = |finding: &Finding| format!("{} {} {}", finding.id, finding.device, finding.sentence);
    let has_all = |text: &str, words: &[String]| words.iter().all(|word| text.contains(word));
    for words in &expect.findings {
        let in_finding = report.findings.iter().any(|finding| has_all(&text_of(finding), words));
        let in_error = report.error.as_ref().is_some_and(|error| has_all(error, words));
        if !in_finding && !in_error {
            found.push(format!("no finding or error contains {}", set(words)));
        }
    }
    for finding in report.findings.iter().filter(|finding| finding.severity > Severity::Info) {
        let text = text_of(finding);
        if !expect.findings.iter().chain(&expect.tolerated).any(|words| has_all(&text, words)) {
            found.push(format!("unexpected finding ({}): {text}", finding.severity));
        }
    }
    found
}
