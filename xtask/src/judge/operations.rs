//! Operations after the boot: each is expected with the state to which it led.

use report::Report;

use crate::expect::Expect;

/// Compares the operations, in order, with those that are expected. Without an expectation, there must be none.
pub(super) fn differences(report: &Report, expect: &Expect) -> Vec<String> {
    let found: Vec<String> = report.operations.iter().map(ToString::to_string).collect();
    let mut differences = Vec::new();
    for (place, wanted) in expect.operations.iter().enumerate() {
        match found.get(place) {
            Some(found) if found == wanted => {}
            Some(found) => {
                differences.push(format!("operation {}: expected {wanted:?}, found {found:?}", place + 1))
            }
            None => differences.push(format!("operation {} is missing: {wanted:?}", place + 1)),
        }
    }
    for found in found.iter().skip(expect.operations.len()) {
        differences.push(format!("unexpected operation: {found:?}"));
    }
    differences
}
