//! Domains: their IDs, their endpoints, and their mappings in the device.

use core::cell::RefCell;
use std::vec::Vec;

use crate::model::{Device, INVAL, NOENT, Serve, UNSUPP, start};
use addr::{EndpointId, Iova, PhysAddr, Range};
use probe::{DomainHandle, DomainKind, IommuOps, Prot, RefusalCause};

use super::properties::resv_mem;

const A: EndpointId = EndpointId(1);
const B: EndpointId = EndpointId(2);
const RW: Prot = Prot { read: true, write: true, mmio: false };

fn pages(first: u64, count: u64) -> Range<Iova> {
    Range::from_size(Iova(first * 0x1000), count * 0x1000).unwrap()
}

fn device() -> RefCell<Device> {
    RefCell::new(Device::new(&[1, 2, 3]))
}

fn two_domains(iommu: &mut impl IommuOps) -> [DomainHandle; 2] {
    [(); 2].map(|()| iommu.alloc_domain(DomainKind::Paging).unwrap())
}

/// First and last address of each mapping of a domain in the device.
fn mapped(device: &RefCell<Device>, domain: u32) -> Vec<(u64, u64)> {
    let device = device.borrow();
    device.domains[&domain].mappings.iter().map(|(start, (end, ..))| (*start, *end)).collect()
}

#[test]
fn ids_are_the_lowest_free_and_the_first_is_identity() {
    let device = device();
    let mut viommu = start(&device).unwrap();
    let ids: Vec<_> = (0..3).map(|_| viommu.alloc_domain(DomainKind::Paging).unwrap().0).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(viommu.alloc_domain(DomainKind::Identity).unwrap(), DomainHandle(0));
    assert_eq!(viommu.alloc_domain(DomainKind::Identity).unwrap(), DomainHandle(0), "all share it");
    viommu.free_domain(DomainHandle(2));
    viommu.free_domain(DomainHandle(1));
    viommu.free_domain(DomainHandle(0));
    assert_eq!(viommu.alloc_domain(DomainKind::Paging).unwrap(), DomainHandle(1));
    assert_eq!(viommu.alloc_domain(DomainKind::Paging).unwrap(), DomainHandle(2));
    assert_eq!(viommu.alloc_domain(DomainKind::Paging).unwrap(), DomainHandle(4));
    viommu.attach(DomainHandle(0), A).unwrap();
    assert!(device.borrow().domains[&0].bypass, "one user is left");
    viommu.free_domain(DomainHandle(0));
    assert!(viommu.remarks()[0].contains("domain 0 was not freed"), "{:?}", viommu.remarks());
}

#[test]
fn ids_stay_inside_the_range_and_running_out_is_a_refusal() {
    let device = device();
    device.borrow_mut().set_u32(24, 5);
    device.borrow_mut().set_u32(28, 6);
    let mut viommu = start(&device).unwrap();
    assert_eq!(viommu.alloc_domain(DomainKind::Identity).unwrap(), DomainHandle(5));
    assert_eq!(viommu.alloc_domain(DomainKind::Paging).unwrap(), DomainHandle(6));
    let refusal = viommu.alloc_domain(DomainKind::Paging).unwrap_err();
    assert_eq!(refusal.cause, RefusalCause::NoMemory);
    assert!(refusal.detail.contains("no domain ID is left in 5..=6"), "{refusal}");

    // The identity domain has its own ID, independent of the start of the range.
    viommu.attach(DomainHandle(5), A).unwrap();
    viommu.detach(DomainHandle(5), A).unwrap();
    assert!(device.borrow().attached.is_empty());
}

#[test]
fn the_last_id_of_all_is_used_once() {
    let device = device();
    device.borrow_mut().set_u32(24, u32::MAX);
    let mut viommu = start(&device).unwrap();
    assert_eq!(viommu.alloc_domain(DomainKind::Identity).unwrap(), DomainHandle(u32::MAX));
    assert!(viommu.alloc_domain(DomainKind::Paging).is_err());
    drop(viommu);
    device.borrow_mut().offered &= !(1 << 6);
    let mut viommu = start(&device).unwrap();
    assert_eq!(viommu.alloc_domain(DomainKind::Paging).unwrap(), DomainHandle(u32::MAX));
    assert!(viommu.alloc_domain(DomainKind::Paging).is_err());
}

