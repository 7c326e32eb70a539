//! Many requests for one notification: each answer belongs to its request, and each mapping is in the
//! device and in the record, or in neither.

use core::cell::RefCell;
use std::vec;
use std::vec::Vec;

use addr::{EndpointId, Iova, PhysAddr, Range};
use probe::{DomainHandle, DomainKind, IommuOps, Mapping, Prot, Refusal, RefusalCause};

use crate::model::{Device, Serve, TestViommu, live_pages, reclaim, start};
use crate::{Death, MAX_BATCH};

const E: EndpointId = EndpointId(1);
const RW: Prot = Prot { read: true, write: true, mmio: false };

fn page(number: u64) -> Range<Iova> {
    Range::from_size(Iova(number << 12), 0x1000).unwrap()
}

fn mapping(number: u64) -> Mapping {
    Mapping { iova: page(number), phys: PhysAddr(0x4000_0000 + (number << 12)), prot: RW }
}

fn mappings(numbers: core::ops::Range<u64>) -> Vec<Mapping> {
    numbers.map(mapping).collect()
}

fn ranges(numbers: core::ops::Range<u64>) -> Vec<Range<Iova>> {
    numbers.map(page).collect()
}

/// A device, and a paging domain with the endpoint in it.
fn attached(device: &RefCell<Device>) -> (TestViommu<'_>, DomainHandle) {
    let mut viommu = start(device).unwrap();
    let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
    viommu.attach(domain, E).unwrap();
    device.borrow_mut().log.clear();
    device.borrow_mut().notifications = [0; 2];
    (viommu, domain)
}

/// The numbers of the pages that are mapped in the device.
fn mapped(device: &RefCell<Device>) -> Vec<u64> {
    device.borrow().domains[&1].mappings.keys().map(|start| start >> 12).collect()
}

fn failed(results: &[Result<(), Refusal>]) -> Vec<usize> {
    results.iter().enumerate().filter(|(_, result)| result.is_err()).map(|(index, _)| index).collect()
}

#[test]
fn as_many_requests_as_the_queue_holds_take_one_notification() {
    let device = RefCell::new(Device::new(&[1]));
    let (mut viommu, domain) = attached(&device);
    let count = 2 * MAX_BATCH as u64 + 3;
    assert_eq!(failed(&viommu.map_all(domain, &mappings(0..count))), []);
    assert_eq!(mapped(&device), (0..count).collect::<Vec<_>>());
    assert_eq!((device.borrow().log.len() as u64, device.borrow().notifications[0]), (count, 3));
    assert_eq!(failed(&viommu.unmap_all(domain, &ranges(0..count))), []);
    assert_eq!((mapped(&device).len(), device.borrow().notifications[0]), (0, 4), "one UNMAP for all");
    let counters = viommu.counters();
    assert_eq!((counters.requests, counters.notifications), (count + 2, 5), "and one ATTACH");
}

#[test]
fn one_unmap_removes_mappings_with_nothing_of_another_caller_between_them() {
    let device = RefCell::new(Device::new(&[1]));
    let (mut viommu, domain) = attached(&device);
    viommu.map_all(domain, &mappings(0..20));
    device.borrow_mut().log.clear();
    // 0 to 2 and 5: between them 3 and 4 are not mapped any more. Page 7 stays, so 8 takes a request of its
    // own, and so does 6, which comes after a higher one.
    viommu.unmap_all(domain, &ranges(3..5));
    let wanted = [page(0), page(1), page(2), page(5), page(8), page(6)];
    assert_eq!(failed(&viommu.unmap_all(domain, &wanted)), []);
    let unmaps: Vec<_> = device.borrow().log.iter().map(|bytes| (bytes[8..10].to_vec(), bytes[17])).collect();
    let expected = [(0x30, 0x4f), (0, 0x5f), (0x80, 0x8f), (0x60, 0x6f)];
    assert_eq!(unmaps, expected.map(|(start, end)| (vec![0, start], end)));
    assert_eq!(mapped(&device), [vec![7], (9..20).collect()].concat());
}

