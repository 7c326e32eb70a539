//! Starting and stopping.

use core::cell::RefCell;
use std::string::ToString;
use std::vec::Vec;

use addr::{Iova, Range};
use probe::RefusalCause;
use virtio_drivers::transport::DeviceType;

use crate::model::{
    Device, FakeClock, FakeTransport, TestViommu, fail_allocations, live_pages, reclaim, start,
};
use crate::{Features, StartError};

/// Starts a device that `change` has modified; expects an error, FAILED and a reset, and all memory
/// freed.
fn refusal(change: impl FnOnce(&mut Device)) -> StartError {
    let before = live_pages();
    let device = RefCell::new(Device::new(&[8]));
    change(&mut device.borrow_mut());
    let error = start(&device).err().expect("the device is refused");
    let device = device.into_inner();
    assert!(device.status_writes.iter().any(|status| status & 0x80 != 0), "FAILED was set: {error}");
    assert_eq!(device.status, 0, "and the device was reset: {error}");
    assert_eq!(live_pages(), before, "no memory is lost: {error}");
    assert_eq!(device.status_writes[0], 0, "the first thing is a reset");
    error
}

#[test]
fn a_device_like_qemus_is_started_with_all_its_features() {
    let before = live_pages();
    let device = RefCell::new(Device::new(&[8]));
    let viommu = start(&device).unwrap();
    assert_eq!(viommu.features(), Features::ACCEPTED - Features::ACCESS_PLATFORM);
    let config = viommu.config();
    assert_eq!(config.page_size_mask, 0xffff_ffff_ffff_f000);
    assert_eq!((config.granule(), config.input_bits()), (0x1000, 64));
    assert_eq!(config.input_range, Range::new(Iova(0), Iova(u64::MAX)).unwrap());
    assert_eq!((config.domain_range, config.probe_size, config.bypass), ((0, u32::MAX), 512, Some(true)));
    assert!(viommu.remarks().is_empty() && !viommu.is_dead());
    assert_eq!(device.borrow().accepted, 0x1_0000_0077, "no ring feature is accepted");
    assert_eq!(device.borrow().status_writes, [0, 1, 3, 11, 15]);
    drop(viommu);
    assert_eq!(device.borrow().status, 0);
    assert_eq!(live_pages(), before);
}

#[test]
fn access_platform_is_accepted_where_it_is_offered() {
    let device = RefCell::new(Device::new(&[8]));
    device.borrow_mut().offered |= 1 << 33;
    assert!(start(&device).unwrap().features().contains(Features::ACCESS_PLATFORM));
}

#[test]
fn a_declined_feature_is_as_if_it_were_not_offered() {
    let device = RefCell::new(Device::new(&[8]));
    let declined = Features::BYPASS_CONFIG | Features::PROBE;
    let (transport, clock) = (FakeTransport::new(&device), FakeClock::new(&device));
    let viommu = TestViommu::start_without(transport, clock, declined).unwrap();
    assert_eq!(viommu.features(), Features::ACCEPTED - Features::ACCESS_PLATFORM - declined);
    assert_eq!((viommu.bypass(), viommu.config().probe_size), (None, 0));
    assert_eq!(device.borrow().accepted, 0x1_0000_0027);
}

#[test]
fn without_their_features_the_fields_have_the_standards_defaults() {
    let device = RefCell::new(Device::new(&[8]));
    device.borrow_mut().offered = 1 << 32 | 1 << 2;
    device.borrow_mut().config[8..].fill(0x55);
    let viommu = start(&device).unwrap();
    let config = viommu.config();
    assert_eq!(config.input_range, Range::new(Iova(0), Iova(u64::MAX)).unwrap());
    assert_eq!((config.domain_range, config.probe_size, config.bypass), ((0, u32::MAX), 0, None));
}

#[test]
fn another_kind_of_device_and_a_legacy_transport_are_not_touched() {
    let device = RefCell::new(Device::new(&[]));
    device.borrow_mut().device_type = DeviceType::Block;
    assert_eq!(start(&device).err(), Some(StartError::NotAnIommu { found: DeviceType::Block }));
    let mut legacy = Device::new(&[]);
    legacy.legacy_layout = true;
    let legacy = RefCell::new(legacy);
    let error = start(&legacy).err().unwrap();
    assert_eq!(error, StartError::LegacyTransport);
    assert!(error.to_string().contains("legacy device"));
    assert!(device.borrow().status_writes.is_empty() && legacy.borrow().status_writes.is_empty());
}

#[test]
fn a_device_without_version_1_or_map_unmap_is_refused() {
    let error = refusal(|device| device.offered &= !(1 << 32));
    assert!(matches!(error, StartError::NoVersion1 { .. }) && error.to_string().contains("legacy device"));
    assert!(matches!(refusal(|device| device.offered &= !(1 << 2)), StartError::NoMapUnmap { .. }));
}