#[test]
fn mappings_are_sent_with_each_first_endpoint() {
    let device = device();
    let mut viommu = start(&device).unwrap();
    let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
    viommu.map(domain, pages(1, 1), PhysAddr(0x8000), RW).unwrap();
    viommu.map(domain, pages(4, 2), PhysAddr(0x9000), RW).unwrap();
    assert!(device.borrow().log.is_empty());
    let both = [(0x1000, 0x1fff), (0x4000, 0x5fff)];
    viommu.attach(domain, A).unwrap();
    assert_eq!(mapped(&device, 1), both);
    viommu.attach(domain, B).unwrap();
    assert_eq!(device.borrow().kinds(), [1, 3, 3, 1], "the second endpoint finds them there");
    viommu.detach(domain, A).unwrap();
    viommu.detach(domain, B).unwrap();
    assert!(device.borrow().domains.is_empty());
    viommu.unmap(domain, pages(1, 1)).unwrap();
    viommu.attach(domain, B).unwrap();
    assert_eq!(mapped(&device, 1), both[1..]);
}

#[test]
fn attaching_again_to_the_same_domain_sends_nothing() {
    let device = device();
    let mut viommu = start(&device).unwrap();
    let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
    viommu.map(domain, pages(1, 1), PhysAddr(0), RW).unwrap();
    viommu.attach(domain, A).unwrap();
    viommu.attach(domain, A).unwrap();
    assert_eq!(device.borrow().kinds(), [1, 3]);
}

#[test]
fn an_endpoint_moves_and_what_it_leaves_empty_is_replayed_later() {
    for does_not_move in [false, true] {
        let device = device();
        device.borrow_mut().does_not_move = does_not_move;
        let mut viommu = start(&device).unwrap();
        let one = viommu.alloc_domain(DomainKind::Paging).unwrap();
        let two = viommu.alloc_domain(DomainKind::Paging).unwrap();
        viommu.map(one, pages(1, 1), PhysAddr(0), RW).unwrap();
        viommu.attach(one, A).unwrap();
        viommu.attach(two, A).unwrap();
        assert_eq!(viommu.domain_of(A), Some(two));
        assert_eq!(device.borrow().attached[&1], two.0);
        viommu.attach(one, B).unwrap();
        assert_eq!(mapped(&device, one.0), [(0x1000, 0x1fff)]);
    }
}

#[test]
fn a_refused_attach_leaves_the_endpoint_where_it_was() {
    let device = device();
    let mut viommu = start(&device).unwrap();
    let [one, two] = two_domains(&mut viommu);
    viommu.map(one, pages(1, 1), PhysAddr(0), RW).unwrap();
    viommu.attach(one, A).unwrap();
    device.borrow_mut().script = [Serve::Status(INVAL)].into();
    assert_eq!(viommu.attach(two, A).unwrap_err().cause, RefusalCause::Invalid);
    assert_eq!(viommu.domain_of(A), Some(one));
    assert_eq!(device.borrow().attached[&1], one.0);
    viommu.map(one, pages(2, 1), PhysAddr(0), RW).unwrap();
    assert_eq!(mapped(&device, one.0).len(), 2);
}

#[test]
fn a_replay_that_fails_brings_the_endpoint_back_to_its_old_domain() {
    let device = device();
    let mut viommu = start(&device).unwrap();
    let [one, two] = two_domains(&mut viommu);
    viommu.map(one, pages(1, 1), PhysAddr(0), RW).unwrap();
    viommu.attach(one, A).unwrap();
    viommu.map(two, pages(2, 1), PhysAddr(0), RW).unwrap();
    viommu.map(two, pages(3, 1), PhysAddr(0), RW).unwrap();
    device.borrow_mut().script = [Serve::Well, Serve::Well, Serve::Status(INVAL)].into();
    let refusal = viommu.attach(two, A).unwrap_err();
    assert_eq!((refusal.cause, refusal.endpoint), (RefusalCause::Invalid, Some(A)));
    assert!(refusal.detail.starts_with("MAP of 0x3000..=0x3fff"), "{refusal}");
    assert_eq!((viommu.domain_of(A), device.borrow().attached[&1]), (Some(one), one.0));
    assert_eq!(mapped(&device, one.0), [(0x1000, 0x1fff)]);
}

#[test]
fn an_endpoint_whose_return_fails_is_reported_as_detached() {
    let device = device();
    let mut viommu = start(&device).unwrap();
    let [one, two] = two_domains(&mut viommu);
    viommu.attach(one, A).unwrap();
    viommu.map(two, pages(2, 1), PhysAddr(0), RW).unwrap();
    device.borrow_mut().script = [Serve::Well, Serve::Status(8), Serve::Well, Serve::Status(NOENT)].into();
    let refusal = viommu.attach(two, A).unwrap_err();
    assert!(refusal.detail.contains("it is not attached to any domain"), "{refusal}");
    assert_eq!(viommu.domain_of(A), None);
    assert!(device.borrow().attached.is_empty() && !viommu.is_dead());
}