#[test]
fn mappings_that_continue_each_other_are_one_if_the_caller_wants() {
    let device = RefCell::new(Device::new(&[1]));
    let (mut viommu, domain) = attached(&device);
    // 0 to 3 continue each other; 4 leads elsewhere, 6 is not adjacent, 7 is read only.
    let elsewhere = Mapping { phys: PhysAddr(0x9000_0000), ..mapping(4) };
    let read_only = Mapping { prot: Prot { write: false, ..RW }, ..mapping(7) };
    let wanted = [mappings(0..4), vec![elsewhere, mapping(6), read_only]].concat();
    assert_eq!(failed(&viommu.map_joined(domain, &wanted)), []);
    let expected = [(0, 0x3fff), (0x4000, 0x4fff), (0x6000, 0x6fff), (0x7000, 0x7fff)];
    let ends = |device: &RefCell<Device>| -> Vec<_> {
        device.borrow().domains[&1].mappings.iter().map(|(start, (end, ..))| (*start, *end)).collect()
    };
    assert_eq!(ends(&device), expected);
    assert_eq!(device.borrow().kinds(), [3; 4]);
    // A part of the joined one stays, all of its parts together go.
    let refusal = viommu.unmap(domain, page(1)).unwrap_err();
    assert!(refusal.detail.contains("would split the mapping of 0x0..=0x3fff"), "{refusal}");
    assert_eq!(failed(&viommu.unmap_all(domain, &ranges(1..5))), [0, 1, 2]);
    assert_eq!(failed(&viommu.unmap_all(domain, &ranges(0..5))), []);
    assert_eq!(ends(&device), expected[2..]);
}

#[test]
fn a_joined_request_that_is_refused_is_made_one_by_one() {
    let device = RefCell::new(Device::new(&[1]));
    let (mut viommu, domain) = attached(&device);
    device.borrow_mut().script = [Serve::Status(8), Serve::Well, Serve::Status(8)].into();
    let results = viommu.map_joined(domain, &mappings(0..4));
    assert_eq!(failed(&results), [1]);
    assert!(results[1].as_ref().unwrap_err().detail.contains(&std::format!("MAP of {}", page(1))));
    assert_eq!(mapped(&device), [0, 2, 3]);
    device.borrow_mut().script = [Serve::Status(8), Serve::Well, Serve::Status(8)].into();
    assert_eq!(failed(&viommu.unmap_all(domain, &[page(0), page(2), page(3)])), [1]);
    assert_eq!(mapped(&device), [2]);
    // The driver knows which: without an answer the doubt is settled for each.
    viommu.map_joined(domain, &mappings(10..14));
    device.borrow_mut().script = [Serve::Done(0)].into();
    assert_eq!(failed(&viommu.unmap_all(domain, &ranges(10..14))), []);
    assert_eq!(mapped(&device), [2]);
}

#[test]
fn a_joined_unmap_in_doubt_is_settled_for_each_mapping_or_ends_the_instance() {
    // The device removes both and does not say so. It refuses the single request for the first, once or twice.
    for (refusals, death) in [(1, None), (2, Some(Death::OutOfStep))] {
        let device = RefCell::new(Device::new(&[1]));
        let (mut viommu, domain) = attached(&device);
        viommu.map_all(domain, &mappings(0..2));
        let refused = if refusals == 1 { Serve::Well } else { Serve::Status(1) };
        device.borrow_mut().script = [Serve::Done(0), Serve::Status(1), Serve::Well, refused].into();
        let results = viommu.unmap_all(domain, &ranges(0..2));
        assert_eq!((failed(&results).len(), viommu.death()), (refusals - 1, death));
        assert_eq!(mapped(&device), [0; 0]);
    }
}

#[test]
fn what_is_mapped_already_is_told_apart_within_a_joined_run() {
    let device = RefCell::new(Device::new(&[1]));
    let (mut viommu, domain) = attached(&device);
    viommu.map_all(domain, &mappings(2..3));
    assert_eq!(failed(&viommu.map_joined(domain, &mappings(0..5))), [2]);
    assert_eq!(mapped(&device), [0, 1, 2, 3, 4]);
}

#[test]
fn each_answer_is_matched_to_its_request_in_any_order() {
    for reverses in [false, true] {
        let device = RefCell::new(Device::new(&[1]));
        device.borrow_mut().reverses = reverses;
        let (mut viommu, domain) = attached(&device);
        let late = [Serve::Well, Serve::Late(7), Serve::Status(8), Serve::Late(3), Serve::Status(1)];
        device.borrow_mut().script = late.into();
        let results = viommu.map_all(domain, &mappings(0..10));
        let (nomem, ioerr) = if reverses { (7, 5) } else { (2, 4) };
        let mut expected = [nomem, ioerr];
        expected.sort_unstable();
        assert_eq!(failed(&results), expected);
        assert_eq!(results[nomem].as_ref().unwrap_err().cause, RefusalCause::NoMemory);
        let refusal = results[ioerr].as_ref().unwrap_err();
        assert_eq!(refusal.cause, RefusalCause::Io);
        assert!(refusal.detail.contains(&std::format!("MAP of {}", page(ioerr as u64))), "{refusal}");
        let expected: Vec<_> = (0..10).filter(|page| ![nomem as u64, ioerr as u64].contains(page)).collect();
        assert_eq!(mapped(&device), expected);
        // The record agrees: what is mapped is refused, what is not is mapped.
        assert_eq!(failed(&viommu.map_all(domain, &mappings(0..10))).len(), 8);
    }
}

