//! The event queue: what is reported, what is ignored, and what a hostile device may do to it.

use core::cell::RefCell;
use std::string::ToString;
use std::vec::Vec;

use addr::{EndpointId, Iova};
use probe::IommuOps;

use crate::model::{Device, start};
use crate::{EVENT_BUFFERS, Fault, FaultAccess, FaultReason, Faults, QUEUE_SIZE};

fn record(reason: u8, flags: u32, endpoint: u32, address: u64) -> Vec<u8> {
    let mut bytes = [[reason, 0, 0, 0], flags.to_le_bytes(), endpoint.to_le_bytes(), [0; 4]].concat();
    bytes.extend(address.to_le_bytes());
    bytes
}

fn fault(reason: FaultReason, endpoint: u32, address: Option<u64>) -> Fault {
    let access = FaultAccess::default();
    Fault { reason, access, endpoint: EndpointId(endpoint), address: address.map(Iova), count: 1 }
}

#[test]
fn records_are_decoded() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    assert!(viommu.poll_faults().is_empty());
    device.borrow_mut().report(&record(2, 0x100, 8, 0x1234));
    device.borrow_mut().report(&record(1, 0x107, 9, 0x5000));
    device.borrow_mut().report(&record(0, 2, 9, 0x5000));
    let faults = viommu.poll_faults().faults;
    let all = FaultAccess { read: true, write: true, execute: true };
    let write = FaultAccess { write: true, ..FaultAccess::default() };
    assert_eq!(
        faults,
        [
            fault(FaultReason::Mapping, 8, Some(0x1234)),
            Fault { access: all, ..fault(FaultReason::Domain, 9, Some(0x5000)) },
            Fault { access: write, ..fault(FaultReason::Unknown, 9, None) },
        ]
    );
    let lines: Vec<_> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(
        lines,
        [
            "page fault from EP 8 at 0x1234 []",
            "domain fault from EP 9 at 0x5000 [RWX]",
            "unknown fault from EP 9 [W]"
        ]
    );
    assert!(viommu.poll_faults().is_empty());
}

#[test]
fn unknown_reasons_and_flags_are_ignored_as_are_records_with_reserved_bytes() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    device.borrow_mut().report(&record(77, 0xffff_f800, 8, 0));
    for byte in 1..4 {
        let mut reserved = record(2, 0x100, 8, 0x1000);
        reserved[byte] = 1;
        device.borrow_mut().report(&reserved);
    }
    let mut second_reserved = record(2, 0, 9, 0);
    second_reserved[12..16].fill(0xff);
    device.borrow_mut().report(&second_reserved);
    let expected = [fault(FaultReason::Unknown, 8, None), fault(FaultReason::Mapping, 9, None)];
    assert_eq!(viommu.poll_faults().faults, expected);
    assert_eq!(viommu.counters().events_ignored, 3);
}

#[test]
fn one_transfer_that_faults_at_every_four_bytes_is_one_fault_with_its_count() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    for offset in (0..63).rev() {
        device.borrow_mut().report(&record(2, 0x100, 8, 0x1f80 + 4 * offset));
    }
    let faults = viommu.poll_faults();
    assert!(!faults.overflow, "one buffer was left");
    let counts: Vec<_> = faults.faults.iter().map(|fault| (fault.address.unwrap().0, fault.count)).collect();
    assert_eq!(counts, [(0x2000, 31), (0x1f80, 32)], "two granules");
    assert_eq!((faults.count(), viommu.counters().faults), (63, 63));
}

#[test]
fn faults_of_different_kinds_are_counted_on_their_own() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    for round in 0..5 {
        device.borrow_mut().report(&record(2, 0x101, 8, 0x1000 + round));
        device.borrow_mut().report(&record(2, 0x102, 8, 0x1000));
        device.borrow_mut().report(&record(2, 0x101, 9, 0x1000));
        device.borrow_mut().report(&record(1, 0x101, 8, 0x1000));
        device.borrow_mut().report(&record(2, 0x101, 8, 0x9000));
        device.borrow_mut().report(&record(2, 1, 8, 0));
    }
    let faults = viommu.poll_faults();
    assert_eq!(faults.faults.iter().map(|fault| fault.count).collect::<Vec<_>>(), [5; 6]);
}