#[test]
fn detach_uses_the_domain_that_the_endpoint_is_in() {
    let device = device();
    let mut viommu = start(&device).unwrap();
    let [one, two] = two_domains(&mut viommu);
    assert_eq!(viommu.detach(one, A).unwrap_err().cause, RefusalCause::NoEntry);
    viommu.attach(one, A).unwrap();
    let refusal = viommu.detach(two, A).unwrap_err();
    assert!(refusal.detail.contains("the endpoint is attached to domain 1"), "{refusal}");
    assert_eq!(device.borrow().kinds(), [1]);
    device.borrow_mut().script = [Serve::Status(UNSUPP)].into();
    assert!(viommu.detach(one, A).is_err());
    assert_eq!(viommu.domain_of(A), Some(one), "refused: it is still there");
    device.borrow_mut().endpoints.clear();
    device.borrow_mut().attached.clear();
    assert_eq!(viommu.detach(one, A).unwrap_err().cause, RefusalCause::NoEntry);
    assert_eq!(viommu.domain_of(A), None, "gone with the endpoint");
}

#[test]
fn a_domain_with_an_endpoint_is_not_freed() {
    let device = device();
    let mut viommu = start(&device).unwrap();
    let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
    viommu.attach(domain, A).unwrap();
    viommu.free_domain(domain);
    assert!(viommu.remarks()[0].contains("domain 1 was not freed"), "{:?}", viommu.remarks());
    assert_ne!(viommu.alloc_domain(DomainKind::Paging).unwrap(), domain);
}

#[test]
fn a_mapping_is_checked_before_it_is_sent() {
    let mut model = Device::new(&[1, 2]);
    model.set_u64(8, 0x1000);
    model.set_u64(16, 0xff_ffff);
    model.offered &= !(1 << 5);
    model.properties.insert(1, resv_mem(0, 0x8000, 0x8fff));
    let device = RefCell::new(model);
    let mut viommu = start(&device).unwrap();
    let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
    viommu.probe_device(&[A, B]).unwrap();
    viommu.attach(domain, A).unwrap();
    viommu.map(domain, pages(2, 2), PhysAddr(0), RW).unwrap();
    let sent = device.borrow().log.len();
    let range = |start, end| Range::new(Iova(start), Iova(end)).unwrap();
    let cases = [
        (range(0x4001, 0x4fff), 0, RW, RefusalCause::Range, "granule"),
        (range(0x4000, 0x4ffe), 0, RW, RefusalCause::Range, "granule"),
        (pages(4, 1), 0x10, RW, RefusalCause::Range, "granule"),
        (pages(0, 1), 0, RW, RefusalCause::Range, "aperture"),
        (pages(0xfff, 2), 0, RW, RefusalCause::Range, "aperture"),
        (pages(4, 2), u64::MAX - 0xfff, RW, RefusalCause::Range, "address space"),
        (pages(4, 1), 0, Prot { read: false, write: false, mmio: false }, RefusalCause::Invalid, "neither"),
        (pages(4, 1), 0, Prot { mmio: true, ..RW }, RefusalCause::Unsupported, "MMIO"),
        (pages(3, 1), 0, RW, RefusalCause::Invalid, "overlaps the mapping of 0x2000..=0x3fff"),
        (pages(1, 2), 0, RW, RefusalCause::Invalid, "overlaps the mapping"),
        (pages(7, 2), 0, RW, RefusalCause::Invalid, "reserved for endpoint 0x1"),
    ];
    for (iova, phys, prot, cause, text) in cases {
        let refusal = viommu.map(domain, iova, PhysAddr(phys), prot).unwrap_err();
        assert_eq!(refusal.cause, cause, "{refusal}");
        assert!(refusal.detail.contains(text), "{refusal}");
    }
    let nowhere = DomainHandle(77);
    assert_eq!(viommu.map(nowhere, pages(4, 1), PhysAddr(0), RW).unwrap_err().cause, RefusalCause::NoEntry);
    assert_eq!(viommu.unmap(nowhere, pages(4, 1)).unwrap_err().cause, RefusalCause::NoEntry);
    assert_eq!(viommu.attach(nowhere, B).unwrap_err().cause, RefusalCause::NoEntry);
    let identity = viommu.alloc_domain(DomainKind::Identity).unwrap();
    assert_eq!(viommu.map(identity, pages(4, 1), PhysAddr(0), RW).unwrap_err().cause, RefusalCause::Invalid);
    assert_eq!(device.borrow().log.len(), sent, "none of them was sent");
}

