//! Answers: every status, every wrong length, late, missing and unsolicited answers.

use core::cell::RefCell;
use std::format;

use addr::EndpointId;
use probe::{DomainKind, IommuOps, RefusalCause};

use crate::model::{Device, Serve, live_pages, reclaim, start};
use crate::{Death, REQUEST_DEADLINE_US};

const E: EndpointId = EndpointId(8);

#[test]
fn statuses_are_distinguished() {
    use RefusalCause::{Invalid, Io, NoEntry, NoMemory, Range, Unsupported};
    let statuses = [
        (1, "IOERR", Io),
        (2, "UNSUPP", Unsupported),
        (3, "DEVERR", Io),
        (4, "INVAL", Invalid),
        (5, "RANGE", Range),
        (6, "NOENT", NoEntry),
        (7, "FAULT", Io),
        (8, "NOMEM", NoMemory),
        (9, "unknown status 9", Io),
        (255, "unknown status 255", Io),
    ];
    for (status, name, cause) in statuses {
        let device = RefCell::new(Device::new(&[8]));
        let mut viommu = start(&device).unwrap();
        let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
        device.borrow_mut().script = [Serve::Status(status); 1].into();
        let probed = viommu.probe_device(&[E]).unwrap_err();
        assert_eq!(probed.detail, format!("PROBE of endpoint 0x8: {name}"));
        assert_eq!((probed.cause, probed.endpoint), (cause, Some(E)));
        device.borrow_mut().script = [Serve::Status(status)].into();
        let attached = viommu.attach(domain, E).unwrap_err();
        assert_eq!(attached.detail, format!("ATTACH of endpoint 0x8 to domain 1: {name}"));
        assert_eq!((attached.cause, viommu.domain_of(E)), (cause, None));
        assert!(!viommu.is_dead());
        viommu.attach(domain, E).unwrap();
    }
}

#[test]
fn each_kind_of_wrong_used_length_has_its_own_error() {
    let cases = [(0, "(used length 0)"), (3, "used length 3, expected 4"), (5, "used length 5, expected 4")];
    for (used, text) in cases {
        for serve in [Serve::Done(used), Serve::NotDone(used)] {
            let device = RefCell::new(Device::new(&[8]));
            let mut viommu = start(&device).unwrap();
            let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
            device.borrow_mut().script = [serve].into();
            let refusal = viommu.attach(domain, E).unwrap_err();
            assert_eq!(refusal.cause, RefusalCause::Io);
            assert!(refusal.detail.contains(text), "{refusal}");
            // Whether the request was executed or not, driver and device agree again.
            assert!(!viommu.is_dead() && viommu.domain_of(E).is_none());
            assert!(device.borrow().attached.is_empty());
            assert_eq!(viommu.counters().unreadable, 1);
        }
    }
}

#[test]
fn a_short_answer_to_probe_costs_that_endpoint_only() {
    let device = RefCell::new(Device::new(&[8, 9]));
    let mut viommu = start(&device).unwrap();
    device.borrow_mut().script = [Serve::Done(515)].into();
    let accepted = viommu.probe_device(&[E, EndpointId(9)]).unwrap();
    assert_eq!(accepted.endpoints, [EndpointId(9)]);
    assert_eq!(
        accepted.refused[0].detail,
        "PROBE of endpoint 0x8: response with used length 515, expected 516"
    );
}

#[test]
fn a_status_that_the_device_did_not_write_is_not_taken_for_success() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    device.borrow_mut().script = [Serve::Well, Serve::Unwritten].into();
    viommu.probe_device(&[E]).unwrap();
    let refusal = viommu.probe_device(&[E]).unwrap_err();
    assert_eq!(refusal.cause, RefusalCause::Io);
    assert!(refusal.detail.contains("unknown status 255"), "{refusal}");
}

#[test]
fn an_answer_just_within_the_deadline_is_taken() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    device.borrow_mut().script = [Serve::Late((REQUEST_DEADLINE_US / 10_000) as u32 - 1)].into();
    viommu.probe_device(&[E]).unwrap();
}

#[test]
fn a_device_that_never_answers_is_dead_and_gets_no_more_requests() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    let domain = viommu.alloc_domain(DomainKind::Paging).unwrap();
    device.borrow_mut().script = [Serve::Never].into();
    let refusal = viommu.probe_device(&[E]).unwrap_err();
    assert_eq!((refusal.cause, refusal.endpoint), (RefusalCause::Dead, Some(E)));
    assert!(refusal.detail.contains("no answer within 2000000 us, device status 0xf"), "{refusal}");
    assert_eq!(viommu.death(), Some(Death::Silent { status: 0xf }));

    let sent = device.borrow().log.len();
    let page = addr::Range::new(addr::Iova(0x1000), addr::Iova(0x1fff)).unwrap();
    let prot = probe::Prot { read: true, write: true, mmio: false };
    assert_eq!(viommu.probe_device(&[E]).unwrap_err().cause, RefusalCause::Dead);
    assert_eq!(viommu.attach(domain, E).unwrap_err().cause, RefusalCause::Dead);
    assert_eq!(viommu.detach(domain, E).unwrap_err().cause, RefusalCause::Dead);
    assert_eq!(viommu.map(domain, page, addr::PhysAddr(0), prot).unwrap_err().cause, RefusalCause::Dead);
    assert_eq!(viommu.unmap(domain, page).unwrap_err().cause, RefusalCause::Dead);
    assert_eq!(viommu.alloc_domain(DomainKind::Identity).unwrap_err().cause, RefusalCause::Dead);
    assert_eq!(viommu.set_bypass(false).unwrap_err().cause, RefusalCause::Dead);
    assert_eq!(device.borrow().log.len(), sent);
}

