//! Explorations: counterexamples violate the same invariant again, and unmet expectations are reported.

use probe::Path;
use scenario::{Exploration, Limits};

use super::counterexample::counterexample;
use super::differences::differences;
use super::{figures, row};
use crate::replay::Replay;
use crate::scenarios::{self, Named};

fn explored(name: &str, path: Path) -> (Named, Exploration) {
    let named = Named::find(name).unwrap();
    let found = scenario::explore(&named.plan(), path, Limits::default(), &mut |_| {});
    (named, found)
}

#[test]
fn a_counterexample_is_a_file_that_breaks_the_same_on_its_path() {
    for name in ["bare", "worked-sequence", "iommu-twice", "legacy-acs"] {
        for path in Path::ALL {
            let (named, found) = explored(name, path);
            assert_eq!(found.broken.is_empty(), path == Path::Fixed, "{name} on {path}");
            for broken in &found.broken {
                let text = counterexample(&named, path, broken).unwrap();
                let scenario = scenarios::parse(&text).unwrap();
                let again = Named { name: "again".into(), scenario };
                let replay = Replay::run(&again.plan(), path);
                assert!(replay.broken().contains(broken.id), "{text}");
                assert_eq!(replay.differences(&again.scenario.expect[path.word()]), [""; 0], "{text}");
                assert!(text.contains("# begin what is queued"), "{text}");
            }
        }
    }
}

#[test]
fn a_counterexample_that_breaks_nothing_is_refused() {
    let (named, found) = explored("bare", Path::Upstream);
    let mut broken = found.broken[0].clone();
    broken.shortest.steps.clear();
    assert!(counterexample(&named, Path::Upstream, &broken).is_err());
}

#[test]
fn what_an_exploration_should_not_find_is_said() {
    let (mut named, mut found) = explored("bare", Path::Upstream);
    assert_eq!(differences(&named.scenario, &found), [""; 0]);
    let expect = named.scenario.expect.get_mut("upstream").unwrap();
    expect.some_order_breaks = Some(vec!["I4".into()]);
    expect.partitions = Some(7);
    let said = differences(&named.scenario, &found).join("\n");
    assert!(said.contains("some order violates: expected I4, found I3"), "{said}");
    assert!(said.contains("partitions: expected 7, found 1"), "{said}");
    // On `fixed`, no invariant may be violated, whatever the file expects.
    found.path = Path::Fixed;
    named.scenario.expect.clear();
    let said = differences(&named.scenario, &found).join("\n");
    assert!(said.contains("some order violates I3"), "{said}");
    found.complete = false;
    let said = differences(&named.scenario, &found);
    assert!(said.len() == 1 && said[0].contains("not every order was tried"), "{said:?}");
}

#[test]
fn orders_are_numbers_that_people_can_read() {
    for (number, text) in [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (999_999_999_999_999, "999,999,999,999,999"),
        (1_000_000_000_000_000, "1.00 × 10^15"),
        (u128::MAX, "3.40 × 10^38"),
    ] {
        assert_eq!(row::number(number), text);
    }
}

#[test]
fn figures_that_are_not_those_of_the_repository_are_shown_on_both_sides() {
    let ours = "| bare | fixed | 1 |\n| bare | legacy | 2 |\n";
    assert_eq!(figures::lines_that_differ(ours, ours), [""; 0]);
    let found = "| bare | fixed | 1 |\n| bare | legacy | 3 |\n";
    let said = figures::lines_that_differ(ours, found);
    assert_eq!(
        said,
        ["figures that come out: | bare | legacy | 3 |", "figures in FIGURES.md: | bare | legacy | 2 |"]
    );
}

#[test]
fn no_two_scenarios_explore_the_same() {
    let text = std::fs::read_to_string(scenarios::directory().join("FIGURES.md")).unwrap();
    let mut of_scenario: std::collections::BTreeMap<&str, String> = std::collections::BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let (name, figures) = line[2..].split_once(" | ").unwrap();
        *of_scenario.entry(name).or_default() += figures;
    }
    assert_eq!(of_scenario.len(), Named::all().unwrap().len());
    for (name, figures) in &of_scenario {
        let twin = of_scenario.iter().find(|(other, others)| *other != name && *others == figures);
        assert_eq!(twin, None, "{name} explores what another scenario explores");
    }
}

#[test]
fn a_path_of_which_nothing_is_expected_is_said() {
    let mut named = Named::find("bare").unwrap();
    assert_eq!(figures::expected_of(&named, Path::Legacy), [""; 0]);
    named.scenario.expect.remove("legacy");
    assert_eq!(figures::expected_of(&named, Path::Legacy), ["nothing is expected"]);
}
