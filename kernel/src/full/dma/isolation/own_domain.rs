//! One device and its own mappings.

use alloc::format;

use addr::Iova;
use dma::{Direction, Invalidation};
use viommu::FaultReason;

use super::attempt::{
    Access, CaseError, ExpectedFault, check_not_leaked, check_untouched, check_written, guard,
};
use super::bench::{Bench, Seen};
use crate::dma::devices::{self, DmaDevice};
use crate::dma::engine::Engine;
use crate::dma::memory::{Buffer, Route};

/// Bytes of an access; every engine can do them.
pub(super) const BYTES: usize = 64;

/// Whether a device can show what it read.
fn reads(device: &DmaDevice) -> bool {
    matches!(device.engine, devices::Engine::Block | devices::Engine::Edu)
}

/// All cases, for each device.
pub(super) fn run(bench: &mut Bench<'_>) {
    for which in 0..bench.devices.len() {
        let (can_read, is_slow) =
            (reads(&bench.devices[which]), bench.devices[which].engine == devices::Engine::Edu);
        bench.case("mapped-write", which, |bench, device| mapped(bench, device, Access::Write));
        bench.case("unmapped-write", which, |bench, device| unmapped(bench, device, Access::Write));
        if is_slow {
            // 100 ms for each copy: what it adds to the others is above.
            continue;
        }
        bench.case("read-only-write", which, |bench, device| wrong_direction(bench, device, Access::Write));
        bench.case("never-mapped-write", which, |bench, device| never_mapped(bench, device, Access::Write));
        bench.case("physical-address-write", which, physical);
        bench.case("past-end-write", which, |bench, device| past_end(bench, device, Access::Write));
        bench.case("across-end-write", which, across_end);
        bench.case("remapped-write", which, remapped);
        for (id, address) in [("first-address-write", FIRST), ("last-addresses-write", LAST)] {
            bench.case(id, which, |bench, device| outermost(bench, device, address));
        }
        if can_read {
            bench.case("mapped-read", which, |bench, device| mapped(bench, device, Access::Read));
            bench.case("unmapped-read", which, |bench, device| unmapped(bench, device, Access::Read));
            bench
                .case("write-only-read", which, |bench, device| wrong_direction(bench, device, Access::Read));
            bench.case("never-mapped-read", which, |bench, device| never_mapped(bench, device, Access::Read));
            bench.case("past-end-read", which, |bench, device| past_end(bench, device, Access::Read));
        }
        if is_batched(&bench.devices[which]) {
            bench.case("batched-before-flush", which, before_flush);
        }
    }
}

fn is_batched(device: &DmaDevice) -> bool {
    match &device.memory.route {
        Route::Translated(space) => space.borrow().invalidation() == Invalidation::Batched,
        Route::Direct => false,
    }
}

/// An access that is allowed gets through, by an address that is not the physical one, and raises no fault.
fn mapped(bench: &mut Bench<'_>, device: &DmaDevice, access: Access) -> Seen {
    let mut engine = bench.engine(device)?;
    let buffer = device.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let address = buffer.address();
    let outcome = reaches(bench, &mut *engine, &buffer, access);
    let phys = buffer.phys().start();
    device.memory.take_back(buffer)?;
    engine.stop()?;
    outcome?;
    if address.0 == phys.0 {
        return Err(CaseError::Address(format!("the address {address} is the physical one")));
    }
    Ok(format!("{access:?} at {address} reaches RAM at {phys}"))
}

/// Checks that an access to a buffer gets through.
pub(super) fn reaches(
    bench: &Bench<'_>,
    engine: &mut dyn Engine,
    buffer: &Buffer,
    access: Access,
) -> Result<(), CaseError> {
    let (read, seen) = bench.access(engine, access, buffer.address(), BYTES)?;
    if let Some(seen) = seen.faults.first() {
        return Err(CaseError::UnexpectedFault(seen.fault));
    }
    match access {
        Access::Write => check_written(buffer.pages(), BYTES, engine.content(BYTES).as_deref()),
        Access::Read if read.iter().all(|byte| *byte == super::attempt::GUARD) => Ok(()),
        Access::Read => Err(CaseError::NotRead),
    }
}

