//! Suites that ran in the guest: as many cases as expected, so that none disappears unnoticed.

use report::{CaseOutcome, Report};

use crate::expect::{Expect, ExpectedSuite};

/// Compares the number of cases of each expected suite.
pub(super) fn differences(report: &Report, expect: &Expect) -> Vec<String> {
    let mut found = Vec::new();
    for (name, wanted) in &expect.suites {
        let Some(suite) = report.suites.iter().find(|suite| suite.name == *name) else {
            found.push(format!("suite {name} did not run"));
            continue;
        };
        let passed = suite.count(CaseOutcome::Passed);
        let is = ExpectedSuite { passed, skipped: suite.count(CaseOutcome::Skipped) };
        if is != *wanted {
            found.push(format!("suite {name}: {is:?}, expected {wanted:?}"));
        }
    }
    found
}
