//! Several IOMMUs in one machine: devices that name two or three of them, and each one's coming and going.

use std::collections::BTreeMap;

use crate::{DeviceId, DmaState, Event, InstanceState, Trigger};

use super::model::{Action, Machine, Spec, assert_no_leftover, iommu, machine, on};
use super::orders::{orders, same_in_all_orders};

/// Three IOMMUs, a device behind each alone, and one behind all three.
fn three() -> Vec<Spec> {
    vec![
        iommu("u", 100),
        iommu("v", 200),
        iommu("w", 300),
        on("a", &[(100, 1)]),
        on("b", &[(200, 1)]),
        on("c", &[(300, 1)]),
        on("all", &[(100, 9), (200, 8), (300, 7)]),
    ]
}

const IN_ALL: &[&[&str]] = &[&["a"], &["all"], &["b"], &["c"]];

/// Endpoints that are attached at an IOMMU.
fn attached(machine: &Machine, iommu: &str) -> Vec<u32> {
    machine.iommu(iommu).attached.keys().copied().collect()
}

/// Names of the devices that each instance translates.
fn members(machine: &Machine) -> BTreeMap<&str, Vec<&str>> {
    let name = |id: &DeviceId| machine.core.device(*id).handle().name;
    let instances = machine.core.instances();
    instances
        .map(|instance| (name(&instance.device()), instance.members().iter().map(name).collect()))
        .collect()
}

fn is_grouped(machine: &Machine, name: &str) -> bool {
    machine.core.devices().any(|device| device.name() == name && matches!(device.dma(), DmaState::Grouped(_)))
}

#[test]
fn a_device_on_three_iommus_is_attached_on_each_by_its_own_endpoints() {
    let mut m = machine(three());
    m.boot();
    assert_eq!(m.partition(), IN_ALL);
    assert_eq!([attached(&m, "u"), attached(&m, "v"), attached(&m, "w")], [[1, 9], [1, 8], [1, 7]]);
    assert_eq!(members(&m)["u"], ["a", "all"]);
    assert_eq!(members(&m)["w"], ["c", "all"]);
    assert_no_leftover(&m);
    m.assert_invariants();
}

#[test]
#[cfg_attr(miri, ignore = "hundreds of orders")]
fn three_iommus_arrive_in_every_order() {
    let mut specs = three();
    specs.drain(3..5);
    let groups: &[&[&str]] = &[&["all"], &["c"]];
    same_in_all_orders(specs, &["iommu", "client"], |_| {}, groups);
}

/// Until the last IOMMU is there, nothing is set up with those that are, and the reason names the others.
#[test]
fn a_device_waits_for_each_of_its_iommus_and_leaves_nothing_behind() {
    let mut arrivals: Vec<Action> = (0..3).map(Action::Add).collect();
    orders(&mut arrivals, 3, &mut |order| {
        let mut m = machine(three());
        for index in 3..7 {
            m.act(Action::Add(index));
        }
        m.act(Action::Register("iommu"));
        m.act(Action::Register("client"));
        for (number, arrival) in order.iter().enumerate() {
            assert!(!is_grouped(&m, "all"), "{order:?}");
            let missing: Vec<String> = [100, 200, 300]
                .into_iter()
                .enumerate()
                .filter(|(index, _)| order[number..].contains(&Action::Add(*index)))
                .map(|(_, node)| format!("/node@{node}"))
                .collect();
            assert_eq!(m.why_not("all"), format!("waiting for: {}", missing.join(", ")));
            for iommu in ["u", "v", "w"] {
                let endpoints = attached(&m, iommu);
                assert!(endpoints.iter().all(|endpoint| *endpoint == 1), "{iommu}: {endpoints:?}");
                let log = m.iommu(iommu).log.join(" ");
                assert!(!["0x7", "0x8", "0x9"].iter().any(|endpoint| log.contains(endpoint)), "{log}");
            }
            m.act(*arrival);
            m.core.settle();
        }
        assert_eq!(m.partition(), IN_ALL);
        assert_eq!(m.bound().len(), 7);
        let id = m.id("all");
        let DmaState::Grouped(membership) = m.core.device(id).dma() else { panic!("it is in a group") };
        assert_eq!((membership.trigger(), membership.fwspecs().len()), (Trigger::Replay, 3));
        m.assert_invariants();
    });
}

