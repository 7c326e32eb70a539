//! The `fixed` path, seen from outside: groups, domains, reasons and findings of small machines.

use super::model::{Action, Machine, Spec, function, iommu, machine, msi};
use crate::{DomainPolicy, DomainType, Event, InstanceState, Untranslated};

#[test]
fn each_device_gets_a_group_and_the_iommu_none() {
    let mut m = machine(vec![function("bridge", 0), iommu("v", 100), function("nic", 16)]);
    m.boot();
    assert_eq!(m.partition(), [["bridge"], ["nic"]]);
    assert_eq!(m.bound(), ["bridge", "nic", "v"]);
    assert_eq!(m.why_not("v"), "is the IOMMU");
    m.assert_invariants();
}

#[test]
fn groups_are_numbered_and_given_domains_in_the_order_of_the_replay() {
    let mut m = machine(vec![
        function("a", 1),
        iommu("v", 100),
        function("b", 2),
        Spec { platform: true, ..function("p", 3) },
    ]);
    m.boot();
    let first: Vec<&str> = m.core.groups().map(|group| m.core.device(group.members()[0]).name()).collect();
    assert_eq!(first, ["p", "a", "b"], "the platform bus comes first");
    assert_eq!(
        m.iommu("v").attached.iter().map(|(e, d)| (*e, *d)).collect::<Vec<_>>(),
        [(1, 2), (2, 3), (3, 1)]
    );
}

#[test]
fn an_iommu_that_arrives_while_nobody_waits_is_ready_after_its_replay() {
    let mut m = machine(vec![iommu("v", 100)]);
    m.boot();
    assert_eq!(m.core.instances().next().unwrap().state(), InstanceState::Ready);
}

#[test]
fn a_class_shares_one_group_and_one_domain() {
    let sibling = Spec { leader: "f0", ..function("f1", 2) };
    let mut m = machine(vec![iommu("v", 100), function("f0", 1), sibling]);
    m.boot();
    assert_eq!(m.partition(), [["f0", "f1"]]);
    assert_eq!(m.iommu("v").attached.values().collect::<Vec<_>>(), [&1, &1]);
    assert_eq!(m.core.groups().next().unwrap().owners(), 2);
    m.assert_invariants();
}

#[test]
fn an_unknown_endpoint_costs_its_own_device_only() {
    let mut m = machine(vec![function("a", 1), iommu("v", 100), function("lost", 2), function("b", 3)]);
    m.iommu("v").unknown.insert(2);
    m.boot();
    assert_eq!(m.partition(), [["a"], ["b"]]);
    assert_eq!(m.why_not("lost"), "refused by the IOMMU: v: PROBE of endpoint 0x2: NOENT");
    assert!(m.is_lost("lost"));
    assert_eq!(m.finding_ids(), ["unknown-endpoint"]);
    m.assert_invariants();
}

#[test]
fn a_device_with_one_known_endpoint_of_two_is_grouped_by_that_one() {
    let aliased = Spec { refs: vec![(100, 0x208), (100, 0x200)], ..function("nic", 0) };
    let mut m = machine(vec![iommu("v", 100), aliased]);
    m.iommu("v").unknown.insert(0x208);
    m.boot();
    assert_eq!(m.partition(), [["nic"]]);
    assert_eq!(m.iommu("v").attached.keys().collect::<Vec<_>>(), [&0x200]);
    assert_eq!(m.finding_ids(), ["unknown-endpoint"]);
}

#[test]
fn a_refused_attach_leaves_the_device_out_and_the_domain_is_freed() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1), function("b", 2)]);
    m.iommu("v").refuse_attach.insert(1);
    m.boot();
    assert_eq!(m.partition(), [["b"]]);
    assert_eq!(m.why_not("a"), "refused by the IOMMU: v: ATTACH of endpoint 0x1: RANGE");
    assert_eq!(m.iommu("v").domains.len(), 1);
    m.assert_invariants();
}

#[test]
fn a_map_that_covers_the_iommu_does_not_put_it_behind_itself() {
    let own = Spec { refs: vec![(100, 8)], ..iommu("v", 100) };
    let mut m = machine(vec![own, function("a", 1)]);
    m.boot();
    assert_eq!(m.partition(), [["a"]]);
    assert_eq!(m.bound(), ["a", "v"]);
    assert_eq!(m.why_not("v"), "is the IOMMU");
    m.assert_invariants();
}