/// An address that was never mapped.
fn never_mapped(bench: &mut Bench<'_>, device: &DmaDevice, access: Access) -> Seen {
    let mut engine = bench.engine(device)?;
    // Half of the device's space is nothing that the allocator has handed out: it prefers high addresses.
    let address = Iova(device.memory.unit() * 2);
    let (read, seen) = bench.access(&mut *engine, access, address, BYTES)?;
    engine.stop()?;
    check_not_leaked(&read)?;
    let fault = mapping_fault(device, address, access).check(&seen)?;
    Ok(format!("{access:?} at {address}: {fault}, {} accesses", seen.count()))
}

/// The physical address of memory that is mapped elsewhere.
fn physical(bench: &mut Bench<'_>, device: &DmaDevice) -> Seen {
    let mut engine = bench.engine(device)?;
    let buffer = device.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let address = Iova(buffer.phys().start().0);
    let (_, seen) = bench.access(&mut *engine, Access::Write, address, BYTES)?;
    let outcome = check_untouched(buffer.pages(), 0, BYTES);
    device.memory.take_back(buffer)?;
    engine.stop()?;
    outcome?;
    let fault = mapping_fault(device, address, Access::Write).check(&seen)?;
    Ok(format!("write at the physical address: {fault}, {} accesses", seen.count()))
}

/// An address that was mapped before.
fn unmapped(bench: &mut Bench<'_>, device: &DmaDevice, access: Access) -> Seen {
    let mut engine = bench.engine(device)?;
    let buffer = device.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let address = buffer.address();
    let pages = device.memory.unmap(buffer)?;
    device.memory.flush()?;
    let (read, seen) = bench.access(&mut *engine, access, address, BYTES)?;
    engine.stop()?;
    check_untouched(&pages, 0, BYTES)?;
    check_not_leaked(&read)?;
    let fault = mapping_fault(device, address, access).check(&seen)?;
    Ok(format!("{access:?} after unmapping: {fault}, {} accesses", seen.count()))
}

/// In a domain of type DMA-FQ, an unmapped buffer stays reachable until the queue is flushed.
fn before_flush(bench: &mut Bench<'_>, device: &DmaDevice) -> Seen {
    let mut engine = bench.engine(device)?;
    let buffer = device.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let address = buffer.address();
    // What has waited for a while would be flushed together with this buffer.
    device.memory.flush()?;
    let pages = device.memory.unmap(buffer)?;
    let (_, seen) = bench.access(&mut *engine, Access::Write, address, BYTES)?;
    let outcome = check_written(&pages, BYTES, engine.content(BYTES).as_deref());
    device.memory.flush()?;
    engine.stop()?;
    outcome?;
    match seen.faults.first() {
        Some(seen) => Err(CaseError::UnexpectedFault(seen.fault)),
        None => Ok(format!("write at {address} before the flush gets through, as DMA-FQ allows")),
    }
}

/// A mapping that allows the other direction only.
fn wrong_direction(bench: &mut Bench<'_>, device: &DmaDevice, access: Access) -> Seen {
    let mut engine = bench.engine(device)?;
    let direction = match access {
        Access::Write => Direction::ToDevice,
        Access::Read => Direction::FromDevice,
    };
    let buffer = device.memory.share(BYTES, direction)?;
    guard(buffer.pages(), BYTES);
    let address = buffer.address();
    let (read, seen) = bench.access(&mut *engine, access, address, BYTES)?;
    let outcome = check_untouched(buffer.pages(), 0, BYTES);
    device.memory.take_back(buffer)?;
    engine.stop()?;
    outcome?;
    check_not_leaked(&read)?;
    let expected = ExpectedFault { is_permission: true, ..mapping_fault(device, address, access) };
    let fault = expected.check(&seen)?;
    Ok(format!("{access:?} against the permission: {fault}, {} accesses", seen.count()))
}

