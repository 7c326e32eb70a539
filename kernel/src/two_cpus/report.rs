//! What two CPUs did, as parts of the report.

use alloc::format;
use alloc::string::ToString;

use report::{Finding, Race, Report, Severity, TwoCpus};

/// Adds what two CPUs did together.
pub(crate) fn add_self_test(report: &mut Report, did: TwoCpus) {
    let TwoCpus { rounds, pieces: [here, there], counted, switches, unlocked, lost_unlocked, .. } = &did;
    let (severity, time) = if did.at_the_same_time {
        (Severity::Info, "at the same time")
    } else {
        (Severity::Warning, "in turn, as far as was seen")
    };
    report.findings.push(Finding {
        id: "two-cpus".to_string(),
        severity,
        device: format!("CPU 1 (affinity {})", did.affinity),
        sentence: format!(
            "both CPUs run {time}: in {rounds} rounds they did {here} and {there} pieces under a lock, changed \
             {switches} times and counted {counted}; of {unlocked} increments without it they lost {lost_unlocked}"
        ),
    });
    report.two_cpus = Some(did);
}

/// Adds what came of a scenario that two CPUs played. What it broke is broken in this run.
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
