//! Devices whose group an owner has claimed, as VFIO does: blocked, or in the owner's own domain.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::cell::RefCell;

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

/// All cases, for each device.
pub(super) fn run(bench: &mut Bench<'_>) {
    for which in 0..bench.devices.len() {
        bench.case("claimed-write", which, |bench, device| unbound(bench, device, blocked));
        // 100 ms for each copy: what it adds to the others is above.
        if bench.devices[which].engine != Engine::Edu {
            bench.case("owner-write", which, |bench, device| unbound(bench, device, in_own_domain));
        }
    }
}

/// Does `work` while no driver uses the group of a device.
fn unbound(
    bench: &mut Bench<'_>,
    device: &DmaDevice,
    work: impl FnOnce(&mut Bench<'_>, &DmaDevice) -> Seen,
) -> Seen {
    let users = unbind_members(bench, device);
    let outcome = work(bench, device);
    for user in users {
        bench.probing.core.rebind(user);
    }
    bench.probing.core.settle();
    outcome
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

/// What is mapped in the default domain is out of reach while the group is claimed, and within reach after the release.
fn blocked(bench: &mut Bench<'_>, device: &DmaDevice) -> Seen {
    let mut engine = bench.engine(device)?;
    let buffer = device.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let address = buffer.address();
    let owned = claim(bench, device)?;
    bench.take_faults();
    let seen = bench.blind_write(&mut *engine, address, BYTES, BLIND_US);
    let untouched = check_untouched(buffer.pages(), 0, BYTES);
    bench.probing.core.release(owned).map_err(CaseError::Refused)?;
    engine.stop()?;
    let mut engine = bench.engine(device)?;
    bench.take_faults();
    let again = match device.engine {
        // One more copy takes 100 ms.
        Engine::Edu => Ok(()),
        _ => reaches(bench, &mut *engine, &buffer, Access::Write),
    };
    device.memory.take_back(buffer)?;
    engine.stop()?;
    untouched?;
    again?;
    let fault = if device.engine.is_virtio() {
        // Its first access is to its queue. QEMU 7.2 reports an offset in the queue and not the address.
        all_because(&seen, device, &[FaultReason::Mapping])?
    } else {
        mapping_fault(device, address, Access::Write).check(&seen)?
    };
    Ok(format!("write of a claimed device: {fault}, {} accesses; released, it gets through", seen.count()))
}

fn claim(bench: &mut Bench<'_>, device: &DmaDevice) -> Result<OwnedGroup, CaseError> {
    let id = bench.id_of(device)?;
    let owned = bench.probing.core.claim_device(id, Owner(OWNER.into()));
    owned.map_err(|refused| CaseError::Address(refused.to_string()))
}

/// In the owner's domain, a member reaches what the owner has mapped, until it is unmapped.
fn in_own_domain(bench: &mut Bench<'_>, device: &DmaDevice) -> Seen {
    let owned = claim(bench, device)?;
    let outcome = owner_maps(bench, device, &owned);
    bench.probing.core.release(owned).map_err(CaseError::Refused)?;
    outcome
}

fn owner_maps(bench: &mut Bench<'_>, device: &DmaDevice, owned: &OwnedGroup) -> Seen {
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