/// The first byte behind a mapping, in RAM that is the device's neighbour.
fn past_end(bench: &mut Bench<'_>, device: &DmaDevice, access: Access) -> Seen {
    let mut engine = bench.engine(device)?;
    let (buffer, end) = with_more_behind(device)?;
    let address = Iova(buffer.address().0 + end as u64);
    let (read, seen) = bench.access(&mut *engine, access, address, 4)?;
    let outcome = check_untouched(buffer.pages(), end, 4);
    device.memory.take_back(buffer)?;
    engine.stop()?;
    outcome?;
    check_not_leaked(&read)?;
    let fault = ExpectedFault { bytes: 4, ..mapping_fault(device, address, access) }.check(&seen)?;
    Ok(format!("{access:?} one byte past the end: {fault}, {} accesses", seen.count()))
}

/// The ends of the address space: no buffer is ever mapped there.
const FIRST: Iova = Iova(0);
const LAST: Iova = Iova(u64::MAX - (BYTES as u64 - 1));

/// An address at an end of the address space. Some drivers take the first one for none.
fn outermost(bench: &mut Bench<'_>, device: &DmaDevice, address: Iova) -> Seen {
    let mut engine = bench.engine(device)?;
    let (_, seen) = bench.access(&mut *engine, Access::Write, address, BYTES)?;
    engine.stop()?;
    let fault = mapping_fault(device, address, Access::Write).check(&seen)?;
    Ok(format!("write at {address}: {fault}, {} accesses", seen.count()))
}

/// An address that led to another buffer before: nothing remembers the old translation.
fn remapped(bench: &mut Bench<'_>, device: &DmaDevice) -> Seen {
    let mut engine = bench.engine(device)?;
    // Then the address of the first buffer is the one that was freed last.
    device.memory.flush()?;
    let first = device.memory.share(BYTES, Direction::Both)?;
    guard(first.pages(), BYTES);
    let address = first.address();
    let before = reaches(bench, &mut *engine, &first, Access::Write);
    guard(first.pages(), BYTES);
    let old = device.memory.unmap(first)?;
    device.memory.flush()?;
    let second = device.memory.share(BYTES, Direction::Both)?;
    guard(second.pages(), BYTES);
    let same = second.address() == address;
    let outcome = reaches(bench, &mut *engine, &second, Access::Write);
    device.memory.take_back(second)?;
    engine.stop()?;
    before?;
    outcome?;
    check_untouched(&old, 0, BYTES)?;
    match same {
        true => Ok(format!("{address} led to one buffer and then to another: the second one is written")),
        false => Err(CaseError::Address(format!("{address} is not handed out again at once"))),
    }
}

/// An access that begins inside of a mapping and ends behind it.
fn across_end(bench: &mut Bench<'_>, device: &DmaDevice) -> Seen {
    let mut engine = bench.engine(device)?;
    let (buffer, end) = with_more_behind(device)?;
    let address = Iova(buffer.address().0 + end as u64);
    let (_, seen) = bench.access(&mut *engine, Access::Write, Iova(address.0 - 4), 8)?;
    let outcome = check_untouched(buffer.pages(), end, 4);
    device.memory.take_back(buffer)?;
    engine.stop()?;
    outcome?;
    let fault = ExpectedFault { bytes: 4, ..mapping_fault(device, address, Access::Write) }.check(&seen)?;
    Ok(format!("write across the end: {fault}, {} accesses", seen.count()))
}

/// A buffer, and the offset in its memory from which on the device must not reach it.
///
/// Three units are mapped, so the fourth one of the block of addresses is not handed out to anything else.
fn with_more_behind(device: &DmaDevice) -> Result<(Buffer, usize), CaseError> {
    let end = 3 * device.memory.unit() as usize;
    let buffer = device.memory.share_beginning(end, Direction::Both)?;
    buffer.pages().write(end, &[super::attempt::GUARD; 8]);
    Ok((buffer, end))
}

/// The fault of an access to an address without a mapping.
pub(super) fn mapping_fault(device: &DmaDevice, address: Iova, access: Access) -> ExpectedFault<'_> {
    let reasons = &[FaultReason::Mapping];
    ExpectedFault { device, reasons, address, bytes: BYTES, access, is_permission: false }
}
