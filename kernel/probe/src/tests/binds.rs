//! Drivers on the `fixed` path: when they bind, what they claim, and what they own.

use super::model::{Action, Spec, function, iommu, machine};
use crate::data::dma::Ungrouped;
use crate::grouping::membership::LeaveCause;
use crate::grouping::regroup::leave_group;
use crate::phase2::answer::answer;
use crate::{Direct, Dma, DomainHandle, DomainType, Event, GroupId, Untranslated};

#[test]
fn no_driver_binds_before_its_device_is_grouped() {
    let mut m = machine(vec![function("a", 1), iommu("v", 100)]);
    m.act(Action::Add(0));
    m.act(Action::Register("client"));
    m.core.settle();
    assert!(m.bound().is_empty(), "it waits");
    m.act(Action::Add(1));
    m.act(Action::Register("iommu"));
    m.core.settle();
    assert_eq!(m.bound(), ["a", "v"]);
    let id = m.id("a");
    let events = m.core.take_events();
    let joined = events.iter().position(|e| matches!(e, Event::Joined { device, .. } if *device == id));
    let bound = events.iter().position(|e| matches!(e, Event::Bound { device, .. } if *device == id));
    assert!(joined.unwrap() < bound.unwrap());
}

#[test]
fn a_device_that_gave_up_waiting_is_restarted_behind_its_iommu() {
    let mut m = machine(vec![function("a", 1), iommu("v", 100)]);
    for action in [Action::Add(0), Action::Register("client"), Action::Expire] {
        m.act(action);
        m.core.settle();
    }
    assert_eq!(m.bound(), ["a"]);
    m.act(Action::Add(1));
    m.act(Action::Register("iommu"));
    m.core.settle();
    assert_eq!(m.partition(), [["a"]]);
    assert_eq!(m.bound(), ["a", "v"]);
    assert_eq!(m.core.groups().next().unwrap().owners(), 1);
    m.assert_invariants();
}

#[test]
fn unbind_keeps_the_group_and_rebind_counts_once() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1)]);
    m.boot();
    m.act(Action::Unbind("a"));
    m.core.settle();
    assert_eq!(m.partition(), [["a"]]);
    assert_eq!(m.core.groups().next().unwrap().owners(), 0);
    m.act(Action::Rebind("a"));
    m.core.settle();
    assert_eq!(m.core.groups().next().unwrap().owners(), 1);
    m.assert_invariants();
}

#[test]
fn a_driver_that_manages_dma_itself_is_no_owner() {
    let mut m = machine(vec![iommu("v", 100), Spec { driver: "port", ..function("rp", 1) }]);
    m.boot();
    assert_eq!(m.bound(), ["rp", "v"]);
    assert_eq!(m.core.groups().next().unwrap().owners(), 0);
    m.assert_invariants();
}

#[test]
fn what_firmware_disables_is_probed_and_not_bound() {
    let mut m = machine(vec![iommu("v", 100), Spec { disabled: true, ..function("a", 1) }]);
    m.boot();
    assert_eq!(m.partition(), [["a"]]);
    assert_eq!(m.bound(), ["v"]);
    m.act(Action::Rebind("a"));
    m.core.settle();
    assert_eq!(m.bound(), ["v"]);
    m.assert_invariants();
}

#[test]
fn a_driver_that_fails_is_tried_once() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1)]);
    m.fails.insert("v");
    m.boot();
    let failures = m.core.take_events().into_iter().filter(|event| matches!(event, Event::BindFailed { .. }));
    assert_eq!(failures.count(), 1);
    assert_eq!(m.finding_ids(), ["driver-failed"]);
}

#[test]
fn a_driver_that_declines_a_device_is_no_finding_and_no_owner() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1)]);
    m.declines.insert("a");
    m.boot();
    let declined = m.core.take_events().into_iter().filter(|event| matches!(event, Event::Declined { .. }));
    assert_eq!(declined.count(), 1);
    assert_eq!(m.bound(), ["v"]);
    assert_eq!(m.finding_ids(), [""; 0]);
    assert_eq!(m.core.groups().next().unwrap().owners(), 0);
    m.assert_invariants();
}

