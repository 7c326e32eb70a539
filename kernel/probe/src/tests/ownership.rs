//! Ownership of DMA: who may claim a group, what a claim keeps away, and what a release gives back.

use super::model::{Action, Machine, Spec, assert_no_leftover, function, iommu, machine, on};
use crate::{
    DomainKind, Event, GroupDomain, Mapping, Prot, RefusalCause, ReservedKind, ReservedRegion, TypeRequest,
};
use addr::{Iova, PhysAddr, Range};

/// `a` and `b`, endpoints 1 and 2, share a group; `c`, endpoint 3, has its own; `rp` has a driver that lets others claim.
fn boot() -> Machine {
    let b = Spec { leader: "a", ..function("b", 2) };
    let port = Spec { driver: "port", ..function("rp", 4) };
    let mut m = machine(vec![iommu("v", 100), function("a", 1), b, function("c", 3), port]);
    m.boot();
    assert_eq!(m.bound(), ["a", "b", "c", "rp", "v"]);
    m
}

fn claim_refused(m: &mut Machine, owner: &'static str, name: &'static str) -> String {
    m.own(owner, name).expect_err("the claim is refused").to_string()
}

/// Whether an access of this endpoint is blocked: its domain translates, and nothing is mapped there.
fn is_blocked(m: &Machine, endpoint: u32) -> bool {
    let iommu = m.iommu("v");
    let domain = iommu.attached[&endpoint];
    let on_default = m
        .core
        .groups()
        .any(|group| group.default_domains().iter().any(|(_, default_domain)| default_domain.0 == domain));
    !on_default
        && iommu.domains[&domain] == DomainKind::Paging
        && iommu.mapped.iter().all(|(on, _)| *on != domain)
}

fn drivers_of(m: &Machine, name: &str) -> u32 {
    let group = m.group_of(name).unwrap();
    m.core.groups().find(|other| other.id() == group).unwrap().owners()
}

#[test]
fn a_group_whose_default_domain_a_driver_uses_is_not_claimed() {
    let mut m = boot();
    assert_eq!(claim_refused(&mut m, "vfio", "a"), "group 0 is in use by 2 drivers (EPERM)");
    m.act(Action::Unbind("a"));
    assert_eq!(claim_refused(&mut m, "vfio", "a"), "group 0 is in use by 1 driver (EPERM)");
    m.act(Action::Unbind("b"));
    m.act(Action::Claim("vfio", "a"));
    assert!(is_blocked(&m, 1) && is_blocked(&m, 2) && !is_blocked(&m, 3));
    m.core.settle();
    m.assert_invariants();
}

#[test]
fn a_group_with_a_direct_region_is_not_claimed_as_nothing_would_be_mapped_there() {
    let range = Range::new(Iova(0x4000_0000), Iova(0x4000_0fff)).unwrap();
    let mut m = machine(vec![iommu("v", 100), function("a", 1)]);
    m.iommu("v").reserved = vec![ReservedRegion { range, kind: ReservedKind::Direct }];
    m.boot();
    m.act(Action::Unbind("a"));
    let why = claim_refused(&mut m, "vfio", "a");
    assert_eq!(why, "a member of group 0 must have addresses mapped one to one (EINVAL)");
    assert!(!is_blocked(&m, 1));
    m.core.settle();
    m.assert_invariants();
}

#[test]
fn a_driver_that_manages_no_dma_does_not_keep_a_claim_away() {
    let mut m = boot();
    m.act(Action::Claim("vfio", "rp"));
    assert!(is_blocked(&m, 4));
    m.act(Action::Unbind("rp"));
    m.act(Action::Rebind("rp"));
    m.core.settle();
    assert_eq!(m.bound(), ["a", "b", "c", "rp", "v"], "nor a claim the driver");
    m.assert_invariants();
}