#[test]
fn an_iommu_without_a_node_matches_nobody() {
    let nameless = Spec { node: None, ..iommu("v", 0) };
    let nowhere = Spec { refs: vec![], nowhere: Some(Untranslated::NotInMap), ..function("a", 1) };
    let elsewhere = Spec { refs: vec![(5, 1)], ..function("b", 0) };
    let mut m = machine(vec![nameless, nowhere, elsewhere]);
    m.boot();
    assert!(m.partition().is_empty());
    assert_eq!(m.finding_ids(), ["iommu-without-node"]);
    assert_eq!(m.why_not("b"), "waiting for: /node@5");
    assert_eq!(m.bound(), ["a", "v"]);
    m.assert_invariants();
}

#[test]
fn that_there_is_no_iommu_is_not_said_beside_one() {
    let nowhere = Spec { refs: vec![], nowhere: Some(Untranslated::NoIommu), ..function("a", 1) };
    let mut m = machine(vec![Spec { node: None, ..iommu("v", 0) }, nowhere]);
    m.act(Action::Add(1));
    assert_eq!(m.why_not("a"), "no IOMMU in this machine");
    m.act(Action::Add(0));
    m.act(Action::Register("iommu"));
    m.core.settle();
    assert_eq!(m.why_not("a"), "not in the firmware's map: firmware does not describe an IOMMU");
    assert!(!m.is_lost("a"));
}

#[test]
fn every_reason_is_told_apart() {
    let nowhere = |name, why| Spec { refs: vec![], nowhere: Some(why), ..function(name, 0) };
    let mut m = machine(vec![
        nowhere("none", Untranslated::NoIommu),
        nowhere("hole", Untranslated::NotInMap),
        nowhere("bypass", Untranslated::BusBypasses),
        nowhere("disabled", Untranslated::Disabled(crate::FwNode(7))),
        Spec { refs: vec![], ..function("malformed", 0) },
        Spec { refs: vec![(5, 1)], ..function("nobody", 0) },
        Spec { refs: vec![(6, 1)], ..function("driverless", 0) },
        Spec { driver: "absent", ..iommu("w", 6) },
    ]);
    m.boot();
    assert_eq!(m.why_not("none"), "no IOMMU in this machine");
    assert_eq!(m.why_not("hole"), "not in the firmware's map");
    assert_eq!(m.why_not("bypass"), "bus bypasses");
    assert_eq!(m.why_not("disabled"), "IOMMU disabled: /node@7");
    assert_eq!(m.why_not("malformed"), "not in the firmware's map: bad-map");
    assert_eq!(m.why_not("nobody"), "waiting for: /node@5");
    assert_eq!(m.why_not("driverless"), "IOMMU has no driver: /node@6");
    let lost = |name: &&str| m.is_lost(name);
    let all = ["none", "hole", "bypass", "disabled", "malformed", "nobody", "driverless", "w"];
    assert_eq!(all.into_iter().filter(lost).collect::<Vec<_>>(), ["malformed", "nobody", "driverless"]);
    assert_eq!(m.bound(), ["bypass", "disabled", "hole", "malformed", "none"]);
    m.act(Action::Expire);
    m.core.settle();
    assert_eq!(m.bound().len(), 7, "after the timeout they go on without");
    m.assert_invariants();
}

#[test]
fn an_iommu_whose_driver_fails_is_named_with_the_drivers_words() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1)]);
    m.fails.insert("v");
    m.boot();
    assert_eq!(m.why_not("a"), "IOMMU has no driver: /node@100 (will not)");
    assert!(m.bound().is_empty());
    m.assert_invariants();
}

#[test]
fn readiness_is_asked_of_every_iommu_that_a_device_names() {
    let both = Spec { refs: vec![(100, 1), (200, 2)], ..function("both", 0) };
    let mut m = machine(vec![both, iommu("a", 100), Spec { driver: "iommu-late", ..iommu("b", 200) }]);
    m.boot();
    assert!(m.partition().is_empty());
    assert!(m.iommu("a").log.is_empty(), "nothing is set up with the one that is ready");
    assert_eq!(m.why_not("both"), "IOMMU has no driver: /node@200");
    m.assert_invariants();
}

#[test]
fn a_device_on_two_iommus_of_one_driver_is_attached_on_each() {
    let both = Spec { refs: vec![(100, 1), (200, 2), (100, 3)], ..function("both", 0) };
    let mut m = machine(vec![both, iommu("a", 100), iommu("b", 200)]);
    m.boot();
    assert_eq!(m.partition(), [["both"]]);
    assert_eq!(m.iommu("a").attached.keys().collect::<Vec<_>>(), [&1, &3]);
    assert_eq!(m.iommu("b").attached.keys().collect::<Vec<_>>(), [&2]);
    m.assert_invariants();
}

