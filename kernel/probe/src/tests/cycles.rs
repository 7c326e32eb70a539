//! IOMMUs that firmware puts behind other IOMMUs, and behind each other.

use super::model::{Action, Spec, assert_no_leftover, behind, iommu, machine, on};
use super::orders::{orders, same_in_all_orders};

#[test]
#[cfg_attr(miri, ignore = "hundreds of orders")]
fn an_iommu_behind_another_one_in_every_order() {
    let specs =
        vec![iommu("v", 100), behind("w", 200, &[(100, 8)]), on("a", &[(100, 1)]), on("b", &[(200, 1)])];
    same_in_all_orders(specs, &["iommu", "client"], |_| {}, &[&["a"], &["b"], &["w"]]);
}

#[test]
fn an_iommu_that_gave_up_waiting_starts_again_behind_the_other_with_its_users() {
    let specs =
        vec![iommu("v", 100), behind("w", 200, &[(100, 8)]), on("a", &[(100, 1)]), on("b", &[(200, 1)])];
    let mut m = machine(specs);
    for action in [Action::Add(1), Action::Add(2), Action::Add(3), Action::Register("iommu")] {
        m.act(action);
    }
    m.act(Action::Register("client"));
    m.core.settle();
    assert!(m.bound().is_empty() && m.partition().is_empty());
    m.act(Action::Expire);
    m.core.settle();
    assert_eq!(m.partition(), [["b"]]);
    m.act(Action::Add(0));
    m.core.settle();
    assert_eq!(m.partition(), [["a"], ["b"], ["w"]]);
    assert_eq!(m.bound(), ["a", "b", "v", "w"]);
    assert_no_leftover(&m);
    m.assert_invariants();
}

#[test]
#[cfg_attr(miri, ignore = "hundreds of orders")]
fn iommus_behind_each_other_are_not_translated_in_every_order() {
    let two = vec![
        behind("v", 100, &[(200, 8)]),
        behind("w", 200, &[(100, 8)]),
        on("a", &[(100, 1)]),
        on("b", &[(200, 1)]),
    ];
    same_in_all_orders(two, &["iommu", "client"], |_| {}, &[&["a"], &["b"]]);
    let three = vec![
        behind("u", 100, &[(200, 8)]),
        behind("v", 200, &[(300, 8)]),
        behind("w", 300, &[(100, 8)]),
        on("all", &[(100, 1), (200, 1), (300, 1)]),
    ];
    same_in_all_orders(three, &["iommu", "client"], |_| {}, &[&["all"]]);
}

/// The ring alone is not walked: an IOMMU of it stays behind one that is not in it.
#[test]
#[cfg_attr(miri, ignore = "hundreds of orders")]
fn an_iommu_of_a_ring_is_behind_the_one_that_is_not_in_it_in_every_order() {
    let specs = vec![
        iommu("u", 300),
        behind("v", 100, &[(200, 8), (300, 8)]),
        behind("w", 200, &[(100, 8)]),
        on("a", &[(100, 1)]),
    ];
    same_in_all_orders(specs, &["iommu", "client"], |_| {}, &[&["a"], &["v"]]);
}

/// Nobody waits for an IOMMU of the own ring, also if that one never gets a driver.
#[test]
#[cfg_attr(miri, ignore = "hundreds of orders")]
fn a_ring_keeps_no_driver_waiting_in_every_order() {
    let specs = vec![
        behind("u", 100, &[(200, 8)]),
        Spec { driver: "iommu-absent", ..behind("v", 200, &[(300, 8)]) },
        behind("w", 300, &[(100, 8)]),
        on("a", &[(100, 1)]),
    ];
    let mut actions: Vec<Action> = (0..specs.len()).map(Action::Add).collect();
    actions.extend([Action::Register("iommu"), Action::Register("client")]);
    orders(&mut actions, 6, &mut |order| {
        let mut m = machine(specs.clone());
        for action in order {
            m.act(*action);
            m.core.settle();
        }
        assert_eq!(m.partition(), [["a"]], "{order:?}");
        assert_eq!(m.bound(), ["a", "u", "w"], "{order:?}");
        m.assert_invariants();
    });
}

#[test]
fn each_iommu_of_a_ring_is_a_finding() {
    let mut m = machine(vec![behind("v", 100, &[(200, 8)]), behind("w", 200, &[(100, 8)])]);
    m.boot();
    let of_ring = |finding: &&crate::Finding| finding.id == "iommu-ring";
    let places: Vec<&str> =
        m.core.findings().iter().filter(of_ring).map(|finding| finding.place.as_str()).collect();
    assert_eq!(places.len(), 2, "{places:?}");
    assert_eq!([m.why_not("v"), m.why_not("w")], ["is the IOMMU", "is the IOMMU"]);
    m.assert_invariants();
}

/// One IOMMU of a ring comes only after the others have given up waiting for it.
#[test]
fn a_ring_that_closes_late_opens_what_was_behind_it() {
    let specs = vec![
        behind("u", 100, &[(200, 8)]),
        behind("v", 200, &[(300, 8)]),
        behind("w", 300, &[(100, 8)]),
        on("a", &[(100, 1)]),
    ];
    let mut m = machine(specs);
    for action in [Action::Add(0), Action::Add(1), Action::Add(3), Action::Register("iommu")] {
        m.act(action);
    }
    m.act(Action::Register("client"));
    m.core.settle();
    m.act(Action::Expire);
    m.core.settle();
    assert_eq!(m.partition(), [["a"], ["u"]], "u is behind v, which has given up waiting");
    m.act(Action::Add(2));
    m.core.settle();
    assert_eq!(m.partition(), [["a"]]);
    assert_eq!(m.bound(), ["a", "u", "v", "w"]);
    assert_no_leftover(&m);
    m.assert_invariants();
}