#[test]
fn an_unreadable_answer_is_settled_for_its_own_mapping() {
    for serve in [Serve::Done(1), Serve::NotDone(1), Serve::Done(0), Serve::NotDone(99)] {
        let device = RefCell::new(Device::new(&[1]));
        let (mut viommu, domain) = attached(&device);
        device.borrow_mut().script = [Serve::Well, serve].into();
        assert_eq!(failed(&viommu.map_all(domain, &mappings(0..4))), [1]);
        assert_eq!(mapped(&device), [0, 2, 3], "{serve:?}");
        assert_eq!(device.borrow().kinds(), [3, 3, 3, 3, 4]);
        // 2 and 3 are one request, which is told apart, and 0 is one.
        device.borrow_mut().script = [serve, Serve::Well, serve].into();
        assert_eq!(failed(&viommu.unmap_all(domain, &[page(2), page(3), page(0)])), []);
        assert_eq!(mapped(&device), [0; 0], "{serve:?}");
        assert_eq!(failed(&viommu.map_all(domain, &mappings(0..4))), []);
    }
}

#[test]
fn doubt_that_cannot_be_settled_ends_the_instance_and_spares_no_later_request() {
    let device = RefCell::new(Device::new(&[1]));
    let (mut viommu, domain) = attached(&device);
    let script = [Serve::Well, Serve::Done(0), Serve::Well, Serve::Status(1)];
    device.borrow_mut().script = script.into();
    let results = viommu.map_all(domain, &mappings(0..3));
    assert_eq!(failed(&results), [1]);
    assert_eq!(results[1].as_ref().unwrap_err().cause, RefusalCause::Dead);
    assert_eq!(viommu.death(), Some(Death::OutOfStep));
    let sent = device.borrow().log.len();
    assert_eq!(failed(&viommu.unmap_all(domain, &ranges(0..3))), [0, 1, 2]);
    assert_eq!(device.borrow().log.len(), sent);
}

#[test]
fn a_refused_unmap_stays_mapped_and_the_others_go() {
    let device = RefCell::new(Device::new(&[1]));
    let (mut viommu, domain) = attached(&device);
    viommu.map_all(domain, &mappings(0..6));
    // The request for all, and those for 0, 1, 2 and 3.
    device.borrow_mut().script = [Serve::Status(1), Serve::Well, Serve::Status(1)].into();
    // The second range contains pages 1 and 2, of which the device keeps page 1. So does the last one.
    let wanted = [page(0), Range::new(Iova(0x1000), Iova(0x2fff)).unwrap(), page(3), page(9), page(1)];
    assert_eq!(failed(&viommu.unmap_all(domain, &wanted)), [1, 4]);
    assert_eq!(mapped(&device), [1, 4, 5]);
    let overlap = viommu.map(domain, page(1), PhysAddr(0), RW).unwrap_err();
    assert!(overlap.detail.contains("overlaps the mapping"), "{overlap}");
    viommu.unmap(domain, page(1)).unwrap();
    assert_eq!(mapped(&device), [4, 5]);
}

#[test]
fn a_range_that_would_split_a_mapping_is_refused_and_the_others_go() {
    let device = RefCell::new(Device::new(&[1]));
    let (mut viommu, domain) = attached(&device);
    let two_pages = Mapping { iova: Range::from_size(Iova(0x2000), 0x2000).unwrap(), ..mapping(2) };
    viommu.map_all(domain, &[mapping(0), two_pages, mapping(8)]);
    let results = viommu.unmap_all(domain, &[page(0), page(3), page(8)]);
    assert_eq!(failed(&results), [1]);
    assert!(results[1].as_ref().unwrap_err().detail.contains("would split the mapping of 0x2000..=0x3fff"));
    assert_eq!(mapped(&device), [2]);
}

#[test]
fn entries_of_one_batch_may_depend_on_each_other() {
    let device = RefCell::new(Device::new(&[1]));
    let (mut viommu, domain) = attached(&device);
    // The device refuses the first, so the second one with the same addresses is made.
    device.borrow_mut().script = [Serve::Status(8)].into();
    assert_eq!(failed(&viommu.map_all(domain, &[mapping(5), mapping(5), mapping(5)])), [0, 2]);
    assert_eq!(mapped(&device), [5]);
    assert_eq!(failed(&viommu.unmap_all(domain, &[page(5), page(5)])), []);
    assert_eq!(mapped(&device), [0; 0]);
}