#[test]
fn an_endpoint_whose_reserved_region_is_mapped_is_refused() {
    let mut model = Device::new(&[1]);
    model.properties.insert(1, resv_mem(1, 0x8000, 0x8fff));
    let device = RefCell::new(model);
    let mut viommu = start(&device).unwrap();
    viommu.probe_device(&[A]).unwrap();
    let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
    viommu.map(domain, pages(7, 3), PhysAddr(0), RW).unwrap();
    let refusal = viommu.attach(domain, A).unwrap_err();
    assert!(refusal.detail.contains("0x7000..=0x9fff is mapped, but reserved for the endpoint"), "{refusal}");
    viommu.unmap(domain, pages(7, 3)).unwrap();
    viommu.attach(domain, A).unwrap();
}

#[test]
fn unmap_takes_whole_mappings_and_never_splits_one() {
    let device = device();
    let mut viommu = start(&device).unwrap();
    let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
    viommu.attach(domain, A).unwrap();
    viommu.map(domain, pages(1, 2), PhysAddr(0), RW).unwrap();
    viommu.map(domain, pages(5, 1), PhysAddr(0), RW).unwrap();
    for part in [pages(1, 1), pages(2, 1), pages(2, 4)] {
        let refusal = viommu.unmap(domain, part).unwrap_err();
        assert_eq!(refusal.cause, RefusalCause::Range);
        assert!(refusal.detail.contains("would split the mapping of 0x1000..=0x2fff"), "{refusal}");
    }
    viommu.unmap(domain, pages(20, 5)).unwrap();
    assert_eq!(mapped(&device, 1).len(), 2);
    viommu.unmap(domain, pages(0, 9)).unwrap();
    assert!(mapped(&device, 1).is_empty());
    viommu.map(domain, pages(1, 2), PhysAddr(0), RW).unwrap();
}

#[test]
fn a_refused_map_or_unmap_changes_nothing() {
    let device = device();
    let mut viommu = start(&device).unwrap();
    let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
    viommu.attach(domain, A).unwrap();
    device.borrow_mut().script = [Serve::Status(8)].into();
    assert_eq!(viommu.map(domain, pages(1, 1), PhysAddr(0), RW).unwrap_err().cause, RefusalCause::NoMemory);
    viommu.map(domain, pages(1, 1), PhysAddr(0), RW).unwrap();
    device.borrow_mut().script = [Serve::Status(1)].into();
    assert_eq!(viommu.unmap(domain, pages(1, 1)).unwrap_err().cause, RefusalCause::Io);
    assert!(viommu.map(domain, pages(1, 1), PhysAddr(0), RW).is_err(), "still mapped");
    viommu.unmap(domain, pages(1, 1)).unwrap();
    assert!(mapped(&device, 1).is_empty());
}

#[test]
fn after_an_unreadable_answer_device_and_record_agree() {
    for serve in [Serve::Done(1), Serve::NotDone(1), Serve::Done(0), Serve::NotDone(99)] {
        let device = device();
        let mut viommu = start(&device).unwrap();
        let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
        viommu.attach(domain, A).unwrap();
        viommu.attach(domain, B).unwrap();
        device.borrow_mut().script = [serve].into();
        viommu.map(domain, pages(1, 1), PhysAddr(0), RW).unwrap_err();
        assert!(mapped(&device, 1).is_empty(), "{serve:?}");
        viommu.map(domain, pages(1, 1), PhysAddr(0), RW).unwrap();
        device.borrow_mut().script = [serve].into();
        viommu.unmap(domain, pages(1, 1)).unwrap();
        assert!(mapped(&device, 1).is_empty(), "{serve:?}");
        device.borrow_mut().script = [serve].into();
        viommu.detach(domain, B).unwrap();
        assert_eq!(device.borrow().attached.len(), 1, "{serve:?}");
        assert!(!viommu.is_dead());
    }
}

#[test]
fn a_detach_that_is_unreadable_and_then_refused_ends_the_instance() {
    let device = device();
    let mut viommu = start(&device).unwrap();
    let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
    viommu.attach(domain, A).unwrap();
    device.borrow_mut().script = [Serve::Done(0), Serve::Status(1)].into();
    assert_eq!(viommu.detach(domain, A).unwrap_err().cause, RefusalCause::Dead);
    assert_eq!(viommu.death(), Some(crate::Death::OutOfStep));
}

