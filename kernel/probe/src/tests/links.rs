//! Devices to which firmware gives an endpoint of another device: groups that become one, and come apart.

use super::model::{Action, Spec, function, iommu, machine};
use crate::Trigger;

fn link(endpoints: &[u32]) -> Spec {
    Spec { refs: endpoints.iter().map(|endpoint| (100, *endpoint)).collect(), ..function("link", 0) }
}

#[test]
fn a_group_number_that_is_given_out_again_in_one_replay_has_one_domain() {
    let mut m =
        machine(vec![iommu("v", 100), function("a", 1), function("b", 2), link(&[1, 2]), function("d", 3)]);
    m.boot();
    assert_eq!(m.partition(), [vec!["a", "b", "link"], vec!["d"]]);
    assert_eq!(m.iommu("v").domains.len(), 2);
    m.assert_invariants();
}

#[test]
fn a_link_that_comes_last_restarts_the_drivers_of_the_group_that_moves() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1), function("b", 2), link(&[1, 2])]);
    for action in [
        Action::Add(0),
        Action::Add(1),
        Action::Add(2),
        Action::Register("iommu"),
        Action::Register("client"),
    ] {
        m.act(action);
    }
    m.core.settle();
    m.core.take_events();
    m.act(Action::Add(3));
    m.core.settle();
    assert_eq!(m.partition(), [["a", "b", "link"]]);
    assert_eq!(m.bound(), ["a", "b", "link", "v"]);
    assert_eq!(m.core.groups().next().unwrap().owners(), 3);
    let b = m.id("b");
    let unbound =
        |event: &crate::Event| matches!(event, crate::Event::Unbound { device, .. } if *device == b);
    assert!(m.core.take_events().iter().any(unbound), "its mappings were in the domain that is gone");
    m.assert_invariants();
}

#[test]
fn a_group_comes_apart_when_the_link_goes() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1), function("b", 2), link(&[1, 2])]);
    m.boot();
    m.act(Action::Remove("link"));
    m.core.settle();
    assert_eq!(m.partition(), [["a"], ["b"]]);
    let attached = m.iommu("v").attached.clone();
    assert_ne!(attached[&1], attached[&2], "each in its own domain");
    assert_eq!(m.bound(), ["a", "b", "v"]);
    m.assert_invariants();
}

#[test]
fn a_refusal_while_groups_become_one_leaves_nobody_in_a_domain_that_is_gone() {
    let idle =
        |name, refs: &[(u32, u32)]| Spec { name, driver: "none", refs: refs.to_vec(), ..Spec::default() };
    let mut m = machine(vec![
        iommu("v", 100),
        function("a", 1),
        idle("b", &[(100, 2)]),
        idle("x", &[(200, 5)]),
        idle("link", &[(100, 2), (200, 5)]),
        iommu("w", 200),
    ]);
    m.boot();
    assert_eq!(m.partition(), [vec!["a"], vec!["b", "link", "x"]]);
    m.act(Action::Remove("link"));
    m.core.settle();
    m.act(Action::Remove("a"));
    m.core.settle();
    m.iommu("v").refuse_attach.insert(2);
    m.iommu("w").refuse_attach.insert(5);
    m.act(Action::Add(4));
    m.core.settle();
    // Whoever was moved was refused; the others stay where they were.
    assert!(m.partition().iter().all(|group| group.len() == 1), "{:?}", m.partition());
    m.assert_invariants();
}

#[test]
fn a_shared_endpoint_stays_attached_until_its_last_user_leaves() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1), link(&[1])]);
    m.boot();
    m.act(Action::Remove("link"));
    m.core.settle();
    assert_eq!(m.iommu("v").attached.keys().collect::<Vec<_>>(), [&1]);
    m.act(Action::Remove("a"));
    m.core.settle();
    assert!(m.iommu("v").attached.is_empty() && m.iommu("v").domains.is_empty());
    m.assert_invariants();
}

#[test]
fn a_class_whose_last_member_left_gets_a_group_of_its_own_again() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1), function("b", 2), link(&[1, 2])]);
    m.boot();
    m.act(Action::Remove("b"));
    m.act(Action::Remove("link"));
    m.core.settle();
    m.act(Action::Add(2));
    m.core.settle();
    assert_eq!(m.partition(), [["a"], ["b"]]);
    m.assert_invariants();
}

#[test]
fn a_link_that_arrives_before_the_default_domains_brings_one_for_all() {
    // The group that goes has a domain from an earlier replay, the one that stays does not have one yet.
    let late = Spec { refs: vec![(200, 1)], ..function("late", 0) };
    let across = Spec { refs: vec![(100, 1), (200, 1)], ..function("across", 0) };
    let mut m = machine(vec![
        late,
        iommu("v", 100),
        function("a", 1),
        across,
        Spec { driver: "iommu-w", ..iommu("w", 200) },
    ]);
    m.boot();
    m.act(Action::Register("iommu-w"));
    m.core.settle();
    assert_eq!(
        m.why_not("across"),
        "refused by the IOMMU: its IOMMUs have different drivers: iommu and iommu-w"
    );
    assert_eq!(m.partition(), [["a"], ["late"]]);
    assert!(m.finding_ids().contains(&"mixed-iommus"));
    m.assert_invariants();
}

#[test]
fn the_trigger_of_a_device_that_is_added_late_is_the_adding() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1)]);
    for action in [Action::Add(0), Action::Register("iommu"), Action::Register("client")] {
        m.act(action);
    }
    m.core.settle();
    m.act(Action::Add(1));
    let id = m.id("a");
    let crate::DmaState::Grouped(membership) = m.core.device(id).dma() else { panic!("grouped at once") };
    assert_eq!(membership.trigger(), Trigger::Add);
}
