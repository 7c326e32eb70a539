//! Lines that Linux logs and we do too: the same ones, no more and no fewer.

use std::collections::BTreeSet;

use crate::answer::{Answer, LATE_PROBE};
use crate::outcome::{Outcome, UNTRANSLATED};

/// Compares the warnings that a device was grouped although its driver was already there, and the lines that a map
/// leads nowhere.
pub(super) fn differences(outcome: &Outcome, answer: &Answer) -> Vec<String> {
    let warnings = outcome.report.warnings.iter().map(String::as_str);
    let late = same_lines(answer.lines(LATE_PROBE), warnings.filter(|line| line.contains(LATE_PROBE)));
    let untranslated = same_lines(answer.lines(UNTRANSLATED), outcome.log.iter().map(String::as_str));
    [late, untranslated].concat()
}

fn same_lines<'a>(linux: impl Iterator<Item = &'a str>, ours: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut found = Vec::new();
    let (linux, ours): (BTreeSet<&str>, BTreeSet<&str>) = (linux.collect(), ours.collect());
    found.extend(linux.difference(&ours).map(|line| format!("only in Linux's log: {line}")));
    found.extend(ours.difference(&linux).map(|line| format!("not in Linux's log: {line}")));
    found
}
