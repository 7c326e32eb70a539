//! What the driver of a device can do in the domain of its group.

use addr::{Iova, PhysAddr, Range};

use crate::{
    DomainPolicy, DomainType, GroupDomain, Mapping, Prot, RefusalCause, ReservedKind, ReservedRegion,
};

use super::model::{Action, Machine, function, iommu, machine, on};

const BOTH: Prot = Prot { read: true, write: true, mmio: false };

fn range(start: u64) -> Range<Iova> {
    Range::from_size(Iova(start), 0x1000).unwrap()
}

fn map(domain: &GroupDomain, at: &[u64]) -> Vec<Option<RefusalCause>> {
    let mapping = |start: &u64| Mapping { iova: range(*start), phys: PhysAddr(0x4000_0000), prot: BOTH };
    let mappings: Vec<Mapping> = at.iter().map(mapping).collect();
    domain.map(&mappings).into_iter().map(|result| result.err().map(|refusal| refusal.cause)).collect()
}

fn mapped(machine: &Machine, iommu: &str) -> Vec<u64> {
    machine.iommu(iommu).mapped.iter().map(|(_, range)| range.start().0).collect()
}

#[test]
fn a_mapping_is_made_on_every_iommu_of_the_device_or_on_none() {
    let mut m = machine(vec![iommu("u", 100), iommu("v", 200), on("both", &[(100, 1), (200, 2)])]);
    m.boot();
    let domain = m.domain_of("both").expect("it is translated");
    m.iommu("v").refuse_map.insert(0x2000);
    m.iommu("u").refuse_map.insert(0x3000);
    let refused = Some(RefusalCause::NoMemory);
    assert_eq!(map(&domain, &[0x1000, 0x2000, 0x3000, 0x4000]), [None, refused, refused, None]);
    assert_eq!(mapped(&m, "u"), [0x1000, 0x4000]);
    assert_eq!(mapped(&m, "v"), [0x1000, 0x4000]);
    assert!(domain.unmap(&[range(0x4000)]).iter().all(Result::is_ok));
    assert_eq!([mapped(&m, "u"), mapped(&m, "v")], [[0x1000], [0x1000]]);
}

#[test]
fn limits_are_those_of_all_iommus_together() {
    let mut m = machine(vec![iommu("u", 100), iommu("v", 200), on("both", &[(100, 1), (200, 2)])]);
    m.iommu("u").aperture = Some((0x1000, 0xffff_ffff));
    m.iommu("v").aperture = Some((0, 0xffff));
    m.iommu("v").granule = Some(0x1_0000);
    m.boot();
    let domain = m.domain_of("both").expect("it is translated");
    assert_eq!(domain.aperture(), Range::new(Iova(0x1000), Iova(0xffff)));
    assert_eq!(domain.granule(), Some(0x1_0000));
    m.iommu("v").aperture = Some((0, 0xfff));
    assert_eq!(domain.aperture(), None, "no address is in both");
}

#[test]
fn the_reserved_regions_are_those_of_all_members() {
    let msi = ReservedRegion { range: range(0x800_0000), kind: ReservedKind::Msi };
    let mut m = machine(vec![iommu("u", 100), function("a", 1)]);
    m.iommu("u").reserved.push(msi);
    m.boot();
    assert_eq!(m.domain_of("a").expect("it is translated").reserved(), [msi]);
}

#[test]
fn there_is_no_domain_where_nothing_translates() {
    let mut m = machine(vec![iommu("u", 100), on("a", &[])]);
    m.boot();
    assert!(m.domain_of("a").is_none());
    assert!(m.domain_of("u").is_none(), "an IOMMU does not translate itself");
}

#[test]
fn a_domain_does_not_keep_its_iommu_alive() {
    let mut m = machine(vec![iommu("u", 100), function("a", 1)]);
    m.boot();
    let domain = m.domain_of("a").expect("it is translated");
    m.act(Action::Unbind("u"));
    m.core.settle();
    assert_eq!(map(&domain, &[0x1000]), [Some(RefusalCause::Dead)]);
    assert_eq!((domain.granule(), domain.aperture()), (None, None));
    assert!(m.domain_of("a").is_none(), "the claim is older than that: its group is gone");
}

#[test]
fn its_type_is_that_of_the_default_domain() {
    let policy = DomainPolicy { passthrough: true, ..DomainPolicy::default() };
    let mut m = Machine::new(vec![iommu("u", 100), function("a", 1)], policy);
    m.boot();
    assert_eq!(m.domain_of("a").map(|domain| domain.domain_type()), Some(DomainType::Identity));
}
