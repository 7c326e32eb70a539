//! Replays: each kind of unmet expectation is reported.

use scenario::{Expect, Step};

use super::*;

/// One late IOMMU and one device; with ACPI, `upstream` never gives it a group.
fn late() -> Named {
    Named::find("bound-before-iommu-acpi").unwrap()
}

fn nic() -> String {
    "0000:00:02.0".into()
}

#[test]
fn every_expectation_that_is_wrong_is_said() {
    let named = late();
    let replay = Replay::run(&named.plan(), Path::Upstream);
    let right = named.scenario.expect["upstream"].clone();
    assert_eq!(replay.differences(&right), [""; 0]);
    let wrong = |change: &dyn Fn(&mut Expect)| {
        let mut expect = right.clone();
        change(&mut expect);
        replay.differences(&expect).join("\n")
    };
    for (said, change) in [
        (
            "groups: expected none",
            (&|expect: &mut Expect| expect.groups = Some(vec![])) as &dyn Fn(&mut Expect),
        ),
        ("groups: expected", &|expect| expect.groups.as_mut().unwrap().push(vec![nic()])),
        ("violated: expected none, found I2 I9", &|expect| expect.breaks = Some(vec![])),
        ("violated: expected I2 I3 I9, found I2 I9", &|expect| {
            expect.breaks.as_mut().unwrap().push("I3".into());
        }),
        ("no event `late 0000:00:02.0` after", &|expect| {
            expect.events = Some(vec![format!("late {}", nic())])
        }),
        ("no event `grouped 0000:00:00.0` after unbound 0000:00:02.0", &|expect| {
            expect.events = Some(vec![format!("unbound {}", nic()), "grouped 0000:00:00.0".into()]);
        }),
        ("there is an event `bound 0000:00:02.0`", &|expect| {
            expect.no_events = Some(vec![format!("bound {}", nic())]);
        }),
        ("expected `refused`, found `translated by firmware, never probed", &|expect| {
            expect.without.insert(nic(), "refused".into());
        }),
        ("0000:00:00.0: expected to be without a group, and is not", &|expect| {
            expect.without.insert("0000:00:00.0".into(), "is the IOMMU".into());
        }),
    ] {
        assert!(wrong(change).contains(said), "{said}\n{}", wrong(change));
    }
}

#[test]
fn known_defects_are_red_where_they_are_and_green_on_fixed() {
    for (name, path, id) in [
        ("self-lookup-acpi", Path::Regressed, "I2"),
        ("self-lookup-dt", Path::Regressed, "I3"),
        ("two-iommus-readiness", Path::Upstream, "I3"),
        ("one-unknown-endpoint", Path::Upstream, "I5"),
        ("iommu-without-node", Path::Upstream, "I9"),
        ("iommu-without-node", Path::Legacy, "I9"),
        ("rescan-multifunction", Path::Upstream, "I1"),
        ("bound-before-iommu-acpi", Path::Upstream, "I9"),
        ("bound-before-iommu-dt", Path::Upstream, "I3"),
        ("self-map", Path::Upstream, "I4"),
        ("self-map", Path::Legacy, "I4"),
        ("window-of-the-dropped-lock", Path::Upstream, "I3"),
        ("walk-overtaken-below-a-port", Path::Upstream, "I1"),
        ("arrival-meets-walk", Path::Upstream, "I2"),
        ("partial-map", Path::Legacy, "I9"),
        ("legacy-acs", Path::Legacy, "I10"),
        ("legacy-bind-order", Path::Legacy, "I1"),
        ("iommu-twice", Path::Upstream, "I2"),
    ] {
        let plan = Named::find(name).unwrap().plan();
        let broken = Replay::run(&plan, path);
        assert!(broken.broken().contains(id), "{name} on {path}: {:?}", broken.breaks);
        let fixed = Replay::run(&plan, Path::Fixed);
        assert!(fixed.breaks.is_empty(), "{name}: {:?}", fixed.breaks);
    }
}

#[test]
fn every_scenario_does_on_every_path_what_it_is_expected_to() {
    for named in Named::all().unwrap() {
        let plan = named.plan();
        for path in Path::ALL {
            let expect = named.scenario.expect.get(path.word());
            let expect = expect.unwrap_or_else(|| panic!("{} expects nothing on {path}", named.name));
            let differences = Replay::run(&plan, path).differences(expect);
            assert!(differences.is_empty(), "{} on {path}: {differences:#?}", named.name);
        }
    }
}

#[test]
fn a_step_that_a_path_cannot_take_is_said_and_a_piece_that_it_has_not_is_passed_over() {
    let mut named = Named::find("host-bridge-behind-iommu").unwrap();
    let function =
        named.scenario.steps.iter().rev().find(|step| matches!(step, Step::Add(_))).unwrap().clone();
    let Step::Add(name) = &function else { unreachable!("it was found as an addition") };
    // A bridge without a driver has no functions.
    named.scenario.steps.retain(|step| matches!(step, Step::Add(_)));
    named.scenario.steps.push(Step::Go(name.clone(), 0));
    let replay = Replay::run(&named.plan(), Path::Legacy);
    let said = replay.differences(&Expect::default());
    assert_eq!(said.last(), Some(&format!("`{function}` is not possible: the host bridge is not bound")));
    assert!(!said.iter().any(|difference| difference.contains("`go ")), "{said:?}");
}

#[test]
fn the_text_has_steps_groups_reasons_and_the_step_that_breaks() {
    let named = late();
    let plan = named.plan();
    let replays: Vec<_> = Path::ALL.map(|path| judge(&named, Replay::run(&plan, path))).into();
    let text = text::of_one(&named, &replays);
    for said in [
        "device bound before its IOMMU",
        "rebind 00:02.0",
        "VIOLATES I9",
        "translated by firmware, never probed: 00:01.0 (upstream, regressed)",
        "I9  upstream  in step 8, `rebind 00:02.0`: 00:02.0 has IOMMU state but no group",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    assert!(!text.contains("NOT AS EXPECTED"), "{text}");
}

#[test]
fn json_has_the_steps_of_each_path_and_the_place_of_each_break() {
    let named = late();
    let plan = named.plan();
    let replays: Vec<_> = Path::ALL.map(|path| judge(&named, Replay::run(&plan, path))).into();
    let json = scenario_json(&named, &replays);
    assert_eq!(json["name"], "bound-before-iommu-acpi");
    assert_eq!(json["paths"][1]["path"], "upstream");
    assert_eq!(
        json["paths"][1]["breaks"][1],
        json!({
            "id": "I9",
            "by": "0000:00:02.0 has IOMMU state but no group",
            "after_step": 8,
        })
    );
    assert_eq!(json["paths"][0]["groups"][1]["members"], json!(["0000:00:02.0"]));
}
