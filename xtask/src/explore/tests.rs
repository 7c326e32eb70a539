//! Explorations: counterexamples break again what they broke, and what is not as expected is said.

use super::*;

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
    found.complete = false;
    let said = differences(&named.scenario, &found).join("\n");
    assert!(said.contains("some order breaks: expected I4, found I2 I3"), "{said}");
    assert!(said.contains("partitions: expected 7, found 1"), "{said}");
    assert!(said.contains("not every order was tried"), "{said}");
    // On `fixed` nothing may break, whatever the file says.
    found.path = Path::Fixed;
    named.scenario.expect.clear();
    let said = differences(&named.scenario, &found).join("\n");
    assert!(said.contains("some order breaks I2 I3"), "{said}");
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
        assert_eq!(figures::number(number), text);
    }
}
