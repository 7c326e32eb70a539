//! Property lists: QEMU's, and all corruptions of it.

use core::cell::RefCell;
use std::vec::Vec;

use addr::{EndpointId, Iova, Range};
use probe::{IommuOps, ReservedKind, ReservedRegion};

use crate::model::{Device, PROBE_SIZE, start};
use crate::property::parse;

pub(super) fn property(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(body.len() as u16).to_le_bytes(), body].concat()
}

pub(super) fn resv_mem(subtype: u8, start: u64, end: u64) -> Vec<u8> {
    property(1, &[&[subtype, 0, 0, 0][..], &start.to_le_bytes(), &end.to_le_bytes()].concat())
}

fn region(kind: ReservedKind, start: u64, end: u64) -> ReservedRegion {
    ReservedRegion { range: Range::new(Iova(start), Iova(end)).unwrap(), kind }
}

/// What QEMU 7.2 answers on `virt` with GICv2m: the doorbell, then zeros.
fn qemus() -> Vec<u8> {
    let mut list = resv_mem(1, 0x0802_0000, 0x0802_0fff);
    list.resize(PROBE_SIZE, 0);
    list
}

#[test]
fn qemus_list_is_the_msi_doorbell() {
    let properties = parse(&qemus());
    assert_eq!(properties.reserved, [region(ReservedKind::Msi, 0x0802_0000, 0x0802_0fff)]);
    assert!(properties.remarks.is_empty());
}

#[test]
fn every_prefix_of_qemus_list_is_read_without_a_wrong_region() {
    for length in 0..=PROBE_SIZE {
        let properties = parse(&qemus()[..length]);
        assert_eq!(properties.reserved.len(), usize::from(length >= 24), "{length} bytes");
        let cut = (1..24).contains(&length) || (25..28).contains(&length);
        assert_eq!(properties.remarks.len(), usize::from(cut), "{length} bytes");
    }
}

#[test]
fn every_changed_byte_of_qemus_list_gives_a_region_or_a_remark() {
    for place in 0..PROBE_SIZE {
        // Miri is too slow for all values.
        for value in (0..=255).step_by(if cfg!(miri) { 51 } else { 1 }) {
            let mut list = qemus();
            if list[place] == value {
                continue;
            }
            list[place] = value;
            let properties = parse(&list);
            let same = properties.reserved == [region(ReservedKind::Msi, 0x0802_0000, 0x0802_0fff)];
            // Only these may change nothing: the reserved bytes, the end mark's length and all that
            // follows it, and a longer body, which a later standard may define.
            let length = usize::from(u16::from_le_bytes([list[2], list[3]]));
            let longer = place < 4 && (21..=PROBE_SIZE - 4).contains(&length);
            let free = (5..8).contains(&place) || place >= 26 || longer;
            assert!(
                !same || free || !properties.remarks.is_empty(),
                "byte {place} = {value}: {properties:?}"
            );
            assert!(!free || same, "byte {place} = {value}: {properties:?}");
        }
    }
}

#[test]
fn an_unknown_property_is_skipped_and_an_unknown_subtype_is_reserved() {
    let list = [property(0x123, &[0xff; 7]), property(2, &[]), resv_mem(9, 0x1000, 0x1fff)].concat();
    let properties = parse(&list);
    assert_eq!(properties.reserved, [region(ReservedKind::Reserved, 0x1000, 0x1fff)]);
    assert_eq!(properties.remarks.len(), 3);
    assert!(properties.remarks[1].contains("offset 11"), "{:?}", properties.remarks);
}

#[test]
fn a_property_with_reserved_bits_is_ignored_even_if_its_type_is_none() {
    let mut marked = resv_mem(0, 0, 0xfff);
    marked[1] |= 0x10;
    let list = [marked, property(0x8000, &[]), resv_mem(0, 0x2000, 0x2fff)].concat();
    let properties = parse(&list);
    assert_eq!(properties.reserved, [region(ReservedKind::Reserved, 0x2000, 0x2fff)]);
    assert_eq!(properties.remarks.len(), 2);
    assert!(properties.remarks.iter().all(|remark| remark.contains("reserved bits")));
}