#[test]
fn a_device_that_is_put_off_again_keeps_its_place() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1), function("b", 2)]);
    for action in
        [Action::Add(0), Action::Add(1), Action::Add(2), Action::Register("client"), Action::Rebind("a")]
    {
        m.act(action);
        m.core.settle();
    }
    m.act(Action::Register("iommu"));
    m.core.settle();
    let bound = m.core.take_events().into_iter().filter_map(|event| match event {
        Event::Bound { device, .. } => Some(m.core.device(device).name().to_owned()),
        _ => None,
    });
    assert_eq!(bound.collect::<Vec<_>>(), ["v", "a", "b"]);
    m.assert_invariants();
}

#[test]
fn a_failed_bind_leaves_no_owner_behind() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1)]);
    m.fails.insert("a");
    m.boot();
    assert_eq!(m.core.groups().next().unwrap().owners(), 0);
    m.assert_invariants();
}

#[test]
fn a_driver_that_defers_is_tried_again_when_another_binds_and_owns_once() {
    let needy = Spec { needs: Some("b"), ..function("a", 1) };
    let mut m = machine(vec![iommu("v", 100), needy, function("b", 2)]);
    m.boot();
    assert_eq!(m.bound(), ["a", "b", "v"]);
    assert!(m.core.groups().all(|group| group.owners() == 1));
    m.assert_invariants();
}

#[test]
fn a_driver_that_waits_in_vain_owns_nothing() {
    let needy = Spec { needs: Some("nobody"), ..function("a", 1) };
    let mut m = machine(vec![iommu("v", 100), needy]);
    m.boot();
    assert_eq!(m.bound(), ["v"]);
    assert_eq!(m.core.groups().next().unwrap().owners(), 0);
    m.assert_invariants();
}

#[test]
fn the_claim_says_in_which_domain_or_why_none_translates_the_device() {
    let outside = Spec { name: "outside", driver: "client", ..Spec::default() };
    let late = Spec { refs: vec![(200, 5)], ..function("late", 0) };
    let mut m = machine(vec![iommu("v", 100), function("a", 1), function("b", 2), outside, late]);
    m.iommu("v").unknown.insert(2);
    m.boot();
    let Some(Dma::Translated { group, domain_type, domain, .. }) = m.claim("a") else { panic!("translated") };
    assert_eq!((group, domain_type), (GroupId(0), DomainType::Dma));
    assert_eq!(
        DomainHandle(m.iommu("v").attached[&1]),
        domain,
        "the domain that the endpoint is attached to"
    );
    assert_eq!(m.claim("b"), Some(Dma::Direct(Direct::Refused)));
    assert_eq!(m.claim("v"), Some(Dma::Direct(Direct::Untranslated(Untranslated::NotInMap))));
    assert_eq!(m.claim("outside"), Some(Dma::Direct(Direct::Untranslated(Untranslated::NotInMap))));
    assert_eq!(m.claim("late"), None, "phase 2 has not answered");
    m.act(Action::Expire);
    m.core.settle();
    assert_eq!(m.claim("late"), Some(Dma::Direct(Direct::DependencyIgnored)));
}

#[test]
fn phase_2_has_no_answer_before_phase_1_and_a_claim_is_for_its_device() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1), function("b", 2)]);
    m.boot();
    let [a, b] = ["a", "b"].map(|name| m.id(name));
    assert_eq!(answer(&m.core.tables, b).unwrap().device(), b);
    leave_group(&mut m.core.tables, a, LeaveCause::Other);
    m.core.tables.devices.set_ungrouped(a, Ungrouped::Unprobed);
    assert!(answer(&m.core.tables, a).is_err());
}
