//! The rules by which two CPUs share a scenario, without CPUs: a shuffle says whose turn it is.

use probe::Path;
use scenario::{Race, Results, Scenario, Turn};

use crate::scenarios::Named;

/// Rounds of each scenario and path; each takes a moment.
const ROUNDS: u64 = 100;

/// Plays a scenario with one pseudo-random turn after the other.
fn shuffled(scenario: &Scenario, path: Path) -> Results {
    let mut race = Race::new(scenario.clone(), path, ROUNDS).unwrap();
    let mut state = 7_u64;
    // Far more turns than the longest scenario needs, so that a round that never ends is seen.
    for _ in 0..ROUNDS * 10_000 {
        // Knuth's MMIX generator; its high bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if race.turn((state >> 63) as usize, state >> 62 & 1 == 1) == Turn::Over {
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
