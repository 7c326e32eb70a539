//! The raw device: requests of any bytes and any descriptors, on a device that understands none of them.

use std::string::ToString;
use std::vec::Vec;

use super::bytes::Bytes;
use super::check::{self, Summary};
use super::registers::{HostileClock, HostileHal, HostileTransport};
use super::world::{World, with};
use crate::RawDevice;
use crate::limits::QUEUE_SIZE;
use crate::model::live_pages;

type Raw = RawDevice<HostileHal, HostileTransport, HostileClock>;

/// Calls of one execution.
const MAX_CALLS: u32 = 32;

/// Starts a raw device, and sends it the requests that `script` contains.
pub(super) fn run(script: &mut Bytes) -> Summary {
    let mut summary = Summary::default();
    let pages = live_pages();
    let mut transport = Some(HostileTransport);
    while let Some(registers) = transport.take() {
        with(|world| {
            world.begin_start();
            (world.lied, world.corrupt) = (true, true);
        });
        match Raw::start(registers, HostileClock, script.u64() | 1 << 32) {
            Err(failed) => {
                assert!(!failed.error.to_string().is_empty());
                summary.refused_starts += 1;
                core::mem::forget(failed.transport);
            }
            Ok(mut device) => {
                summary.starts += 1;
                drive(&mut device, script, &mut summary);
                with(World::begin_call);
                match device.reset() {
                    Ok(registers) if !script.is_empty() && summary.calls < MAX_CALLS => {
                        transport = Some(registers);
                        assert_eq!(live_pages(), pages, "a reset frees all memory");
                    }
                    outcome => core::mem::forget(outcome),
                }
            }
        }
    }
    check::after_reset(pages, &mut summary);
    summary
}

fn drive(device: &mut Raw, script: &mut Bytes, summary: &mut Summary) {
    while !script.is_empty() && summary.calls < MAX_CALLS {
        with(World::begin_call);
        let (death, notifications) = (device.death(), with(|world| world.request_notifications));
        match script.below(8) {
            0 => return,
            1..5 => exchange(device, script, summary),
            5 => {
                for _ in 0..2 * QUEUE_SIZE {
                    match device.next_event() {
                        Ok(Some(_)) => summary.events += 1,
                        Ok(None) | Err(_) => break,
                    }
                }
            }
            6 => {
                let _ = device.config::<u32>(4 * script.below(10) as usize);
                let _ = device.status();
            }
            _ => {
                let _ = device.write_bypass(script.byte());
            }
        }
        summary.calls += 1;
        if death.is_some() {
            let now = with(|world| world.request_notifications);
            assert_eq!((device.death(), now), (death, notifications), "a dead device is left alone");
        }
        with(|world| assert!(world.waits <= check::STEPS, "{} steps of waiting", world.waits));
        summary.death = device.death();
    }
}

fn exchange(device: &mut Raw, script: &mut Bytes, summary: &mut Summary) {
    let readable: Vec<Vec<u8>> =
        (0..script.below(4)).map(|_| script.list(100)).filter(|part| !part.is_empty()).collect();
    let writable: Vec<usize> = (0..script.below(4)).map(|_| 1 + usize::from(script.byte())).collect();
    if readable.is_empty() && writable.is_empty() {
        return;
    }
    let parts: Vec<&[u8]> = readable.iter().map(Vec::as_slice).collect();
    if let Ok((_, answers)) = device.exchange_split(&parts, &writable) {
        summary.requests += 1;
        assert!(answers.iter().map(Vec::len).eq(writable), "each answer is as long as its part");
    }
}
