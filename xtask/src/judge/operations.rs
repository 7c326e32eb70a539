//! Operations and changes of slots after the boot: each is expected with the state to which it led.

use report::Report;

use crate::expect::Expect;

/// Compares operations and changes, in order, with those that are expected. Without an expectation, there must be none.
pub(super) fn differences(report: &Report, expect: &Expect) -> Vec<String> {
    let Report { operations, hot_plug, .. } = report;
    let mut differences = in_order("operation", operations, &expect.operations);
    differences.extend(in_order("change of a slot", hot_plug, &expect.hot_plug));
    differences
}

fn in_order<T: ToString>(what: &str, found: &[T], expected: &[String]) -> Vec<String> {
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    let mut differences = Vec::new();
    for (place, wanted) in expected.iter().enumerate() {
        match found.get(place) {
            Some(found) if found == wanted => {}
            Some(found) => {
                differences.push(format!("{what} {}: expected {wanted:?}, found {found:?}", place + 1))
            }
            None => differences.push(format!("{what} {} is missing: {wanted:?}", place + 1)),
        }
    }
    for found in found.iter().skip(expected.len()) {
        differences.push(format!("unexpected {what}: {found:?}"));
    }
    differences
}
