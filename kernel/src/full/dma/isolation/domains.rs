//! Devices without a domain, and without a driver.

use alloc::format;

use addr::Iova;
use dma::Direction;
use viommu::{Fault, FaultReason};

use super::attempt::{Access, CaseError, ExpectedFault, check_untouched, guard};
use super::bench::{Bench, Seen};
use super::blind::BLIND_US;
use super::neighbours;
use super::own_domain::{BYTES, mapping_fault, reaches};
use crate::dma::devices::{DmaDevice, Engine};
use crate::dma::engine::EduRegisters;
use crate::dma::faults::{SeenFault, SeenFaults};

/// Why an access without a domain is blocked: QEMU 7.2 gives the reason, 10.0 and 11.1 forget an endpoint when it is
/// detached, and give none.
pub(super) const NO_DOMAIN: [FaultReason; 2] = [FaultReason::Domain, FaultReason::Unknown];

/// Accesses that cause more faults than an IOMMU has event buffers.
const STORM: usize = 6;

/// Time for a device that was reset to do something all the same, in microseconds.
const RESET_US: u64 = 20_000;

/// All cases.
pub(super) fn run(bench: &mut Bench<'_>) {
    for which in 0..bench.devices.len() {
        bench.case("detached-write", which, detached);
        if bench.devices[which].engine != Engine::Edu {
            let bar = neighbours::bar(bench, which);
            bench.case("bypass-write", which, |bench, device| bypass(bench, device, bar));
        }
        if bench.devices[which].engine == Engine::Block {
            bench.case("fault-storm", which, storm);
        }
    }
    for which in 0..bench.devices.len() {
        bench.case("unbound-write", which, unbound);
    }
}

/// A device that is detached, with bypass off: it reaches nothing, not even its own queue. Attached again, it
/// has its mappings again.
fn detached(bench: &mut Bench<'_>, device: &DmaDevice) -> Seen {
    let mut engine = bench.engine(device)?;
    let buffer = device.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let before = bypass_of(bench, device);
    bench.set_bypass(device, false)?;
    let attachments = bench.detach(device)?;
    let seen = bench.blind_write(&mut *engine, buffer.address(), BYTES, BLIND_US);
    let untouched = check_untouched(buffer.pages(), 0, BYTES);
    bench.attach(&attachments)?;
    bench.set_bypass(device, before)?;
    // What the device could not read in its queue, it may read now.
    engine.stop()?;
    let mut engine = bench.engine(device)?;
    bench.take_faults();
    let again = untouched.and_then(|()| {
        guard(buffer.pages(), BYTES);
        reaches(bench, &mut *engine, &buffer, Access::Write)
    });
    let address = buffer.address();
    device.memory.take_back(buffer)?;
    engine.stop()?;
    again?;
    let fault = if device.engine.is_virtio() {
        // Its first access is to its queue. QEMU 7.2 then reports an offset in the queue and not the address; 10.0 and
        // 11.1 report the address.
        all_because(&seen, device, &NO_DOMAIN)?
    } else {
        let expected = mapping_fault(device, address, Access::Write);
        ExpectedFault { reasons: &NO_DOMAIN, ..expected }.check(&seen)?
    };
    Ok(format!("write without a domain: {fault}, {} accesses; attached again, it gets through", seen.count()))
}

/// Checks that there are faults, all of the device's endpoints and for one of `reasons`.
pub(super) fn all_because(
    seen: &SeenFaults,
    device: &DmaDevice,
    reasons: &[FaultReason],
) -> Result<Fault, CaseError> {
    let is_right = |seen: &SeenFault| {
        device.endpoints.contains(&(seen.iommu, seen.fault.endpoint)) && reasons.contains(&seen.fault.reason)
    };
    match seen.faults.iter().find(|seen| !is_right(seen)) {
        Some(wrong) => {
            let expected = format!("a fault of {} because of {reasons:?}", device.name);
            Err(CaseError::WrongFault { fault: wrong.fault, expected })
        }
        None => seen.faults.first().map(|seen| seen.fault).ok_or(CaseError::NoFault),
    }
}

