//! The raw device: any bytes, any descriptors, and the same care for memory as in the driver.

use core::cell::RefCell;
use std::vec;
use std::vec::Vec;

use crate::model::{Device, FakeClock, FakeTransport, QEMU_FEATURES, Serve, TestRaw, live_pages, reclaim};
use crate::{Death, EVENT_BUFFERS, RawDevice, StartError};

const PROBE: [u8; 72] = {
    let mut bytes = [0; 72];
    bytes[0] = 5;
    bytes[4] = 8;
    bytes
};

fn start<'a>(device: &'a RefCell<Device>, features: u64) -> TestRaw<'a> {
    let clock = FakeClock::new(device);
    RawDevice::start(FakeTransport::new(device), clock, features).unwrap()
}

#[test]
fn it_sends_the_bytes_it_is_given_and_returns_length_and_bytes_unchecked() {
    let device = RefCell::new(Device::new(&[8]));
    let mut raw = start(&device, 0x1_0000_0077);
    assert_eq!((raw.offered(), raw.accepted()), (QEMU_FEATURES, 0x1_0000_0077));
    let (used, answer) = raw.exchange(&PROBE, 516).unwrap();
    assert_eq!((used, answer.len(), answer[512]), (516, 516, 0));
    device.borrow_mut().script = [Serve::Done(3), Serve::Done(9999), Serve::Status(77)].into();
    assert_eq!(raw.exchange(&PROBE, 516).unwrap(), (3, [vec![0; 3], vec![0xff; 513]].concat()));
    assert_eq!(raw.exchange(&PROBE, 516).unwrap().0, 9999);
    assert_eq!(raw.exchange(&PROBE, 516).unwrap().1[512], 77);
    assert_eq!(device.borrow().log, vec![PROBE.to_vec(); 4]);
}

#[test]
fn every_descriptor_is_the_callers_choice() {
    let device = RefCell::new(Device::new(&[8]));
    let mut raw = start(&device, 0x1_0000_0077);
    let (first, second) = PROBE.split_at(5);
    let (used, answers) = raw.exchange_split(&[first, second], &[510, 2, 4]).unwrap();
    assert_eq!(used, 516);
    assert_eq!(answers, [vec![0; 510], vec![0; 2], vec![0; 4]]);
    assert_eq!(device.borrow().log, [PROBE]);
}

#[test]
fn it_accepts_the_features_it_is_told_and_a_refusal_gives_the_transport_back() {
    let device = RefCell::new(Device::new(&[8]));
    device.borrow_mut().refuses_features = true;
    let clock = FakeClock::new(&device);
    let refused = RawDevice::<crate::model::FakeHal, _, _>::start(FakeTransport::new(&device), clock, 5);
    let refused = refused.err().unwrap();
    assert_eq!(refused.error, StartError::FeaturesRefused { offered: QEMU_FEATURES, asked: 5 });
    assert_eq!(device.borrow().accepted, 0, "and the device was reset");
    device.borrow_mut().refuses_features = false;
    let clock = FakeClock::new(&device);
    let raw = TestRaw::start(refused.transport.unwrap(), clock, 1 << 32).unwrap();
    assert_eq!(device.borrow().accepted, 1 << 32);
    core::mem::forget(raw.reset().unwrap());
}

#[test]
fn a_reset_makes_a_device_that_was_given_up_usable_again() {
    let before = live_pages();
    let device = RefCell::new(Device::new(&[8]));
    let mut raw = start(&device, 0x1_0000_0077);
    device.borrow_mut().script = [Serve::Never].into();
    assert_eq!(raw.exchange(&PROBE, 516), Err(Death::Silent { status: 0xf }));
    assert_eq!(raw.exchange(&PROBE, 516), Err(Death::Silent { status: 0xf }), "without a second wait");
    let transport = raw.reset().unwrap();
    assert_eq!(live_pages(), before);
    let mut raw = TestRaw::start(transport, FakeClock::new(&device), 1 << 32).unwrap();
    device.borrow_mut().script = [Serve::NotDone(0)].into();
    assert_eq!(raw.exchange(&PROBE, 4), Ok((0, vec![0xff; 4])));
}

#[test]
fn a_device_that_asks_for_a_reset_is_not_waited_for() {
    let device = RefCell::new(Device::new(&[8]));
    let mut raw = start(&device, 0x1_0000_0077);
    device.borrow_mut().script = [Serve::NeedsReset].into();
    assert_eq!(raw.exchange(&PROBE, 516), Err(Death::Silent { status: 0x4f }));
    assert_eq!(device.borrow().ticks, 0, "no time has passed");
}

#[test]
fn memory_of_a_device_that_does_not_confirm_its_reset_is_leaked_with_the_transport() {
    let device = RefCell::new(Device::new(&[8]));
    let raw = start(&device, 0x1_0000_0077);
    let held = live_pages();
    device.borrow_mut().resets_left = Some(0);
    assert_eq!(raw.reset().err(), Some(StartError::ResetTimeout { status: 0xf }));
    assert_eq!(live_pages(), held);
    reclaim();
}

#[test]
fn events_come_with_their_length_and_their_buffers_go_back() {
    let device = RefCell::new(Device::new(&[8]));
    let mut raw = start(&device, 0x1_0000_0077);
    assert_eq!(raw.next_event(), Ok(None));
    for round in 0..3 * EVENT_BUFFERS {
        assert!(device.borrow_mut().report(&[round as u8; 24]));
        let event = raw.next_event().unwrap().unwrap();
        assert_eq!((event.used, event.bytes), (24, [round as u8; 24]));
    }
    device.borrow_mut().report(&[1; 2]);
    let short = raw.next_event().unwrap().unwrap();
    assert_eq!((short.used, short.bytes[..3].to_vec()), (2, vec![1, 1, 0xff]));
}

#[test]
fn the_configuration_is_read_and_written_as_it_is() {
    let device = RefCell::new(Device::new(&[8]));
    let mut raw = start(&device, 0x1_0000_0077);
    assert_eq!(raw.config::<u32>(32), Ok(512));
    raw.write_bypass(0).unwrap();
    assert_eq!((raw.config::<u8>(36), device.borrow().config[36]), (Ok(0), 0));
    assert_eq!(raw.config::<u32>(40), Err(virtio_drivers::Error::ConfigSpaceTooSmall));
}

#[test]
fn answers_of_a_batch_are_in_the_order_of_the_requests() {
    let device = RefCell::new(Device::new(&[8]));
    let mut raw = start(&device, 0x1_0000_0077);
    let attach = [1, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let unknown = [1, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let answers =
        raw.exchange_batch(&[(&[&attach], &[4]), (&[&unknown], &[4]), (&[&PROBE], &[512, 4])]).unwrap();
    let statuses: Vec<u8> = answers.iter().map(|(_, parts)| parts[parts.len() - 1][0]).collect();
    let used: Vec<u32> = answers.iter().map(|(used, _)| *used).collect();
    assert_eq!((statuses, used), (vec![0, 6, 0], vec![4, 4, 516]));
}
