//! Devices whose group an owner has claimed, as VFIO does: blocked, or in the owner's own domain.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::cell::RefCell;

use addr::Iova;
use dma::{AddressSpace, Direction, Invalidation};
use probe::{DeviceId, OwnedGroup, Owner};
use viommu::FaultReason;

use super::attempt::{Access, CaseError, check_untouched, guard};
use super::bench::{Bench, Seen};
use super::blind::BLIND_US;
use super::domains::all_because;
use super::own_domain::{BYTES, mapping_fault, reaches};
use crate::dma::devices::{DmaDevice, Engine, bridge_windows};
use crate::dma::domain::Domain;
use crate::dma::memory::{DeviceMemory, Route};

/// Who claims the groups.
const OWNER: &str = "isolation";

/// An address where nothing is mapped, within what an `edu` can drive.
const NOWHERE: Iova = Iova(0x10_0000);

/// All cases, for each device.
pub(super) fn run(bench: &mut Bench<'_>) {
    for which in 0..bench.devices.len() {
        bench.case("claimed-write", which, |bench, device| claimed(bench, device, blocked));
        // 100 ms for each copy: what it adds to the others is above.
        if bench.devices[which].engine != Engine::Edu {
            bench.case("owner-write", which, |bench, device| claimed(bench, device, in_own_domain));
        }
    }
}

/// Claims the group of a device, which no driver uses then; afterwards the drivers are bound again, and the device
/// reaches what its group's default domain has.
fn claimed(
    bench: &mut Bench<'_>,
    device: &DmaDevice,
    work: impl FnOnce(&mut Bench<'_>, &DmaDevice, &OwnedGroup) -> Seen,
) -> Seen {
    let users = unbind_members(bench, device);
    let id = bench.id_of(device)?;
    let refused = |why: &dyn core::fmt::Display| CaseError::Address(why.to_string());
    let owned = bench.probing.core.claim_device(id, Owner(OWNER.into()));
    let outcome = match owned {
        Ok(owned) => {
            let outcome = work(bench, device, &owned);
            bench.probing.core.release(owned).map_err(CaseError::Refused).and(outcome)
        }
        Err(why) => Err(refused(&why)),
    };
    for user in users {
        bench.probing.core.rebind(user);
    }
    bench.probing.core.settle();
    let seen = outcome?;
    if device.engine == Engine::Edu {
        return Ok(seen);
    }
    default_domain_again(bench, device)?;
    Ok(format!("{seen}; released, it gets through"))
}

/// Unbinds the drivers of all members of the device's group; returns those that had one.
fn unbind_members(bench: &mut Bench<'_>, device: &DmaDevice) -> Vec<DeviceId> {
    let core = &mut bench.probing.core;
    let group = core.groups().find(|group| Some(group.id()) == device.group);
    let members = group.map_or(&[][..], |group| group.members()).to_vec();
    let users: Vec<DeviceId> =
        members.into_iter().filter(|member| core.device(*member).driver().is_some()).collect();
    users.iter().for_each(|user| core.unbind(*user));
    users
}

/// The device reaches a buffer in the default domain of its group.
fn default_domain_again(bench: &Bench<'_>, device: &DmaDevice) -> Result<(), CaseError> {
    let mut engine = bench.engine(device)?;
    let buffer = device.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    bench.take_faults();
    let outcome = reaches(bench, &mut *engine, &buffer, Access::Write);
    device.memory.take_back(buffer)?;
    engine.stop()?;
    outcome
}

/// Without a domain of the owner's, no access of a member gets through.
fn blocked(bench: &mut Bench<'_>, device: &DmaDevice, _: &OwnedGroup) -> Seen {
    let direct = device.untranslated();
    let mut engine = bench.blind_engine(&direct)?;
    if device.engine == Engine::Edu {
        let seen = bench.blind_write(&mut *engine, NOWHERE, BYTES, BLIND_US);
        engine.stop()?;
        let fault = mapping_fault(device, NOWHERE, Access::Write).check(&seen)?;
        return Ok(format!("write of a claimed device: {fault}, {} accesses", seen.count()));
    }
    let buffer = direct.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let seen = bench.blind_write(&mut *engine, buffer.address(), BYTES, BLIND_US);
    engine.stop()?;
    let untouched = check_untouched(buffer.pages(), 0, BYTES);
    direct.memory.take_back(buffer)?;
    untouched?;
    // Its first access is to its queue, which is not mapped either.
    let fault = all_because(&seen, device, &[FaultReason::Mapping])?;
    Ok(format!("write of a claimed device: {fault}, {} accesses", seen.count()))
}

/// In the owner's domain, a member reaches what the owner has mapped, until it is unmapped.
fn in_own_domain(bench: &mut Bench<'_>, device: &DmaDevice, owned: &OwnedGroup) -> Seen {
    bench.probing.core.attach_own_domain(owned).map_err(CaseError::Refused)?;
    let no_domain = || CaseError::Address("the owner has no domain".to_string());
    let domain = bench.probing.core.own_domain(owned).ok_or_else(no_domain)?;
    let windows = bridge_windows(bench.probing, domain.group());
    let domain = Domain::new(domain, windows, bench.mutation);
    let reserved = domain.reserved();
    let space = AddressSpace::new(domain, reserved, Invalidation::Strict)
        .map_err(|error| CaseError::Address(error.to_string()))?;
    let route = Route::Translated(Rc::new(RefCell::new(space)));
    let theirs = DmaDevice { memory: DeviceMemory { route, mask: device.memory.mask }, ..device.clone() };
    let mut engine = bench.engine(&theirs)?;
    let buffer = theirs.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let (address, phys) = (buffer.address(), buffer.phys().start());
    let reached = reaches(bench, &mut *engine, &buffer, Access::Write);
    guard(buffer.pages(), BYTES);
    let pages = theirs.memory.unmap(buffer)?;
    let (_, seen) = bench.access(&mut *engine, Access::Write, address, BYTES)?;
    engine.stop()?;
    reached?;
    check_untouched(&pages, 0, BYTES)?;
    let fault = mapping_fault(device, address, Access::Write).check(&seen)?;
    Ok(format!("write at {address} in the owner's domain reaches RAM at {phys}; unmapped: {fault}"))
}
