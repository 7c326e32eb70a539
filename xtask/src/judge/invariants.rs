//! The invariants: all hold, but for those that must, or may, be broken.

use report::Report;

use crate::expect::Expect;

/// The invariants that a complete run reports on.
pub(super) const INVARIANTS: u32 = 11;

/// All invariants must hold, but for those that must, or may, be broken.
pub(super) fn differences(report: &Report, expect: &Expect) -> Vec<String> {
    let mut found = Vec::new();
    let Expect { breaks, may_break, .. } = expect;
    let ids: Vec<String> = (1..=INVARIANTS).map(|number| format!("I{number}")).collect();
    for id in &ids {
        let Some(invariant) = report.invariants.iter().find(|invariant| invariant.id == *id) else {
            found.push(format!("invariant {id} is not reported on"));
            continue;
        };
        match (invariant.holds, breaks.contains(id)) {
            (false, false) if !may_break.contains(id) => {
                let cause = invariant.broken_by.as_deref().unwrap_or("an unnamed cause");
                found.push(format!("invariant {id}: violated by {cause}"))
            }
            (true, true) => found.push(format!("invariant {id}: expected to be violated, but holds")),
            _ => (),
        }
    }
    let unknown = breaks.iter().chain(may_break).filter(|id| !ids.contains(*id));
    found.extend(unknown.map(|id| format!("the expectation contains {id}, which is not an invariant")));
    found
}