#[test]
fn no_driver_binds_a_member_of_a_claimed_group() {
    let mut m = boot();
    m.act(Action::Unbind("c"));
    m.act(Action::Claim("vfio", "c"));
    m.core.take_events();
    m.act(Action::Rebind("c"));
    m.core.settle();
    assert_eq!(m.bound(), ["a", "b", "rp", "v"]);
    let failed = m.core.take_events().into_iter().find_map(|event| match event {
        Event::BindFailed { detail, .. } => Some(detail),
        _ => None,
    });
    assert_eq!(failed.as_deref(), Some("its group is claimed by vfio (EBUSY)"));
    m.act(Action::Release("vfio"));
    assert!(!is_blocked(&m, 3));
    m.core.settle();
    assert_eq!(m.bound(), ["a", "b", "rp", "v"], "as in Linux, it is not tried again by itself");
    m.act(Action::Rebind("c"));
    m.core.settle();
    assert_eq!((m.bound().len(), drivers_of(&m, "c")), (5, 1));
    assert_no_leftover(&m);
    m.assert_invariants();
}

/// Linux: `iommu_device_claim_dma_owner`.
#[test]
fn claims_of_one_owner_nest_and_those_of_another_are_refused() {
    let mut m = boot();
    m.act(Action::Unbind("a"));
    m.act(Action::Unbind("b"));
    m.act(Action::Claim("iommufd 1", "a"));
    m.act(Action::Claim("iommufd 1", "b"));
    m.act(Action::Claim("iommufd 1", "a"));
    assert_eq!(m.owned.len(), 3);
    assert_eq!(claim_refused(&mut m, "iommufd 2", "b"), "group 0 is claimed by iommufd 1 (EPERM)");
    for claims in [2, 1] {
        m.act(Action::Release("iommufd 1"));
        assert!(is_blocked(&m, 1) && is_blocked(&m, 2));
        let group = m.core.groups().next().unwrap();
        assert_eq!(m.core.ownership(group).unwrap().claims(), claims);
    }
    m.act(Action::Release("iommufd 1"));
    assert!(!is_blocked(&m, 1) && !is_blocked(&m, 2));
    m.core.settle();
    assert_no_leftover(&m);
    m.assert_invariants();
}

#[test]
fn an_owner_has_a_domain_of_its_own_and_loses_it_with_what_is_mapped_there() {
    let mut m = boot();
    m.act(Action::Unbind("a"));
    m.act(Action::Unbind("b"));
    let owned = m.own("vfio", "a").unwrap();
    m.core.attach_own_domain(&owned).unwrap();
    m.core.settle();
    let own = m.iommu("v").attached[&1];
    assert_eq!(m.iommu("v").attached[&2], own);
    m.core.attach_own_domain(&owned).unwrap();
    assert_eq!(m.iommu("v").attached[&1], own, "it has one");
    m.assert_invariants();
    m.core.block(&owned).unwrap();
    assert!(is_blocked(&m, 1) && is_blocked(&m, 2));
    assert!(!m.iommu("v").domains.contains_key(&own));
    m.core.attach_own_domain(&owned).unwrap();
    m.core.release(owned).unwrap();
    m.core.settle();
    assert_no_leftover(&m);
    m.assert_invariants();
}

/// What is mapped in a domain that has ended must not reach the one that has its ID now.
#[test]
fn a_domain_that_has_ended_maps_nothing() {
    let mut m = boot();
    let of_driver = m.domain_of("c").expect("a driver uses it");
    assert_eq!(map(&of_driver), Ok(()));
    assert!(m.domain_of("rp").is_none(), "its driver leaves the group's DMA to others");
    m.act(Action::Unbind("c"));
    assert!(m.domain_of("c").is_none());
    let owned = m.own("vfio", "c").unwrap();
    assert!(m.core.own_domain(&owned).is_none(), "everything is blocked");
    m.core.attach_own_domain(&owned).unwrap();
    let of_owner = m.core.own_domain(&owned).unwrap();
    assert_eq!(map(&of_owner), Ok(()));
    let own = m.iommu("v").attached[&3];
    assert_eq!(m.iommu("v").mapped.iter().filter(|(on, _)| *on == own).count(), 1);
    m.core.block(&owned).unwrap();
    let ended = Err(RefusalCause::NoEntry);
    assert_eq!(map(&of_owner), ended);
    m.core.attach_own_domain(&owned).unwrap();
    assert_eq!(m.iommu("v").attached[&3], own, "the ID is used again");
    assert_eq!(map(&of_owner), ended);
    m.core.release(owned).unwrap();
    m.act(Action::Type("c", TypeRequest::Identity));
    m.act(Action::Type("c", TypeRequest::Dma));
    assert_eq!(map(&of_driver), ended);
}