#[test]
fn without_an_endpoint_a_batch_is_recorded_and_replayed_with_one_notification() {
    let device = RefCell::new(Device::new(&[1]));
    let mut viommu = start(&device).unwrap();
    let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
    assert_eq!(failed(&viommu.map_all(domain, &mappings(0..100))), []);
    assert_eq!(failed(&viommu.unmap_all(domain, &ranges(40..50))), []);
    assert!(device.borrow().log.is_empty());
    viommu.attach(domain, E).unwrap();
    assert_eq!((mapped(&device).len(), device.borrow().notifications[0]), (90, 2), "ATTACH, and all MAPs");
}

#[test]
fn a_replay_with_one_refusal_leaves_the_endpoint_outside_and_the_record_whole() {
    for serve in [Serve::Status(8), Serve::Done(0), Serve::NotDone(3)] {
        let device = RefCell::new(Device::new(&[1]));
        let mut viommu = start(&device).unwrap();
        let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
        viommu.map_all(domain, &mappings(0..10));
        device.borrow_mut().script = [Serve::Well, Serve::Well, Serve::Well, serve].into();
        let refusal = viommu.attach(domain, E).unwrap_err();
        assert!(refusal.detail.contains("MAP of 0x2000..=0x2fff"), "{refusal}");
        assert!(device.borrow().attached.is_empty() && device.borrow().domains.is_empty());
        viommu.attach(domain, E).unwrap();
        assert_eq!(mapped(&device).len(), 10);
    }
}

#[test]
fn a_batch_that_is_not_answered_as_a_whole_ends_the_instance_and_its_memory_is_not_used_again() {
    for serve in [Serve::Never, Serve::Late(1_000_000), Serve::WrongChain(0xffff), Serve::WrongChain(200)] {
        let before = live_pages();
        let device = RefCell::new(Device::new(&[1]));
        let (mut viommu, domain) = attached(&device);
        let held = live_pages();
        device.borrow_mut().script = [Serve::Well, Serve::Well, serve].into();
        let results = viommu.map_all(domain, &mappings(0..5));
        assert!(viommu.is_dead());
        assert!(failed(&results).contains(&2), "{serve:?}");
        let cause = |result: &Result<(), Refusal>| result.as_ref().unwrap_err().cause;
        assert!(results.iter().filter(|result| result.is_err()).all(|r| cause(r) == RefusalCause::Dead));
        assert_eq!(live_pages(), held);
        let sent = device.borrow().log.len();
        assert_eq!(failed(&viommu.map_all(domain, &mappings(10..13))), [0, 1, 2]);
        assert_eq!(device.borrow().log.len(), sent);
        device.borrow_mut().resets_left = Some(0);
        drop(viommu);
        assert_eq!(live_pages(), held, "{serve:?}: the reset was not confirmed");
        reclaim();
        assert_eq!(live_pages(), before);
    }
}

#[test]
fn a_chain_that_is_answered_twice_is_not_taken_for_another_one() {
    let device = RefCell::new(Device::new(&[1]));
    let (mut viommu, domain) = attached(&device);
    device.borrow_mut().script = [Serve::Well, Serve::WrongChain(0)].into();
    let results = viommu.map_all(domain, &mappings(0..5));
    assert!(matches!(viommu.death(), Some(Death::WrongChain { .. })), "{:?}", viommu.death());
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

#[test]
fn an_answer_more_than_there_are_requests_ends_the_instance() {
    let device = RefCell::new(Device::new(&[1]));
    let (mut viommu, domain) = attached(&device);
    device.borrow_mut().script = vec![Serve::Well, Serve::Well, Serve::Twice].into();
    assert_eq!(failed(&viommu.map_all(domain, &mappings(0..3))), []);
    assert_eq!(failed(&viommu.map_all(domain, &mappings(3..5))), [0, 1]);
    assert_eq!(viommu.death(), Some(Death::UnaskedAnswer));
}

#[test]
fn a_device_that_scribbles_in_the_middle_of_a_batch_harms_only_itself() {
    for byte in [0, 1, 0x7f, 0xff] {
        let device = RefCell::new(Device::new(&[1]));
        let (mut viommu, domain) = attached(&device);
        device.borrow_mut().script = vec![Serve::Scribble(byte); 20].into();
        viommu.map_all(domain, &mappings(0..40));
        viommu.unmap_all(domain, &ranges(0..40));
    }
}