#[test]
fn without_a_bypass_flag_identity_is_mapped_around_the_reserved_regions() {
    let mut model = Device::new(&[1, 2]);
    model.offered &= !(1 << 6);
    model.properties.insert(1, resv_mem(1, 0x0802_0000, 0x0802_0fff));
    model.properties.insert(2, resv_mem(0, 0x1234, 0x2345));
    model.reserved.insert(1, [(0x0802_0000, 0x0802_0fff)].into());
    model.reserved.insert(2, [(0x1234, 0x2345)].into());
    let device = RefCell::new(model);
    let mut viommu = start(&device).unwrap();
    viommu.probe_device(&[A]).unwrap();
    viommu.probe_device(&[B]).unwrap();
    let identity = viommu.alloc_domain(DomainKind::Identity).unwrap();
    assert_eq!(identity, DomainHandle(0));
    assert!(device.borrow().kinds().iter().all(|kind| *kind == 5), "nothing is sent before the first attach");
    viommu.attach(identity, A).unwrap();
    assert_eq!(mapped(&device, 0), [(0, 0x0801_ffff), (0x0802_1000, u64::MAX)]);
    viommu.attach(identity, B).unwrap();
    assert_eq!(mapped(&device, 0), [(0, 0xfff), (0x3000, 0x0801_ffff), (0x0802_1000, u64::MAX)]);
    assert!(
        device.borrow().domains[&0]
            .mappings
            .iter()
            .all(|(start, (_, phys, flags))| start == phys && *flags == 3)
    );
    assert_eq!(viommu.alloc_domain(DomainKind::Paging).unwrap(), DomainHandle(1));
}

#[test]
fn a_large_granule_is_refused_only_as_on_linux() {
    let device = device();
    device.borrow_mut().set_u64(0, 0xffff_ffff_ffff_0000);
    let mut viommu = start(&device).unwrap();
    viommu.alloc_domain(DomainKind::Paging).unwrap();
    viommu.refuse_granules_above_page();
    let refusal = viommu.alloc_domain(DomainKind::Paging).unwrap_err();
    assert_eq!(refusal.cause, RefusalCause::Unsupported);
    assert!(refusal.detail.contains("granule is 0x10000 bytes"), "{refusal}");
    let identity = viommu.alloc_domain(DomainKind::Identity).unwrap();
    viommu.attach(identity, A).unwrap();
}

#[test]
fn mappings_are_multiples_of_any_granule() {
    for (granule, mask) in [(0x4000, 0x0200_4000), (0x1_0000, 0xffff_ffff_ffff_0000), (1 << 21, 1 << 21)] {
        let device = device();
        device.borrow_mut().set_u64(0, mask);
        let mut viommu = start(&device).unwrap();
        assert_eq!(viommu.granule(), granule);
        let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
        viommu.attach(domain, A).unwrap();
        let blocks = |first, count| Range::from_size(Iova(first * granule), count * granule).unwrap();
        viommu.map(domain, blocks(3, 2), PhysAddr(7 * granule), RW).unwrap();
        assert_eq!(mapped(&device, 1), [(3 * granule, 5 * granule - 1)]);
        let half = granule / 2;
        let cut = Range::from_size(Iova(8 * granule), half).unwrap();
        let shifted = Range::from_size(Iova(8 * granule + half), granule).unwrap();
        for (iova, phys) in [(cut, 0), (shifted, 0), (blocks(8, 1), half)] {
            let refusal = viommu.map(domain, iova, PhysAddr(phys), RW).unwrap_err();
            assert_eq!(refusal.cause, RefusalCause::Range);
            assert!(refusal.detail.contains("not a multiple of the granule"), "{refusal}");
        }
        viommu.unmap(domain, blocks(3, 2)).unwrap();
        assert!(mapped(&device, 1).is_empty());
    }
}

#[test]
fn mapped_identity_is_cut_to_the_granule_and_to_a_narrow_aperture() {
    let mut model = Device::new(&[1, 2]);
    model.offered &= !(1 << 6);
    model.set_u64(0, 0xffff_ffff_ffff_0000);
    model.set_u64(8, 0x1_1000);
    model.set_u64(16, 0xffff_ffff);
    model.properties.insert(1, resv_mem(1, 0x0802_0000, 0x0802_0fff));
    model.reserved.insert(1, [(0x0802_0000, 0x0802_0fff)].into());
    let device = RefCell::new(model);
    let mut viommu = start(&device).unwrap();
    viommu.probe_device(&[A]).unwrap();
    let identity = viommu.alloc_domain(DomainKind::Identity).unwrap();
    viommu.attach(identity, A).unwrap();
    assert_eq!(mapped(&device, 0), [(0x2_0000, 0x0801_ffff), (0x0803_0000, 0xffff_ffff)]);
    assert_eq!(device.borrow().notifications[0], 3, "PROBE, ATTACH, and both MAPs with one");
}