fn map(domain: &GroupDomain) -> Result<(), RefusalCause> {
    let iova = Range::new(Iova(0x1000), Iova(0x1fff)).unwrap();
    let prot = Prot { read: true, write: true, mmio: false };
    let results = domain.map(&[Mapping { iova, phys: PhysAddr(0x4000_0000), prot }]);
    results.into_iter().next().unwrap().map_err(|refusal| refusal.cause)
}

#[test]
fn a_claim_that_an_iommu_refuses_changes_nothing() {
    let mut m = boot();
    m.act(Action::Unbind("a"));
    m.act(Action::Unbind("b"));
    let before = m.iommu("v").attached.clone();
    m.iommu("v").refuse_attach.insert(2);
    assert_eq!(claim_refused(&mut m, "vfio", "a"), "v: ATTACH of endpoint 0x2: RANGE");
    assert_eq!(m.iommu("v").attached, before);
    m.core.settle();
    assert_no_leftover(&m);
    m.assert_invariants();
}

/// The IOMMU fails between the two members, and does not take back the one that was moved.
#[test]
fn a_member_that_a_failed_claim_loses_leaves_its_group() {
    let mut m = boot();
    m.act(Action::Unbind("a"));
    m.act(Action::Unbind("b"));
    m.iommu("v").attaches_left = Some(1);
    assert!(m.own("vfio", "a").is_err());
    m.core.settle();
    assert_eq!(m.partition(), [["b"], ["c"], ["rp"]]);
    assert!(m.why_not("a").starts_with("refused by the IOMMU"), "{}", m.why_not("a"));
    assert_no_leftover(&m);
    m.assert_invariants();
}

#[test]
fn a_member_that_does_not_return_to_the_default_domain_is_reported_and_leaves() {
    let mut m = boot();
    m.act(Action::Unbind("a"));
    m.act(Action::Unbind("b"));
    let owned = m.own("vfio", "a").unwrap();
    m.iommu("v").refuse_attach.insert(2);
    let refused = m.core.release(owned).unwrap_err();
    assert_eq!(refused.to_string(), "v: ATTACH of endpoint 0x2: RANGE");
    m.core.settle();
    assert_eq!(m.partition(), [["a"], ["c"], ["rp"]]);
    assert_eq!(m.finding_ids(), ["endpoint-refused"]);
    assert_no_leftover(&m);
    m.assert_invariants();
}

#[test]
fn a_device_that_joins_a_claimed_group_is_blocked_with_it() {
    let b = Spec { leader: "a", ..function("b", 2) };
    let mut m = machine(vec![iommu("v", 100), function("a", 1), b]);
    m.boot();
    m.act(Action::Remove("b"));
    m.act(Action::Unbind("a"));
    m.act(Action::Claim("vfio", "a"));
    m.act(Action::Add(2));
    m.core.settle();
    assert!(is_blocked(&m, 2));
    assert_eq!(m.bound(), ["v"]);
    m.assert_invariants();
    m.act(Action::Release("vfio"));
    assert!(!is_blocked(&m, 2));
    m.act(Action::Rebind("b"));
    m.core.settle();
    assert_eq!(m.bound(), ["b", "v"]);
    m.assert_invariants();
}