/// An IOMMU that can be looked up already, but is not ready, lets nobody but its own replay through, also
/// if another one of the device is ready: whoever else asks between any two steps changes nothing.
#[test]
fn readiness_is_not_passed_by_between_any_two_steps() {
    let specs = vec![
        iommu("v", 100),
        iommu("w", 200),
        on("both", &[(100, 1), (200, 2)]),
        on("b", &[(200, 3)]),
        Spec { platform: true, ..on("late", &[(100, 3), (200, 4)]) },
    ];
    let mut tried_in_replay = 0;
    for after in 0.. {
        let mut m = machine(specs.clone());
        for action in [Action::Add(0), Action::Add(2), Action::Add(3), Action::Register("client")] {
            m.act(action);
        }
        m.act(Action::Register("iommu"));
        m.core.settle();
        m.act(Action::Add(1));
        let steps = (0..after).take_while(|_| m.core.step()).count();
        let replaying = m.core.instances().any(|instance| instance.state() == InstanceState::Published);
        let before = (is_grouped(&m, "both"), attached(&m, "v"));
        m.act(Action::Rebind("both"));
        m.act(Action::Unbind("both"));
        m.act(Action::Add(4));
        if replaying {
            assert_eq!((is_grouped(&m, "both"), attached(&m, "v")), before, "after {after} steps");
            assert_eq!(m.why_not("late"), "waiting for: /node@200", "after {after} steps");
            tried_in_replay += 1;
        }
        m.core.settle();
        m.act(Action::Rebind("both"));
        m.core.settle();
        assert_eq!(m.partition(), [["b"], ["both"], ["late"]], "after {after} steps");
        assert_eq!(m.bound().len(), 5, "after {after} steps");
        assert_bound_behind_both(&mut m, "both");
        m.assert_invariants();
        if steps < after {
            break;
        }
    }
    assert!(tried_in_replay > 4, "the replay is several steps");
}

/// No driver got the device before its group had a default domain on two IOMMUs.
fn assert_bound_behind_both(machine: &mut Machine, name: &str) {
    let id = machine.id(name);
    let (mut domains, mut group) = (0, None);
    for event in machine.core.take_events() {
        match event {
            Event::Joined { device, group: joined, .. } if device == id => group = Some(joined),
            Event::DefaultDomain { group: of, .. } if Some(of) == group => domains += 1,
            Event::Bound { device, .. } if device == id => assert_eq!(domains, 2),
            _ => {}
        }
    }
}

#[test]
fn of_three_iommus_one_with_another_driver_is_refused_by_name() {
    let mut specs = three();
    specs[2].driver = "iommu-w";
    let mut m = machine(specs);
    m.boot();
    assert_eq!(m.why_not("all"), "IOMMU has no driver: /node@300");
    m.act(Action::Register("iommu-w"));
    m.core.settle();
    assert_eq!(
        m.why_not("all"),
        "refused by the IOMMU: its IOMMUs have different drivers: iommu and iommu-w"
    );
    assert_eq!(m.finding_ids(), ["mixed-iommus"]);
    assert_eq!(m.partition(), [["a"], ["b"], ["c"]]);
    assert_eq!([attached(&m, "u"), attached(&m, "v"), attached(&m, "w")], [[1], [1], [1]]);
    assert!(m.bound().contains(&"all"), "it is driven without an IOMMU");
    m.assert_invariants();
}