/// What a global bypass lets through: with it, a device without a domain reaches all memory by physical addresses, and
/// the registers of other devices.
fn bypass(bench: &mut Bench<'_>, device: &DmaDevice, bar: Option<(EduRegisters, addr::PhysAddr)>) -> Seen {
    let before = bypass_of(bench, device);
    bench.set_bypass(device, true)?;
    let attachments = bench.detach(device)?;
    let outcome = bypassing(bench, &device.untranslated(), bar);
    bench.attach(&attachments)?;
    bench.set_bypass(device, before)?;
    outcome
}

fn bypassing(bench: &Bench<'_>, direct: &DmaDevice, bar: Option<(EduRegisters, addr::PhysAddr)>) -> Seen {
    let mut engine = bench.engine(direct)?;
    let buffer = direct.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let reached = reaches(bench, &mut *engine, &buffer, Access::Write);
    let phys = buffer.phys().start();
    let mut also = "";
    if let Some((registers, base)) = bar {
        registers.set_liveness(0);
        let (offset, before) = registers.liveness();
        let _at_a_register = bench.access(&mut *engine, Access::Write, Iova(base.0 + offset), 4)?;
        if registers.liveness().1 == before {
            return Err(CaseError::Address("the neighbour's register did not change".into()));
        }
        also = ", and a register of a neighbour";
    }
    direct.memory.take_back(buffer)?;
    engine.stop()?;
    reached?;
    Ok(format!("with bypass, a device without a domain reaches RAM at {phys}{also}"))
}

pub(super) fn bypass_of(bench: &Bench<'_>, device: &DmaDevice) -> bool {
    let bound = bench.probing.iommus.borrow();
    let iommu = device.endpoints.first().map(|(iommu, _)| *iommu);
    let iommu = bound.iter().find(|bound| Some(bound.device) == iommu);
    iommu.and_then(|bound| bound.iommu.borrow().bypass()).unwrap_or(false)
}

/// More faults than there are event buffers: every record that was reported is counted, and that others were
/// lost is reported.
fn storm(bench: &mut Bench<'_>, device: &DmaDevice) -> Seen {
    let mut engine = bench.engine(device)?;
    let address = Iova(device.memory.unit() * 2);
    let bytes = engine.limit();
    for _ in 0..STORM {
        engine.store(address, bytes)?;
    }
    let seen = bench.take_faults();
    engine.stop()?;
    let wrong =
        seen.faults.iter().find(|seen| !device.endpoints.contains(&(seen.iommu, seen.fault.endpoint)));
    if let Some(seen) = wrong {
        return Err(CaseError::WrongFault {
            fault: seen.fault,
            expected: format!("faults of {}", device.name),
        });
    }
    // QEMU reports each four bytes.
    let expected = (STORM * bytes / 4) as u64;
    if seen.count() == 0 || !seen.overflow && seen.count() < expected {
        let count = seen.count();
        return Err(CaseError::Address(format!(
            "{count} of {expected} faults were counted, and no overflow"
        )));
    }
    let overflow = if seen.overflow { "an overflow is reported" } else { "none was lost" };
    Ok(format!("{STORM} transfers of {bytes} bytes: {} faults counted, {overflow}", seen.count()))
}

/// After its driver is unbound, a device reaches nothing: its mappings are gone, and a virtio device is reset.
fn unbound(bench: &mut Bench<'_>, device: &DmaDevice) -> Seen {
    let mut engine = bench.engine(device)?;
    let buffer = device.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let address = buffer.address();
    let id = bench.id_of(device)?;
    // The driver takes its buffers back, and is unbound.
    let pages = device.memory.unmap(buffer)?;
    device.memory.flush()?;
    bench.probing.core.unbind(id);
    let limit_us = if device.engine.is_virtio() { RESET_US } else { BLIND_US };
    let seen = bench.blind_write(&mut *engine, address, BYTES, limit_us);
    engine.stop()?;
    bench.probing.core.rebind(id);
    bench.probing.core.settle();
    check_untouched(&pages, 0, BYTES)?;
    if device.engine.is_virtio() {
        return match seen.faults.first() {
            Some(seen) => Err(CaseError::UnexpectedFault(seen.fault)),
            None => Ok("the device was reset, and does nothing".into()),
        };
    }
    let fault = mapping_fault(device, address, Access::Write).check(&seen)?;
    Ok(format!("write after the driver is unbound: {fault}, {} accesses", seen.count()))
}
