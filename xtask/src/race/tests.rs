//! The rules by which two CPUs share a scenario, without CPUs: a shuffled list determines which of them continues.

use probe::Path;
use scenario::{Race, Results, Scenario, TurnOutcome};

use crate::scenarios::Named;

/// Rounds of each scenario and path; each takes a moment.
const ROUNDS: u64 = 100;

/// Plays a scenario with one pseudo-random turn after the other.
fn shuffled(scenario: &Scenario, path: Path) -> Results {
    let mut race = Race::new(scenario.clone(), path, ROUNDS).unwrap();
    let mut rng = fastrand::Rng::with_seed(7);
    // Far more turns than the longest scenario needs, so that a round that never ends is seen.
    for _ in 0..ROUNDS * 10_000 {
        if race.turn(rng.usize(..2), rng.bool()) == TurnOutcome::Over {
            return race.results().clone();
        }
    }
    panic!("{} rounds of {ROUNDS} have ended", race.results().rounds);
}

#[test]
fn on_the_path_fixed_no_interleaving_of_any_scenario_breaks_anything() {
    for Named { name, scenario } in Named::all().unwrap() {
        let results = shuffled(&scenario, Path::Fixed);
        assert_eq!(results.rounds, ROUNDS, "{name}");
        assert!(results.broken.is_empty(), "{name}: {:?}", results.broken);
        assert_eq!(results.partitions.len(), 1, "{name}: {:?}", results.partitions);
    }
}

#[test]
fn the_windows_of_linux_are_hit_by_binds_that_come_during_a_walk() {
    for (name, path, id) in [
        ("two-iommus-readiness", Path::Upstream, "I3"),
        ("window-of-the-dropped-lock", Path::Upstream, "I3"),
        ("window-of-the-dropped-lock", Path::Regressed, "I2"),
        ("window-of-the-dropped-lock", Path::Legacy, "I2"),
    ] {
        let results = shuffled(&Named::find(name).unwrap().scenario, path);
        eprintln!("{name} {path}: {:?}", results.broken);
        assert!(results.broken.contains_key(id), "{name} on {path}: {:?}", results.broken);
    }
}
