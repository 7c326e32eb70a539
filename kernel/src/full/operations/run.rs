//! Takes the operations one after the other, and reports the state after each.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use kernel::{Handle, Probing, log, summary};
use probe::{Core, DeviceId, DmaState, Group, OwnedGroup, Owner, Refusal};
use report::Report;

use super::error::OperationError;
use super::operation::{Operation, Verb};

/// Claims that were not released, in the order in which they were made, each with its device.
type Claims = Vec<(DeviceId, OwnedGroup)>;

/// Takes all operations. Each is completed, with all that follows from it, before the next one.
///
/// # Errors
///
/// A device does not exist when its operation is due. What comes before is done and reported.
pub(crate) fn run(
    operations: &[Operation],
    probing: &mut Probing,
    report: &mut Report,
) -> Result<(), OperationError> {
    let mut claims = Claims::new();
    for operation in operations {
        let found = probing.core.devices().find(|device| device.name() == operation.device);
        let Some(device) = found.map(|device| device.id()) else {
            let Operation { text, device, .. } = operation;
            return Err(OperationError::NoDevice { operation: text.clone(), device: device.clone() });
        };
        log!("then: {}", operation.text);
        let refused = take(&operation.verb, device, &mut probing.core, &mut claims).err();
        probing.settle(report);
        let mut record = report::Operation { operation: operation.text.clone(), ..Default::default() };
        add_state(&mut record, &probing.core, device);
        record.refused = refused.or_else(|| not_bound(operation, probing, device));
        if let Some(why) = &record.refused {
            log!("then: {}: refused: {why}", operation.text);
        }
        report.operations.push(record);
    }
    Ok(())
}

fn take(verb: &Verb, device: DeviceId, core: &mut Core<Handle>, claims: &mut Claims) -> Result<(), String> {
    let of_refusal = |refusal: Refusal| refusal.to_string();
    match verb {
        Verb::Unbind => core.unbind(device),
        Verb::Bind => core.rebind(device),
        Verb::Remove => core.remove_device(device),
        Verb::Override(driver) => core.override_driver(device, Some(driver)),
        Verb::Type(request) => {
            let group = group_of(core, device).ok_or("the device is not in a group (ENODEV)")?.id();
            core.change_type(group, *request).map_err(|refused| refused.to_string())?;
        }
        Verb::Claim(owner) => {
            let owned = core.claim_device(device, Owner(owner.clone()));
            claims.push((device, owned.map_err(|refused| refused.to_string())?));
        }
        Verb::OwnDomain => core.attach_own_domain(last(claims, device)?).map_err(of_refusal)?,
        Verb::Block => core.block(last(claims, device)?).map_err(of_refusal)?,
        Verb::Release => {
            let place = claims.iter().rposition(|(of, _)| *of == device).ok_or(NO_CLAIM)?;
            core.release(claims.remove(place).1).map_err(of_refusal)?;
        }
    }
    Ok(())
}

const NO_CLAIM: &str = "no claim was made through this device";

fn last(claims: &Claims, device: DeviceId) -> Result<&OwnedGroup, &'static str> {
    claims.iter().rfind(|(of, _)| *of == device).map(|(_, owned)| owned).ok_or(NO_CLAIM)
}

/// Why no driver has bound the device of a bind.
fn not_bound(operation: &Operation, probing: &Probing, device: DeviceId) -> Option<String> {
    if operation.verb != Verb::Bind {
        return None;
    }
    let device = probing.core.find_device(device)?;
    let why = device.last_bind_error().unwrap_or("no driver has bound it");
    device.driver().is_none().then(|| why.to_string())
}

fn group_of(core: &Core<Handle>, device: DeviceId) -> Option<&Group> {
    let DmaState::Grouped(membership) = core.find_device(device)?.dma() else { return None };
    core.groups().find(|group| group.id() == membership.group())
}

fn add_state(record: &mut report::Operation, core: &Core<Handle>, device: DeviceId) {
    let existing = core.find_device(device);
    record.removed = existing.is_none();
    let group = group_of(core, device);
    record.kind = group.map(summary::group_type);
    let driver = existing.and_then(|device| device.driver());
    record.driver = driver.map(|driver| core.driver_name(driver).to_string());
    if let Some(ownership) = group.and_then(|group| core.ownership(group)) {
        record.claimed_by = Some(ownership.owner().0.clone());
        record.blocked = ownership.is_blocked();
    }
}