#[test]
fn a_malformed_property_is_a_remark_that_names_its_offset() {
    let backwards = resv_mem(0, 0x1000, 0xfff);
    let short = property(1, &[0; 19]);
    let mut beyond = property(1, &[]);
    beyond[2..4].copy_from_slice(&100u16.to_le_bytes());
    for (bad, text) in
        [(backwards, "before its start"), (short, "19 bytes long, expected 20"), (beyond, "100 bytes long")]
    {
        let properties = parse(&[resv_mem(0, 0, 0xfff), bad].concat());
        assert_eq!(properties.reserved.len(), 1);
        let [remark] = &properties.remarks[..] else { panic!("{properties:?}") };
        assert!(remark.contains("offset 24") && remark.contains(text), "{remark}");
    }
}

#[test]
fn all_endpoints_of_a_device_are_probed_and_a_region_is_listed_once() {
    let mut device = Device::new(&[1, 2, 3]);
    let msi = resv_mem(1, 0x0802_0000, 0x0802_0fff);
    device.properties.insert(1, msi.clone());
    device.properties.insert(2, [resv_mem(0, 0, 0xfff), msi].concat());
    let device = RefCell::new(device);
    let mut viommu = start(&device).unwrap();
    let accepted = viommu.probe_device(&[EndpointId(1), EndpointId(7), EndpointId(2)]).unwrap();
    assert_eq!(accepted.endpoints, [EndpointId(1), EndpointId(2)]);
    assert_eq!(
        accepted.reserved,
        [region(ReservedKind::Msi, 0x0802_0000, 0x0802_0fff), region(ReservedKind::Reserved, 0, 0xfff),]
    );
    assert_eq!(accepted.refused.len(), 1);
    assert_eq!(accepted.refused[0].detail, "PROBE of endpoint 0x7: NOENT");
}

#[test]
fn without_an_msi_region_there_is_the_software_one() {
    let mut device = Device::new(&[1]);
    device.properties.insert(1, resv_mem(0, 0, 0xfff));
    let device = RefCell::new(device);
    let accepted = start(&device).unwrap().probe_device(&[EndpointId(1)]).unwrap();
    assert_eq!(
        accepted.reserved,
        [region(ReservedKind::Reserved, 0, 0xfff), region(ReservedKind::Msi, 0x0800_0000, 0x080f_ffff),]
    );
}

#[test]
fn without_the_probe_feature_an_endpoint_is_refused_only_when_it_is_attached() {
    let device = RefCell::new(Device::new(&[]));
    device.borrow_mut().offered &= !(1 << 4);
    let mut viommu = start(&device).unwrap();
    let accepted = viommu.probe_device(&[EndpointId(1)]).unwrap();
    assert_eq!((accepted.endpoints.len(), accepted.reserved.len()), (1, 1));
    assert!(device.borrow().log.is_empty());
    let domain = viommu.alloc_domain(probe::DomainKind::Paging).unwrap();
    let refusal = viommu.attach(domain, EndpointId(1)).unwrap_err();
    assert_eq!(refusal.cause, probe::RefusalCause::NoEntry);
}

#[test]
fn a_device_that_is_refused_everywhere_is_refused_with_its_first_refusal() {
    let device = RefCell::new(Device::new(&[]));
    let mut viommu = start(&device).unwrap();
    let refusal = viommu.probe_device(&[EndpointId(5), EndpointId(6)]).unwrap_err();
    assert_eq!(refusal.endpoint, Some(EndpointId(5)));
    assert_eq!(viommu.probe_device(&[]).unwrap_err().cause, probe::RefusalCause::Invalid);
}
