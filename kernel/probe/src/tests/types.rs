//! Changes of the type of a default domain at run time.

use super::model::{Action, Machine, Spec, assert_no_leftover, function, iommu, machine, msi, on};
use crate::TypeRequest::{self, Auto, Dma, DmaFq, Identity};
use crate::{DomainKind, DomainPolicy, DomainType, ReservedKind, ReservedRegion};

/// `a` and `b` share a group, without drivers.
fn pair(policy: DomainPolicy) -> Machine {
    let b = Spec { leader: "a", ..function("b", 2) };
    let mut m = Machine::new(vec![iommu("v", 100), function("a", 1), b], policy);
    m.boot();
    for name in ["a", "b"] {
        m.act(Action::Unbind(name));
    }
    m
}

fn refused(m: &mut Machine, name: &str, request: TypeRequest) -> String {
    m.change_type(name, request).expect_err("the change is refused").to_string()
}

fn kind_of(m: &Machine, endpoint: u32) -> DomainKind {
    let iommu = m.iommu("v");
    iommu.domains[&iommu.attached[&endpoint]]
}

#[test]
fn every_type_follows_every_other_and_moves_all_members() {
    let requests = [
        (Identity, DomainType::Identity),
        (Dma, DomainType::Dma),
        (DmaFq, DomainType::DmaFq),
        (Dma, DomainType::Dma),
        (Identity, DomainType::Identity),
        (DmaFq, DomainType::DmaFq),
        (Identity, DomainType::Identity),
        (Auto, DomainType::Dma),
        (Auto, DomainType::Dma),
    ];
    let mut m = pair(DomainPolicy::default());
    for (request, expected) in requests {
        assert_eq!(m.change_type("b", request), Ok(expected));
        assert_eq!(m.domain_type("a"), Some(expected));
        assert_eq!([kind_of(&m, 1), kind_of(&m, 2)], [DomainKind::from(expected); 2]);
        assert_eq!(m.iommu("v").domains.len(), 1, "the old domain has ended");
        m.core.settle();
        m.assert_invariants();
    }
    m.act(Action::Rebind("a"));
    m.core.settle();
    assert_eq!(m.bound(), ["a", "v"]);
}

#[test]
fn auto_is_the_type_of_the_boot() {
    let mut m = pair(DomainPolicy { passthrough: true, strict: true });
    assert_eq!(m.change_type("a", Dma), Ok(DomainType::Dma));
    assert_eq!(m.change_type("a", Auto), Ok(DomainType::Identity));
}

#[test]
fn dma_becomes_dma_fq_in_place_even_under_a_driver_or_an_owner() {
    let mut m = pair(DomainPolicy::default());
    m.act(Action::Rebind("a"));
    m.core.settle();
    let before = m.iommu("v").attached.clone();
    assert_eq!(m.change_type("a", DmaFq), Ok(DomainType::DmaFq));
    assert_eq!(m.iommu("v").attached, before);
    assert_eq!(refused(&mut m, "a", Dma), "group 0 is in use by 1 driver (EPERM)");
    assert_eq!(refused(&mut m, "a", DmaFq), "group 0 is in use by 1 driver (EPERM)");

    m.act(Action::Unbind("a"));
    m.change_type("a", Dma).unwrap();
    m.act(Action::Claim("vfio", "a"));
    assert_eq!(m.change_type("a", DmaFq), Ok(DomainType::DmaFq));
    assert_eq!(refused(&mut m, "a", Identity), "group 0 is claimed by vfio (EPERM)");
    m.core.settle();
    m.assert_invariants();
}

#[test]
fn a_driver_that_manages_no_dma_does_not_keep_the_type() {
    let mut m = machine(vec![iommu("v", 100), Spec { driver: "port", ..function("rp", 1) }]);
    m.boot();
    assert_eq!(m.change_type("rp", Identity), Ok(DomainType::Identity));
}

#[test]
fn an_untrusted_device_stays_in_a_dma_domain() {
    let mut m = machine(vec![iommu("v", 100), Spec { untrusted: true, ..function("a", 1) }]);
    m.boot();
    m.act(Action::Unbind("a"));
    assert_eq!(refused(&mut m, "a", Identity), "group 0 has an untrusted member (EINVAL)");
    assert_eq!(m.change_type("a", Auto), Ok(DomainType::Dma));
    assert_eq!(m.domain_type("a"), Some(DomainType::Dma));
}

#[test]
fn a_type_that_was_asked_for_has_no_substitute_but_auto_has() {
    let mut m = pair(DomainPolicy { passthrough: true, strict: true });
    m.change_type("a", Dma).unwrap();
    m.iommu("v").no_identity = true;
    let before = m.iommu("v").attached.clone();
    assert_eq!(refused(&mut m, "a", Identity), "v: no identity domains");
    assert_eq!((m.domain_type("a"), &m.iommu("v").attached), (Some(DomainType::Dma), &before));
    assert_eq!(m.change_type("a", Auto), Ok(DomainType::Dma));
    m.iommu("v").no_flush_queue = true;
    assert_eq!(refused(&mut m, "a", DmaFq), "group 0 is behind an IOMMU without a flush queue");
    m.core.settle();
    assert_no_leftover(&m);
    m.assert_invariants();
}

#[test]
fn a_change_that_an_iommu_refuses_is_taken_back() {
    let mut m = pair(DomainPolicy::default());
    let before = m.iommu("v").attached.clone();
    m.iommu("v").refuse_attach.insert(2);
    assert_eq!(refused(&mut m, "a", Identity), "v: ATTACH of endpoint 0x2: RANGE");
    assert_eq!((m.domain_type("a"), &m.iommu("v").attached), (Some(DomainType::Dma), &before));
    m.core.settle();
    assert_no_leftover(&m);
    m.assert_invariants();
}

#[test]
fn a_device_on_two_iommus_changes_on_both() {
    let both = on("both", &[(100, 1), (200, 7)]);
    let mut m = machine(vec![iommu("v", 100), iommu("w", 200), both]);
    m.boot();
    m.act(Action::Unbind("both"));
    m.change_type("both", Identity).unwrap();
    for (name, endpoint) in [("v", 1), ("w", 7)] {
        let iommu = m.iommu(name);
        assert_eq!(iommu.domains[&iommu.attached[&endpoint]], DomainKind::Identity);
    }
    m.iommu("w").refuse_attach.insert(7);
    assert!(m.change_type("both", Dma).is_err());
    for (name, endpoint) in [("v", 1), ("w", 7)] {
        let iommu = m.iommu(name);
        assert_eq!(iommu.domains[&iommu.attached[&endpoint]], DomainKind::Identity, "back on {name}");
    }
    m.core.settle();
    m.assert_invariants();
    assert_no_leftover(&m);
}

/// What firmware wants mapped one to one is mapped in the new domain before a member is attached to it.
#[test]
fn direct_regions_are_mapped_in_the_new_domain() {
    let mut m = machine(vec![iommu("v", 100), function("a", 1)]);
    let direct = ReservedRegion { kind: ReservedKind::Direct, ..msi(0x1000, 0x2fff) };
    m.iommu("v").reserved.push(direct);
    m.boot();
    m.act(Action::Unbind("a"));
    m.iommu("v").mapped.clear();
    m.change_type("a", Identity).unwrap();
    assert!(m.iommu("v").mapped.is_empty(), "an identity domain has them anyway");
    m.change_type("a", DmaFq).unwrap();
    let domain = m.iommu("v").attached[&1];
    assert_eq!(m.iommu("v").mapped, [(domain, direct.range)]);
}