#[test]
fn a_device_that_runs_out_of_buffers_is_noticed_and_nothing_else_is_lost() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    for round in 0..5 {
        let taken = (0..200).filter(|_| device.borrow_mut().report(&record(2, 0x100, 8, 0))).count();
        assert_eq!(taken, EVENT_BUFFERS, "round {round}: every buffer came back");
        let faults = viommu.poll_faults();
        assert_eq!((faults.count(), faults.overflow), (EVENT_BUFFERS as u64, true));
        device.borrow_mut().report(&record(2, 0x100, 8, 0));
        let faults = viommu.poll_faults();
        assert_eq!((faults.count(), faults.overflow), (1, false));
        assert_eq!(viommu.poll_faults(), Faults::default());
    }
    assert_eq!(viommu.counters().overflows, 5);
    viommu.probe_device(&[EndpointId(8)]).unwrap();
}

#[test]
fn a_machine_that_expects_faults_has_buffers_for_more() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    viommu.expect_faults();
    for count in [QUEUE_SIZE - 1, QUEUE_SIZE, 3] {
        let taken = (0..count).filter(|_| device.borrow_mut().report(&record(2, 0x100, 8, 0))).count();
        assert_eq!(taken, count);
        let faults = viommu.poll_faults();
        assert_eq!((faults.count(), faults.overflow), (count as u64, count == QUEUE_SIZE));
    }
}

#[test]
fn a_device_that_raises_faults_without_end_cannot_keep_a_poll_busy() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    device.borrow_mut().faults_without_end = Some(record(2, 0x100, 8, 0x1000));
    device.borrow_mut().notified(1);
    for _ in 0..10 {
        let faults = viommu.poll_faults();
        assert_eq!((faults.count(), faults.overflow), (EVENT_BUFFERS as u64, true));
    }
    assert_eq!(viommu.counters().faults, 10 * EVENT_BUFFERS as u64);
}

#[test]
fn a_record_of_the_wrong_length_is_ignored() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    for length in [0, 1, 23, 25, 4096] {
        let mut long = record(2, 0x100, 8, 0);
        long.resize(length, 0);
        device.borrow_mut().report(&long);
    }
    device.borrow_mut().report(&record(2, 0x100, 8, 0));
    assert_eq!(viommu.poll_faults().faults.len(), 1);
    assert_eq!(viommu.counters().events_ignored, 5);
}

#[test]
fn a_hostile_used_id_ends_the_reports_with_a_remark_and_requests_go_on() {
    for id in [256, 999, 0xffff, 0xffff_ffff] {
        let device = RefCell::new(Device::new(&[8]));
        let mut viommu = start(&device).unwrap();
        device.borrow_mut().report(&record(2, 0x100, 8, 0));
        device.borrow_mut().queues[1].as_mut().unwrap().give_back(id, 4096);
        assert_eq!(viommu.poll_faults().faults.len(), 1);
        assert!(viommu.remarks()[0].contains("contains chain"), "{:?}", viommu.remarks());
        assert!(viommu.poll_faults().is_empty() && viommu.remarks().len() == 1);
        viommu.probe_device(&[EndpointId(8)]).unwrap();
    }
}

#[test]
fn a_used_index_that_runs_ahead_gives_no_faults_that_were_not_reported() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    for _ in 0..EVENT_BUFFERS {
        device.borrow_mut().report(&record(2, 0x100, 8, 0x3000));
    }
    viommu.poll_faults();
    device.borrow_mut().queues[1].as_mut().unwrap().move_used(40_000);
    assert!(viommu.poll_faults().is_empty());
    viommu.probe_device(&[EndpointId(8)]).unwrap();
}