/// The second device is also behind another IOMMU, where the owner has mapped nothing.
#[test]
fn a_device_that_joins_a_claimed_group_from_another_iommu_is_blocked_there() {
    let b = Spec { leader: "a", ..on("b", &[(100, 2), (200, 2)]) };
    let mut m = machine(vec![iommu("v", 100), iommu("w", 200), function("a", 1), b]);
    m.boot();
    m.act(Action::Remove("b"));
    m.act(Action::Unbind("a"));
    let owned = m.own("vfio", "a").unwrap();
    m.core.attach_own_domain(&owned).unwrap();
    m.act(Action::Add(3));
    m.core.settle();
    m.assert_invariants();
    let attached = m.iommu("v").attached.clone();
    assert_eq!(attached[&1], attached[&2]);
    assert_eq!(m.iommu("w").domains.len(), 2, "the default domain and an empty one");
    m.act(Action::Remove("b"));
    m.core.settle();
    m.assert_invariants();
    m.core.release(owned).unwrap();
    assert_no_leftover(&m);
}

#[test]
fn a_claim_outlives_its_group_and_its_iommu() {
    let mut m = boot();
    m.act(Action::Unbind("c"));
    let owned = m.own("vfio", "c").unwrap();
    m.core.attach_own_domain(&owned).unwrap();
    m.act(Action::Unbind("v"));
    m.core.settle();
    assert!(m.iommu("v").domains.is_empty() && m.iommu("v").attached.is_empty());
    m.act(Action::Rebind("v"));
    m.core.settle();
    assert!(!is_blocked(&m, 3), "the device is in a new group");
    m.act(Action::Rebind("c"));
    m.core.settle();
    m.core.release(owned).unwrap();
    assert_eq!(m.bound(), ["a", "b", "c", "rp", "v"]);
    assert_no_leftover(&m);
    m.assert_invariants();
}

/// `link` has an endpoint of each of the other two.
fn linked() -> Machine {
    let link = on("link", &[(100, 1), (100, 2)]);
    let mut m = machine(vec![iommu("v", 100), function("a", 1), function("b", 2), link]);
    m.boot();
    assert_eq!(m.partition(), [["a", "b", "link"]]);
    for name in ["a", "b", "link"] {
        m.act(Action::Unbind(name));
    }
    m
}

#[test]
fn the_parts_of_a_claimed_group_stay_claimed_together() {
    let mut m = linked();
    m.act(Action::Claim("vfio", "a"));
    m.act(Action::Remove("link"));
    m.core.settle();
    assert_eq!(m.partition(), [["a"], ["b"]]);
    assert!(is_blocked(&m, 1) && is_blocked(&m, 2));
    m.assert_invariants();
    m.act(Action::Add(3));
    m.core.settle();
    assert_eq!(m.partition(), [["a", "b", "link"]], "both parts have the same owner");
    m.act(Action::Remove("link"));
    m.act(Action::Release("vfio"));
    assert!(!is_blocked(&m, 1) && !is_blocked(&m, 2));
    for name in ["a", "b"] {
        m.act(Action::Rebind(name));
    }
    m.core.settle();
    assert_eq!(m.bound(), ["a", "b", "v"]);
    assert_no_leftover(&m);
    m.assert_invariants();
}

#[test]
fn a_device_that_links_a_claimed_group_with_another_waits_for_the_release() {
    let mut m = linked();
    m.act(Action::Remove("link"));
    m.act(Action::Claim("vfio", "a"));
    m.act(Action::Rebind("b"));
    m.act(Action::Add(3));
    m.core.settle();
    assert_eq!(m.partition(), [["a"], ["b"]]);
    assert!(m.why_not("link").contains("one of them is claimed"), "{}", m.why_not("link"));
    m.act(Action::Expire);
    m.core.settle();
    assert_eq!(
        m.bound(),
        ["b", "v"],
        "its requests would arrive in the domain of the owner or of the driver of b"
    );
    assert!(is_blocked(&m, 1) && !is_blocked(&m, 2));
    m.assert_invariants();
    m.act(Action::Release("vfio"));
    m.core.settle();
    assert_eq!(m.partition(), [["a", "b", "link"]]);
    assert_eq!(m.bound(), ["b", "link", "v"]);
    assert_no_leftover(&m);
    m.assert_invariants();
}
