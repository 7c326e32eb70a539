//! Devices that are removed from the machine, and come back.

use alloc::format;
use alloc::string::ToString;

use dma::Direction;
use kernel::Handle;
use probe::{BusId, NewDevice};

use super::attempt::{Access, CaseError, check_untouched, guard};
use super::bench::{Bench, Seen};
use super::blind::BLIND_US;
use super::domains::{NO_DOMAIN, all_because, bypass_of};
use super::own_domain::{BYTES, reaches};
use crate::dma::devices::{DmaDevice, Engine, Spaces};

/// The case, for each device that is not slow. A device that has come back has another domain, so these are the last cases.
pub(super) fn run(bench: &mut Bench<'_>) {
    for which in 0..bench.devices.len() {
        if bench.devices[which].engine != Engine::Edu {
            bench.case("removed-write", which, removed);
        }
    }
}

/// A removed device is in no group and no domain: with bypass off, it reaches nothing. Its group has one member less.
/// Once it is back, it transfers data.
fn removed(bench: &mut Bench<'_>, device: &DmaDevice) -> Seen {
    // The device may come back to this domain, where nothing must be left of what was mapped for it.
    device.memory.flush()?;
    let before = bypass_of(bench, device);
    bench.set_bypass(device, false)?;
    let members = members_of(bench, device);
    let (bus, new) = description(bench, device)?;
    let id = bench.id_of(device)?;
    bench.probing.core.remove_device(id);
    bench.probing.core.settle();
    let left = members_of(bench, device);
    let refused = out_of_the_machine(bench, &device.untranslated());
    bench.probing.core.add_device(bus, new);
    bench.probing.core.settle();
    bench.set_bypass(device, before)?;
    let seen = refused?;
    if left + 1 != members {
        return Err(CaseError::Address(format!("its group had {members} members, and {left} after that")));
    }
    let again = back_again(bench, device)?;
    Ok(format!("{seen}; {left} members are left in its group; {again}"))
}

/// Number of members of the group that the device was in at first.
fn members_of(bench: &Bench<'_>, device: &DmaDevice) -> usize {
    let group = bench.probing.core.groups().find(|group| Some(group.id()) == device.group);
    group.map_or(0, |group| group.members().len())
}

/// What adds the device again.
fn description(bench: &Bench<'_>, device: &DmaDevice) -> Result<(BusId, NewDevice<Handle>), CaseError> {
    let this = bench.probing.core.device(bench.id_of(device)?);
    let new = NewDevice {
        unit: this.unit(),
        name: this.name().to_string(),
        node: this.node(),
        enabled: true,
        handle: *this.handle(),
    };
    Ok((this.bus(), new))
}

fn out_of_the_machine(bench: &Bench<'_>, direct: &DmaDevice) -> Seen {
    let mut engine = bench.blind_engine(direct)?;
    let buffer = direct.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    let seen = bench.blind_write(&mut *engine, buffer.address(), BYTES, BLIND_US);
    engine.stop()?;
    let untouched = check_untouched(buffer.pages(), 0, BYTES);
    direct.memory.take_back(buffer)?;
    untouched?;
    let fault = all_because(&seen, direct, &NO_DOMAIN)?;
    Ok(format!("write after the removal: {fault}, {} accesses", seen.count()))
}

/// The device with the domain of the group that it is in now.
fn back_again(bench: &mut Bench<'_>, device: &DmaDevice) -> Seen {
    let devices = Spaces::new(bench.mutation).devices(bench.probing);
    let devices = devices.map_err(|error| CaseError::Address(error.to_string()))?;
    let now = devices.into_iter().find(|now| now.handle == device.handle && now.is_translated());
    let now = now.ok_or_else(|| CaseError::Address("no driver has bound it again".to_string()))?;
    let mut engine = bench.engine(&now)?;
    let buffer = now.memory.share(BYTES, Direction::Both)?;
    guard(buffer.pages(), BYTES);
    bench.take_faults();
    let outcome = reaches(bench, &mut *engine, &buffer, Access::Write);
    now.memory.take_back(buffer)?;
    engine.stop()?;
    now.memory.flush()?;
    outcome?;
    Ok("back again, it gets through".to_string())
}