#[test]
fn a_device_that_takes_features_ok_back_is_refused() {
    let error = refusal(|device| device.refuses_features = true);
    assert_eq!(error, StartError::FeaturesRefused { offered: 0x101_3000_0077, asked: 0x1_0000_0077 });
}

#[test]
fn values_that_the_standard_rules_out_are_refused_by_name() {
    assert_eq!(refusal(|device| device.set_u64(0, 0)), StartError::PageSizeMask);
    assert_eq!(
        refusal(|device| {
            device.set_u64(8, 9);
            device.set_u64(16, 8);
        }),
        StartError::InputRange { start: 9, end: 8 }
    );
    assert_eq!(
        refusal(|device| {
            device.set_u32(24, 7);
            device.set_u32(28, 6);
        }),
        StartError::DomainRange { start: 7, end: 6 }
    );
    assert_eq!(refusal(|device| device.set_u32(32, 0x1_0001)), StartError::ProbeSize(0x1_0001));
    let error = refusal(|device| device.config.truncate(36));
    assert_eq!(
        error,
        StartError::ConfigRead { offset: 36, error: virtio_drivers::Error::ConfigSpaceTooSmall }
    );
}

#[test]
fn a_configuration_that_changes_is_read_again_but_not_for_ever() {
    let device = RefCell::new(Device::new(&[8]));
    device.borrow_mut().config_changes = 6;
    assert!(start(&device).is_ok());
    assert_eq!(refusal(|device| device.config_changes = u32::MAX), StartError::ConfigUnstable { reads: 16 });
}

#[test]
fn a_queue_that_is_missing_or_too_short_is_refused() {
    let needed = 256;
    for queue in [0, 1] {
        for available in [0, needed - 1] {
            let error = refusal(|device| device.queue_sizes[usize::from(queue)] = available);
            assert_eq!(
                error,
                StartError::Queue { queue, available, needed, error: virtio_drivers::Error::InvalidParam }
            );
        }
    }
}

#[test]
fn a_device_that_gives_up_at_driver_ok_is_refused() {
    let error = refusal(|device| device.gives_up_at_start = true);
    assert_eq!(error, StartError::NotStarted { status: 0x4f });
}

#[test]
fn lack_of_memory_is_an_error_and_not_a_panic() {
    fail_allocations(true);
    let error = refusal(|_| ());
    fail_allocations(false);
    assert!(matches!(error, StartError::OutOfMemory { .. }));
}

#[test]
fn a_slow_reset_is_waited_for_and_one_that_never_ends_is_refused() {
    let device = RefCell::new(Device::new(&[8]));
    device.borrow_mut().status = 0xf;
    device.borrow_mut().reset_polls = 100;
    let viommu = start(&device).unwrap();
    device.borrow_mut().reset_polls = 0;
    drop(viommu);

    device.borrow_mut().status = 0xf;
    device.borrow_mut().resets_left = Some(0);
    assert_eq!(start(&device).err(), Some(StartError::ResetTimeout { status: 0xf }));
}

#[test]
fn memory_of_a_device_that_does_not_confirm_its_last_reset_is_leaked() {
    let device = RefCell::new(Device::new(&[8]));
    device.borrow_mut().resets_left = Some(1);
    let before = live_pages();
    let viommu = start(&device).unwrap();
    let held = live_pages();
    assert!(held > before);
    drop(viommu);
    assert_eq!(live_pages(), held, "nothing was freed");
    assert!(device.borrow_mut().report(&[0; 24]), "the device still writes, and it is its memory");
    reclaim();
}

#[test]
fn bypass_can_be_read_and_changed_and_a_change_that_does_not_stick_is_refused() {
    let device = RefCell::new(Device::new(&[8]));
    let mut viommu = start(&device).unwrap();
    viommu.set_bypass(false).unwrap();
    assert_eq!((viommu.bypass(), device.borrow().config[36]), (Some(false), 0));
    device.borrow_mut().bypass_writable = false;
    assert_eq!(viommu.set_bypass(true).unwrap_err().cause, RefusalCause::Io);
    drop(viommu);
    device.borrow_mut().offered &= !(1 << 6);
    let mut viommu = start(&device).unwrap();
    assert_eq!(viommu.bypass(), None);
    assert_eq!(viommu.set_bypass(true).unwrap_err().cause, RefusalCause::Unsupported);
}

#[test]
fn deviations_at_start_are_remarks() {
    let device = RefCell::new(Device::new(&[8]));
    device.borrow_mut().offered |= 1 << 3;
    let viommu = start(&device).unwrap();
    let remarks: Vec<_> = viommu.remarks().to_vec();
    assert!(remarks.len() == 1 && remarks[0].contains("BYPASS"), "{remarks:?}");
}
