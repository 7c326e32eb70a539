//! Lines that both Linux and the kernel log: they must be the same.

use std::collections::BTreeSet;

use crate::answer::{LATE_PROBE, LinuxAnswer};
use crate::outcome::{Outcome, UNTRANSLATED};

/// Compares the warnings about devices that were grouped when their driver was already set, and on Linux's paths the lines
/// about devices that are missing from a map.
pub(super) fn differences(outcome: &Outcome, answer: &LinuxAnswer) -> Vec<String> {
    let warnings = outcome.report.warnings.iter().map(String::as_str);
    let late = same_lines(answer.lines(LATE_PROBE), warnings.filter(|line| line.contains(LATE_PROBE)));
    // `fixed` says it in words of its own; that the same devices have no group is compared by itself.
    if outcome.report.run.path == probe::Path::Fixed.word() {
        return late;
    }
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
