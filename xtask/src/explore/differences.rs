//! Where an exploration is not as expected.

use std::collections::BTreeSet;

use probe::Path;
use scenario::{Expect, Exploration, Scenario};

use crate::replay::list;

/// Where an exploration is not as the scenario expects it, and what never may be.
pub(super) fn differences(scenario: &Scenario, found: &Exploration) -> Vec<String> {
    if !found.complete {
        // What there is to compare is not known.
        return vec![format!("not every order was tried: stopped at {} states", found.states)];
    }
    let mut differences = Vec::new();
    let broken: BTreeSet<&str> = found.broken.iter().map(|broken| broken.id).collect();
    if found.path == Path::Fixed && !broken.is_empty() {
        differences.push(format!("some order violates {}", list(&broken)));
    }
    let nothing = Expect::default();
    let expect = scenario.expect.get(found.path.word()).unwrap_or(&nothing);
    if let Some(expected) = &expect.some_order_breaks {
        let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
        if expected != broken {
            let (expected, broken) = (list(&expected), list(&broken));
            differences.push(format!("some order violates: expected {expected}, found {broken}"));
        }
    }
    if let Some(expected) = expect.partitions
        && expected != found.partitions.len()
    {
        differences.push(format!("partitions: expected {expected}, found {}", found.partitions.len()));
    }
    differences
}
