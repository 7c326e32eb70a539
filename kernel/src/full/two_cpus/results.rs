//! Results of two CPUs, as parts of the report.

use alloc::format;
use alloc::string::ToString;

use report::{Finding, Race, Report, Severity, TwoCpus};

/// Adds what two CPUs did together.
pub(crate) fn add_self_test(report: &mut Report, did: TwoCpus) {
    let TwoCpus { rounds, pieces: [here, there], counted, switches, unlocked, lost_unlocked, .. } = &did;
    let (severity, time) = if did.at_the_same_time {
        (Severity::Info, "at the same time")
    } else {
        (Severity::Warning, "only in turn")
    };
    report.findings.push(Finding {
        id: "two-cpus".to_string(),
        severity,
        device: format!("CPU 1 (affinity {})", did.affinity),
        sentence: format!(
            "both CPUs ran {time}: in {rounds} rounds under a lock they completed {here} and {there} work items, alternated \
             {switches} times and counted {counted}; without the lock they lost {lost_unlocked} of {unlocked} increments"
        ),
    });
    report.two_cpus = Some(did);
}

/// Adds the results of a race. An invariant that it violated is violated in this run.
pub(crate) fn add_race(report: &mut Report, race: Race) {
    for broken in &race.broken {
        let invariant = report.invariants.iter_mut().find(|invariant| invariant.id == broken.id);
        if let Some(invariant) = invariant.filter(|invariant| invariant.holds) {
            invariant.holds = false;
            invariant.broken_by = Some(format!("race, round {}: {}", broken.first_round, broken.broken_by));
        }
    }
    report.race = Some(race);
}
