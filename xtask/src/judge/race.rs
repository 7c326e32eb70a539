//! A scenario on two CPUs.

use report::Report;

use crate::expect::Expect;

/// A race that was asked for has had its rounds, and both CPUs were in them together.
pub(super) fn differences(report: &Report, expect: &Expect) -> Vec<String> {
    let mut found = Vec::new();
    match (expect.rounds, &report.race) {
        (None, None) => (),
        (None, Some(_)) => found.push("the report has a race that was not requested".into()),
        (Some(rounds), None) => found.push(format!("no scenario was played; expected {rounds} rounds")),
        (Some(rounds), Some(race)) => {
            if race.rounds != rounds {
                found.push(format!("race: expected {rounds} rounds, there were {}", race.rounds));
            }
            if race.switches < rounds {
                let times = race.switches;
                found.push(format!("race: one CPU followed the other {times} times in {rounds} rounds"));
            }
        }
    }
    found
}