#[test]
fn iommus_of_different_drivers_are_refused_with_both_names() {
    let both = Spec { refs: vec![(100, 1), (200, 2)], ..function("both", 0) };
    let mut m = machine(vec![both, iommu("a", 100), Spec { driver: "iommu-other", ..iommu("b", 200) }]);
    m.boot();
    m.act(Action::Register("iommu-other"));
    m.core.settle();
    assert_eq!(
        m.why_not("both"),
        "refused by the IOMMU: its IOMMUs have different drivers: iommu and iommu-other"
    );
    assert!(m.iommu("a").attached.is_empty());
    m.assert_invariants();
}

#[test]
fn devices_with_one_endpoint_share_a_group_whatever_the_bus_says() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1), function("b", 2), function("c", 1)]);
    m.boot();
    assert_eq!(m.partition(), [vec!["a", "c"], vec!["b"]]);
    assert_eq!(m.finding_ids(), ["shared-endpoint"]);
    m.assert_invariants();
}

#[test]
fn a_device_that_links_two_groups_makes_them_one() {
    let link = Spec { refs: vec![(100, 1), (100, 2)], ..function("link", 0) };
    let mut m = machine(vec![iommu("v", 100), function("a", 1), function("b", 2), link]);
    m.boot();
    assert_eq!(m.partition(), [["a", "b", "link"]]);
    assert_eq!(m.iommu("v").attached.values().collect::<Vec<_>>(), [&1, &1]);
    assert_eq!(m.iommu("v").domains.len(), 1);
    m.assert_invariants();
}

#[test]
fn removing_the_last_member_frees_number_and_domain() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1), function("b", 2)]);
    m.boot();
    m.act(Action::Remove("a"));
    m.core.settle();
    assert_eq!(m.partition(), [["b"]]);
    assert_eq!(m.iommu("v").attached.keys().collect::<Vec<_>>(), [&2]);
    m.act(Action::Add(1));
    m.core.settle();
    let a = m.core.groups().find(|group| m.core.device(group.members()[0]).name() == "a").unwrap();
    assert_eq!(a.id().0, 0, "the lowest free number");
    m.assert_invariants();
}

#[test]
fn removing_the_iommu_takes_its_users_drivers_first_and_they_wait() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1)]);
    m.boot();
    m.act(Action::Remove("v"));
    m.core.settle();
    assert!(m.partition().is_empty() && m.bound().is_empty());
    assert_eq!(m.why_not("a"), "waiting for: /node@100");
    m.act(Action::Add(0));
    m.core.settle();
    assert_eq!(m.partition(), [["a"]]);
    assert_eq!(m.bound(), ["a", "v"]);
    m.assert_invariants();
}

#[test]
fn the_users_choice_decides_the_type_and_falls_back_where_it_cannot_be_had() {
    let types = |policy: DomainPolicy, no_identity, no_flush_queue| {
        let mut m = Machine::new(vec![iommu("v", 100), function("a", 1)], policy);
        m.iommu("v").no_identity = no_identity;
        m.iommu("v").no_flush_queue = no_flush_queue;
        m.boot();
        m.assert_invariants();
        m.core.groups().next().unwrap().domain_type().unwrap()
    };
    let default = DomainPolicy::default();
    let passthrough = DomainPolicy { passthrough: true, ..default };
    let lazy = DomainPolicy { strict: false, ..default };
    assert_eq!(types(default, false, false), DomainType::Dma);
    assert_eq!(types(passthrough, false, false), DomainType::Identity);
    assert_eq!(types(passthrough, true, false), DomainType::Dma);
    assert_eq!(types(lazy, false, false), DomainType::DmaFq);
    assert_eq!(types(lazy, false, true), DomainType::Dma);
}

#[test]
fn an_untrusted_member_makes_the_domain_a_strict_one() {
    for policy in
        [DomainPolicy { passthrough: true, strict: true }, DomainPolicy { passthrough: false, strict: false }]
    {
        let behind = Spec { leader: "port", untrusted: true, ..function("behind", 2) };
        let mut m =
            Machine::new(vec![iommu("v", 100), function("port", 1), behind, function("a", 3)], policy);
        m.boot();
        m.assert_invariants();
        let types: Vec<_> = m.core.groups().map(|group| group.domain_type().unwrap()).collect();
        assert_eq!(types, [DomainType::Dma, policy.default_domain_type()]);
    }
}