#[test]
fn a_refusal_by_the_last_of_three_leaves_nothing_at_the_others() {
    for (by_attach, late) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut specs = three();
        if late {
            // Into a group that has its default domain already.
            specs[6].leader = "a";
        }
        let mut m = machine(specs);
        let refused = |m: &Machine| {
            let mut w = m.iommu("w");
            if by_attach {
                w.refuse_attach.insert(7)
            } else {
                w.unknown.insert(7)
            };
        };
        refused(&m);
        for index in 0..6 {
            m.act(Action::Add(index));
        }
        // Either the last replay comes to it, or it comes when all IOMMUs are ready.
        if late {
            m.act(Action::Register("iommu"));
            m.core.settle();
            m.act(Action::Add(6));
        } else {
            m.act(Action::Add(6));
            m.act(Action::Register("iommu"));
            m.core.settle();
        }
        let what = if by_attach { "ATTACH of endpoint 0x7: RANGE" } else { "PROBE of endpoint 0x7: NOENT" };
        assert_eq!(m.why_not("all"), format!("refused by the IOMMU: w: {what}"));
        assert_eq!(m.partition(), [["a"], ["b"], ["c"]]);
        assert_eq!([attached(&m, "u"), attached(&m, "v"), attached(&m, "w")], [[1], [1], [1]]);
        assert_no_leftover(&m);
        m.assert_invariants();
    }
}

#[test]
fn removing_a_device_detaches_it_at_each_iommu() {
    let mut specs = three();
    // Another user of one of the endpoints.
    specs.push(on("twin", &[(200, 8)]));
    let mut m = machine(specs);
    m.boot();
    assert_eq!(m.partition(), [vec!["a"], vec!["all", "twin"], vec!["b"], vec!["c"]]);
    m.act(Action::Remove("all"));
    m.core.settle();
    assert_eq!([attached(&m, "u"), attached(&m, "w")], [[1], [1]]);
    assert_eq!(attached(&m, "v"), [1, 8], "it has another user");
    assert_eq!(members(&m)["u"], ["a"]);
    assert_no_leftover(&m);
    m.act(Action::Add(6));
    m.core.settle();
    assert_eq!(m.partition(), [vec!["a"], vec!["all", "twin"], vec!["b"], vec!["c"]]);
    m.assert_invariants();
}

#[test]
fn an_iommu_that_is_unbound_takes_its_own_users_along_and_nobody_else() {
    for gone in ["u", "v", "w"] {
        let mut m = machine(three());
        m.boot();
        m.core.take_events();
        m.act(Action::Unbind(gone));
        m.core.settle();
        let own = BTreeMap::from([("u", "a"), ("v", "b"), ("w", "c")])[gone];
        let others: Vec<Vec<&str>> =
            ["a", "b", "c"].into_iter().filter(|name| *name != own).map(|name| vec![name]).collect();
        assert_eq!(m.partition(), others, "without {gone}");
        assert!(m.why_not("all").starts_with("IOMMU has no driver: /node@"), "{}", m.why_not("all"));
        assert!(m.iommus.keys().all(|iommu| !attached(&m, iommu).iter().any(|endpoint| *endpoint > 1)));
        assert_no_leftover(&m);
        let events = m.core.take_events();
        let concerned = [own, "all", gone].map(|name| m.id(name));
        let is_other = |event: &&Event| match event {
            Event::Left { device, .. } | Event::Unbound { device, .. } => !concerned.contains(device),
            _ => false,
        };
        assert_eq!(events.iter().find(is_other), None);
        m.act(Action::Rebind(gone));
        m.core.settle();
        assert_eq!(m.partition(), IN_ALL);
        assert_eq!(m.bound().len(), 7);
        assert_no_leftover(&m);
        m.assert_invariants();
    }
}