#[test]
fn a_late_answer_is_not_mistaken_for_that_of_another_request() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    device.borrow_mut().script = [Serve::Late(1000)].into();
    assert_eq!(viommu.probe_device(&[E]).unwrap_err().cause, RefusalCause::Dead);
    for _ in 0..2000 {
        device.borrow_mut().tick();
    }
    assert_eq!(device.borrow().log.len(), 1, "the answer is there now");
    assert_eq!(viommu.probe_device(&[E]).unwrap_err().cause, RefusalCause::Dead);
}

#[test]
fn what_a_silent_device_may_write_to_is_freed_only_after_a_confirmed_reset() {
    for confirms in [true, false] {
        let before = live_pages();
        let device = RefCell::new(Device::new(&[8]));
        let mut viommu = start(&device).unwrap();
        let held = live_pages();
        device.borrow_mut().script = [Serve::Late(1_000_000)].into();
        viommu.probe_device(&[E]).unwrap_err();
        assert_eq!(live_pages(), held);
        device.borrow_mut().resets_left = Some(u32::from(confirms));
        drop(viommu);
        assert_eq!(live_pages(), if confirms { before } else { held });
        reclaim();
    }
}

#[test]
fn an_answer_to_a_request_that_was_not_made_ends_the_instance() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    device.borrow_mut().script = [Serve::Twice].into();
    viommu.probe_device(&[E]).unwrap();
    assert_eq!(viommu.probe_device(&[E]).unwrap_err().cause, RefusalCause::Dead);
    assert_eq!(viommu.death(), Some(Death::UnaskedAnswer));
}

#[test]
fn a_used_ring_that_names_another_chain_ends_the_instance() {
    for id in [2, 99, 256, 0xffff, 0x1_0000] {
        let device = RefCell::new(Device::new(&[8]));
        let mut viommu = start(&device).unwrap();
        device.borrow_mut().script = [Serve::WrongChain(id)].into();
        let refusal = viommu.probe_device(&[E]).unwrap_err();
        assert_eq!(refusal.cause, RefusalCause::Dead);
        assert_eq!(viommu.death(), Some(Death::WrongChain { found: id }));
    }
}

#[test]
fn a_device_that_scribbles_over_the_rings_harms_only_itself() {
    for byte in [0, 1, 0x7f, 0xff] {
        let device = RefCell::new(Device::new(&[8]));
        let mut viommu = start(&device).unwrap();
        device.borrow_mut().script = [Serve::Scribble(byte); 3].into();
        for _ in 0..4 {
            viommu.probe_device(&[E]).unwrap();
        }
    }
}

#[test]
fn answers_that_can_never_be_read_end_the_instance_at_once() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    let one = viommu.alloc_domain(DomainKind::Paging).unwrap();
    let two = viommu.alloc_domain(DomainKind::Paging).unwrap();
    viommu.attach(one, E).unwrap();
    device.borrow_mut().script = [Serve::Done(0); 3].into();
    assert_eq!(viommu.attach(two, E).unwrap_err().cause, RefusalCause::Dead);
    assert_eq!(viommu.death(), Some(Death::OutOfStep));
    assert_eq!(device.borrow().kinds(), [1, 1, 2, 2], "nothing is sent to put the endpoint back");
    assert_eq!(viommu.attach(one, E).unwrap_err().cause, RefusalCause::Dead);
}

#[test]
fn the_bytes_of_requests_are_those_of_the_standard() {
    let device = RefCell::new(Device::new(&[0x208]));
    let mut viommu = start(&device).unwrap();
    let endpoint = EndpointId(0x208);
    let identity = viommu.alloc_domain(DomainKind::Identity).unwrap();
    let paging = viommu.alloc_domain(DomainKind::Paging).unwrap();
    let iova = addr::Range::new(addr::Iova(0x1000), addr::Iova(0x2fff)).unwrap();
    viommu.probe_device(&[endpoint]).unwrap();
    viommu.attach(identity, endpoint).unwrap();
    viommu.attach(paging, endpoint).unwrap();
    let prot = probe::Prot { read: true, write: false, mmio: true };
    viommu.map(paging, iova, addr::PhysAddr(0x4000_0000), prot).unwrap();
    viommu.unmap(paging, iova).unwrap();
    viommu.detach(paging, endpoint).unwrap();
    let log = &device.borrow().log;
    let words = |index: usize| {
        let request: &std::vec::Vec<u8> = &log[index];
        request
            .chunks(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
            .collect::<std::vec::Vec<_>>()
    };
    assert_eq!((words(0)[..2].to_vec(), log[0].len()), ([5, 0x208].to_vec(), 72));
    assert_eq!(words(1), [1, 0, 0x208, 1, 0]);
    assert_eq!(words(2), [1, 1, 0x208, 0, 0]);
    assert_eq!(words(3), [3, 1, 0x1000, 0, 0x2fff, 0, 0x4000_0000, 0, 5]);
    assert_eq!(words(4), [4, 1, 0x1000, 0, 0x2fff, 0, 0]);
    assert_eq!(words(5), [2, 1, 0x208, 0, 0]);
}
