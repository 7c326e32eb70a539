//! Warnings: those that are expected are there, and no others but those that Linux explains.

use report::Report;

use crate::answer::{LATE_PROBE, LinuxAnswer, NO_DRIVER};
use crate::expect::Expect;

/// Compares the warnings with those that are expected, and with what Linux's answer explains.
pub(super) fn differences(report: &Report, expect: &Expect, linux: Option<&LinuxAnswer>) -> Vec<String> {
    let mut found = Vec::new();
    for part in &expect.warnings {
        if !report.warnings.iter().any(|warning| warning.contains(part)) {
            found.push(format!("no warning contains {part:?}"));
        }
    }
    let is_explained = |warning: &&String| linux.is_some_and(|answer| is_explained(warning, answer));
    for warning in report.warnings.iter().filter(|warning| !is_explained(warning)) {
        if !expect.warnings.iter().any(|part| warning.contains(part)) {
            found.push(format!("unexpected warning: {warning}"));
        }
    }
    found
}

/// The device that is bound although its IOMMU never came, if that is what a warning says.
pub(super) fn gave_up_on(warning: &str) -> Option<&str> {
    Some(warning.split_once(": deferred probe timeout, ignoring dependency")?.0)
}

/// Whether a warning is one that Linux's answer explains: a late probe, which is compared by itself, or that we
/// have given up waiting where Linux still waited.
fn is_explained(warning: &str, answer: &LinuxAnswer) -> bool {
    let waits = |name: &str| {
        answer.without_group.iter().any(|function| function.bdf == name && function.driver == NO_DRIVER)
    };
    warning.contains(LATE_PROBE) || gave_up_on(warning).is_some_and(waits)
}