/// Both of two IOMMUs go and come back, in every order and with any number of steps between.
#[test]
#[cfg_attr(miri, ignore = "hundreds of orders")]
fn iommus_that_go_and_come_back_in_any_order_leave_the_groups_as_they_were() {
    let specs = vec![
        iommu("v", 100),
        iommu("w", 200),
        on("a", &[(100, 1)]),
        on("both", &[(100, 2), (200, 2)]),
        Spec { leader: "a", ..on("x", &[(200, 3)]) },
        on("b", &[(200, 1)]),
    ];
    let mut verbs = vec![
        Action::Unbind("v"),
        Action::Rebind("v"),
        Action::Unbind("w"),
        Action::Rebind("w"),
        Action::Remove("both"),
    ];
    let mut tried = 0;
    orders(&mut verbs, 5, &mut |order| {
        for steps in [0, 1, 2, 3, 5, 8, usize::MAX] {
            let mut m = machine(specs.clone());
            m.boot();
            for verb in order {
                m.act(*verb);
                let mut left = steps;
                while left > 0 && m.core.step() {
                    left -= 1;
                }
            }
            for action in [Action::Add(3), Action::Rebind("v"), Action::Rebind("w")] {
                m.act(action);
            }
            m.core.settle();
            assert_eq!(m.partition(), [vec!["a", "x"], vec!["b"], vec!["both"]], "{order:?}, {steps}");
            assert_eq!(m.bound().len(), 6, "{order:?}, {steps}");
            assert_no_leftover(&m);
            m.assert_invariants();
            tried += 1;
        }
    });
    assert_eq!(tried, 120 * 7);
}

#[test]
fn a_group_across_two_iommus_gives_up_its_domain_at_the_one_that_goes() {
    let specs = vec![
        iommu("v", 100),
        iommu("w", 200),
        on("a", &[(100, 1)]),
        Spec { leader: "a", ..on("x", &[(200, 1)]) },
    ];
    let mut m = machine(specs);
    m.boot();
    assert_eq!(m.partition(), [["a", "x"]]);
    m.act(Action::Unbind("v"));
    m.core.settle();
    assert_eq!(m.partition(), [["x"]]);
    assert_no_leftover(&m);
    m.act(Action::Remove("x"));
    m.core.settle();
    assert!(m.partition().is_empty());
    assert_no_leftover(&m);
    m.act(Action::Rebind("v"));
    m.act(Action::Add(3));
    m.core.settle();
    assert_eq!(m.partition(), [["a", "x"]]);
    m.assert_invariants();
}

#[test]
fn groups_that_a_replay_made_get_their_domain_though_its_iommu_goes_in_the_middle() {
    let specs = || {
        let x = Spec { leader: "a", ..on("x", &[(200, 1)]) };
        vec![iommu("w", 200), iommu("v", 100), on("a", &[(100, 1)]), on("z", &[(100, 2)]), x]
    };
    let mut m = machine(specs());
    for action in [Action::Add(0), Action::Add(2), Action::Add(3), Action::Register("iommu")] {
        m.act(action);
    }
    m.act(Action::Register("client"));
    m.core.settle();
    m.act(Action::Add(1));
    while !is_grouped(&m, "a") {
        assert!(m.core.step());
    }
    m.act(Action::Add(4));
    m.act(Action::Remove("v"));
    m.core.settle();
    assert_eq!(m.partition(), [["x"]]);
    assert_eq!(attached(&m, "w"), [1]);
    assert_eq!(m.bound(), ["w", "x"]);
    m.assert_invariants();
}

#[test]
fn groups_that_come_apart_in_the_middle_of_a_replay_get_a_domain_each() {
    let specs = vec![
        iommu("v", 100),
        on("link", &[(100, 1), (100, 2)]),
        on("a", &[(100, 1)]),
        on("b", &[(100, 2)]),
        on("z", &[(100, 3)]),
    ];
    let mut m = machine(specs);
    for index in 1..5 {
        m.act(Action::Add(index));
    }
    m.act(Action::Register("iommu"));
    m.act(Action::Register("client"));
    m.core.settle();
    m.act(Action::Add(0));
    while !is_grouped(&m, "b") {
        assert!(m.core.step());
    }
    m.act(Action::Remove("link"));
    m.core.settle();
    assert_eq!(m.partition(), [["a"], ["b"], ["z"]]);
    assert_eq!(attached(&m, "v"), [1, 2, 3]);
    assert_eq!(m.bound(), ["a", "b", "v", "z"]);
    m.assert_invariants();
}
