//! A device that is removed, or whose registers are switched off, at any moment.

use core::cell::RefCell;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::model::{Device, live_pages, reclaim, start};
use addr::{EndpointId, Iova, PhysAddr, Range};
use probe::{DomainKind, IommuOps, Prot};

const READ_WRITE: Prot = Prot { read: true, write: true, mmio: false };

/// Accesses to registers of a start and the few requests below, and some more.
const ACCESSES: u32 = 200;

/// Drives a device that is gone after `accesses`; returns the text of every error.
fn drive(accesses: u32, byte: u8) -> Vec<String> {
    let device = RefCell::new(Device::new(&[8]));
    device.borrow_mut().accesses_left = Some(accesses);
    device.borrow_mut().gone_byte = byte;
    let mut errors = Vec::new();
    let mut note = |result: Result<(), String>| errors.extend(result.err());
    match start(&device) {
        Err(error) => note(Err(error.to_string())),
        Ok(mut viommu) => {
            let endpoint = EndpointId(8);
            note(viommu.probe_device(&[endpoint]).map(|_| ()).map_err(|refusal| refusal.detail));
            match viommu.alloc_domain(DomainKind::Paging) {
                Err(refusal) => note(Err(refusal.detail)),
                Ok(domain) => {
                    note(viommu.attach(domain, endpoint).map_err(|refusal| refusal.detail));
                    let page = Range::from_size(Iova(0x1000), 0x1000).unwrap();
                    let mapped = viommu.map(domain, page, PhysAddr(0x4000_0000), READ_WRITE);
                    note(mapped.map_err(|refusal| refusal.detail));
                    note(viommu.detach(domain, endpoint).map_err(|refusal| refusal.detail));
                }
            }
            viommu.poll_faults();
            let _ = viommu.bypass();
        }
    }
    errors
}

#[test]
fn registers_that_turn_to_ones_or_zeroes_at_any_moment_end_in_an_error() {
    for byte in [0xff, 0x00] {
        let before = live_pages();
        let (mut refused, mut unharmed) = (0, 0);
        for accesses in 1..ACCESSES {
            let errors = drive(accesses, byte);
            assert!(errors.iter().all(|error| !error.is_empty()));
            if errors.is_empty() {
                unharmed += 1
            } else {
                refused += 1
            }
            // Memory that a device without a confirmed reset could still write to is never reused.
            reclaim();
        }
        assert_eq!(live_pages(), before);
        assert!(refused > 30 && unharmed > 30, "{byte:#x}: {refused} refused, {unharmed} unharmed");
    }
}

#[test]
fn a_device_that_is_gone_from_the_start_fails_without_waiting() {
    let errors = drive(1, 0xff);
    assert!(errors[0].contains("the device does not respond"), "{errors:?}");
}