#[test]
fn reserved_regions_of_a_group_are_the_sorted_union_of_its_members() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1), Spec { leader: "a", ..function("b", 2) }]);
    m.iommu("v").reserved = vec![msi(0x802_0000, 0x802_0fff)];
    m.boot();
    let group = m.core.groups().next().unwrap();
    assert_eq!(m.core.reserved_regions(group), [msi(0x802_0000, 0x802_0fff)]);
}

#[test]
fn a_device_added_in_the_middle_of_a_replay_is_not_missed() {
    let mut m = machine(vec![
        iommu("v", 100),
        function("a", 1),
        function("b", 2),
        Spec { platform: true, ..function("p", 3) },
    ]);
    for action in [
        Action::Add(0),
        Action::Add(1),
        Action::Add(2),
        Action::Register("iommu"),
        Action::Register("client"),
    ] {
        m.act(action);
    }
    while !m.core.take_events().iter().any(|event| matches!(event, Event::Joined { .. })) {
        assert!(m.core.step());
    }
    // The replay has left the platform bus behind.
    m.act(Action::Add(3));
    m.core.settle();
    assert_eq!(m.partition(), [["a"], ["b"], ["p"]]);
    m.assert_invariants();
}

#[test]
fn a_device_removed_in_the_middle_of_a_replay_makes_it_miss_nobody() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1), function("b", 2), function("c", 3)]);
    for action in [Action::Add(0), Action::Add(1), Action::Add(2), Action::Add(3), Action::Register("iommu")]
    {
        m.act(action);
    }
    while !m.core.take_events().iter().any(|event| matches!(event, Event::Joined { .. })) {
        assert!(m.core.step());
    }
    // The list of the bus moves up under the replay.
    m.act(Action::Remove("a"));
    m.core.settle();
    assert_eq!(m.partition(), [["b"], ["c"]]);
    m.assert_invariants();
}

#[test]
fn a_direct_region_is_mapped_once_for_a_group_and_not_under_identity() {
    let direct =
        || crate::ReservedRegion { kind: crate::ReservedKind::Direct, ..msi(0x4000_0000, 0x4000_0fff) };
    for (passthrough, mappings) in [(false, 1), (true, 0)] {
        let policy = DomainPolicy { passthrough, ..DomainPolicy::default() };
        let specs = vec![iommu("v", 100), function("a", 1), Spec { leader: "a", ..function("b", 2) }];
        let mut m = Machine::new(specs, policy);
        m.iommu("v").reserved = vec![direct()];
        m.boot();
        assert_eq!(m.iommu("v").mapped.len(), mappings);
        m.assert_invariants();
    }
}

#[test]
fn a_direct_region_that_does_not_begin_with_a_granule_is_cut_and_reported() {
    let region = |start, end| crate::ReservedRegion { kind: crate::ReservedKind::Direct, ..msi(start, end) };
    let whole = region(0x4000_0000, 0x4001_ffff);
    for (cut, mappings) in [(region(0x5000_1000, 0x5000_1fff), 1), (region(0x5000_1000, 0x5001_0fff), 2)] {
        let mut m = machine(vec![iommu("v", 100), function("a", 1)]);
        m.iommu("v").granule = Some(0x1_0000);
        m.iommu("v").reserved = vec![whole, cut];
        m.boot();
        assert_eq!(m.iommu("v").mapped.len(), mappings);
        assert_eq!(m.finding_ids(), ["direct-region-cut"]);
        assert!(m.core.findings()[0].sentence.contains(&cut.range.to_string()));
        m.assert_invariants();
    }
}

#[test]
fn a_removed_device_keeps_its_name_for_the_events_before_its_removal() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1)]);
    m.boot();
    let id = m.core.devices().find(|device| device.name() == "a").unwrap().id();
    m.core.take_events();
    m.act(Action::Remove("a"));
    let events = m.core.take_events();
    assert!(events.contains(&Event::DeviceRemoved(id)), "{events:?}");
    assert!(m.core.find_device(id).is_none());
    assert_eq!(m.core.device_name(id), "a");
}

#[test]
fn a_device_that_is_refused_when_it_is_added_costs_nobody_anything() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1), Spec { leader: "a", ..function("b", 2) }]);
    m.iommu("v").refuse_attach.insert(2);
    for action in [Action::Add(0), Action::Add(1), Action::Register("iommu")] {
        m.act(action);
    }
    m.core.settle();
    m.act(Action::Add(2));
    m.core.settle();
    assert_eq!(m.partition(), [["a"]]);
    assert_eq!(m.finding_ids(), ["endpoint-refused"]);
    m.assert_invariants();
}
