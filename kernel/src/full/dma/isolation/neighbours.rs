//! Two devices: in different groups they do not reach each other, in one group they do.

use alloc::format;

use addr::{Iova, PhysAddr};
use dma::{Direction, DmaMask};

use super::attempt::{Access, CaseError, ExpectedFault, check_untouched, check_written, guard};
use super::bench::{Bench, Seen};
use super::own_domain::{BYTES, mapping_fault};
use crate::dma::devices::{DmaDevice, Engine};
use crate::dma::drivers;
use crate::dma::engine::EduRegisters;
use crate::dma::memory::DeviceMemory;

/// Address bits of buffers that only the neighbour may reach. Buffers of the devices themselves have more, so such
/// an address is not in use in another domain.
const LOW: DmaMask = DmaMask::of_bits(30);

/// All cases, for each device that is not slow.
pub(super) fn run(bench: &mut Bench<'_>) {
    for which in 0..bench.devices.len() {
        if bench.devices[which].engine == Engine::Edu {
            continue;
        }
        let (stranger, member) = (other(bench, which, false), other(bench, which, true));
        match stranger {
            Some(stranger) => {
                bench.case("other-domain", which, |bench, device| other_domain(bench, device, &stranger));
                bench.case("neighbour-memory", which, |bench, device| {
                    neighbour_memory(bench, device, &stranger)
                });
            }
            None => bench.skip("other-domain", which, "no other group has a device that does DMA"),
        }
        match bar(bench, which) {
            Some(target) => {
                bench.case("neighbour-bar", which, |bench, device| neighbour_bar(bench, device, target))
            }
            None => bench.skip("neighbour-bar", which, "no other group has an edu"),
        }
        match member {
            Some(member) => {
                bench.case("same-group", which, |bench, device| same_group(bench, device, &member))
            }
            None => bench.skip("same-group", which, "no other member of the group does DMA"),
        }
    }
}

/// Another device with an engine, in the same group or in another one.
fn other(bench: &Bench<'_>, which: usize, is_in_group: bool) -> Option<DmaDevice> {
    let group = bench.devices[which].group;
    let mut others = bench.devices.iter().enumerate().filter(|(other, _)| *other != which);
    others.find(|(_, device)| (device.group == group) == is_in_group).map(|(_, device)| device.clone())
}

/// The BAR of an `edu` that is in another group.
pub(super) fn bar(bench: &Bench<'_>, which: usize) -> Option<(EduRegisters, PhysAddr)> {
    let group = bench.devices[which].group;
    let edu = bench.devices.iter().find(|device| device.engine == Engine::Edu && device.group != group)?;
    registers(bench, edu)
}

/// The registers of an `edu`, and their address.
pub(super) fn registers(bench: &Bench<'_>, edu: &DmaDevice) -> Option<(EduRegisters, PhysAddr)> {
    let registers = drivers::edu(&bench.probing.hardware, edu.handle).ok()?;
    Some((registers, registers.0.range().start()))
}

/// An address that is mapped in another group's domain.
fn other_domain(bench: &mut Bench<'_>, device: &DmaDevice, stranger: &DmaDevice) -> Seen {
    let mut engine = bench.engine(device)?;
    let theirs = DeviceMemory { mask: LOW, ..stranger.memory.clone() };
    let buffer = theirs.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let address = buffer.address();
    let (_, seen) = bench.access(&mut *engine, Access::Write, address, BYTES)?;
    let outcome = check_untouched(buffer.pages(), 0, BYTES);
    theirs.take_back(buffer)?;
    // The same address may be used the other way round next, and must not lead to memory that has been freed.
    theirs.flush()?;
    engine.stop()?;
    outcome?;
    let fault = mapping_fault(device, address, Access::Write).check(&seen)?;
    Ok(format!("write to a buffer of {}: {fault}, {} accesses", stranger.name, seen.count()))
}

/// The RAM behind another group's mapping.
fn neighbour_memory(bench: &mut Bench<'_>, device: &DmaDevice, stranger: &DmaDevice) -> Seen {
    let mut engine = bench.engine(device)?;
    let buffer = stranger.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let address = Iova(buffer.phys().start().0);
    let (_, seen) = bench.access(&mut *engine, Access::Write, address, BYTES)?;
    let outcome = check_untouched(buffer.pages(), 0, BYTES);
    stranger.memory.take_back(buffer)?;
    engine.stop()?;
    outcome?;
    let fault = mapping_fault(device, address, Access::Write).check(&seen)?;
    Ok(format!("write to RAM of {}: {fault}, {} accesses", stranger.name, seen.count()))
}

/// A register of a device in another group, by the address in its BAR.
fn neighbour_bar(
    bench: &mut Bench<'_>,
    device: &DmaDevice,
    (registers, base): (EduRegisters, PhysAddr),
) -> Seen {
    let mut engine = bench.engine(device)?;
    registers.set_liveness(0);
    let (offset, before) = registers.liveness();
    let address = Iova(base.0 + offset);
    let (_, seen) = bench.access(&mut *engine, Access::Write, address, 4)?;
    engine.stop()?;
    let (_, after) = registers.liveness();
    if before != after {
        return Err(CaseError::Address(format!("the register changed from {before:#x} to {after:#x}")));
    }
    let fault = ExpectedFault { bytes: 4, ..mapping_fault(device, address, Access::Write) }.check(&seen)?;
    Ok(format!("write to a register of a neighbour: {fault}, {} accesses", seen.count()))
}

/// A buffer that was mapped for another member of the group: members share a domain.
fn same_group(bench: &mut Bench<'_>, device: &DmaDevice, member: &DmaDevice) -> Seen {
    let mut engine = bench.engine(device)?;
    let buffer = member.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let address = buffer.address();
    let (_, seen) = bench.access(&mut *engine, Access::Write, address, BYTES)?;
    let outcome = check_written(buffer.pages(), BYTES, engine.content(BYTES).as_deref());
    member.memory.take_back(buffer)?;
    engine.stop()?;
    outcome?;
    match seen.faults.first() {
        Some(seen) => Err(CaseError::UnexpectedFault(seen.fault)),
        None => Ok(format!("write at {address} reaches a buffer of {}, as a group shares", member.name)),
    }
}
