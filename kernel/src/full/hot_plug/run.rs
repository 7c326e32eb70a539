//! Handles one change of a slot after the other, and reports the groups after each.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use kernel::{Handle, Probing, Removed, log};
use pci::Slot;
use probe::{DmaState, Severity};
use report::{HotPlug, HotPlugKind, Report};

use super::error::HotPlugError;
use super::wait::{self, Happened};
use crate::deadline::wait_until;

/// The longest wait for a change, in seconds: the time that whoever plugs needs, on a busy host.
const CHANGE_SECONDS: u64 = 20;
/// The longest wait for a device that got power, in seconds (PCIe 5.0, section 6.6.1: one), and for a slot to be empty
/// after its power was cut.
const DEVICE_SECONDS: u64 = 5;

/// Waits for `changes` changes of slots, and handles each: a new device goes through phase 1 and is bound, a removed one
/// loses its driver, its DMA and its group, in this order.
///
/// # Errors
///
/// See [`HotPlugError`]. The changes so far are reported.
pub(crate) fn run(changes: u32, probing: &mut Probing, report: &mut Report) -> Result<(), HotPlugError> {
    let slots = probing.hardware.slots();
    if slots.is_empty() {
        return Err(HotPlugError::NoSlot);
    }
    for slot in &slots {
        probing.hardware.clear_slot_events(slot);
    }
    for change in 1..=changes {
        log!("hot-plug: waiting for change {change} of {changes}");
        let hardware = probing.hardware.clone();
        let is_occupied = |slot: &Slot| !hardware.topology.behind(slot.port()).is_empty();
        let found = wait::for_a_change(&hardware, &slots, is_occupied, CHANGE_SECONDS * 1_000_000);
        let no_change = HotPlugError::NoChange { change, of: changes, seconds: CHANGE_SECONDS };
        let (slot, happened) = found.ok_or(no_change)?;
        let port = hardware.name(Handle::Function(slot.port()));
        let (kind, devices) = match happened {
            Happened::PluggedIn => (HotPlugKind::Added, add(probing, &slot, &port, report)?),
            Happened::ButtonPressed => (HotPlugKind::Removed, remove(probing, &slot, &port, report)?),
            Happened::Pulled => (HotPlugKind::Pulled, clean_up(probing, &slot, report)?),
        };
        hardware.clear_slot_events(&slot);
        let record = record(probing, port, kind, devices);
        log!("hot-plug: {record}");
        report.hot_plug.push(record);
    }
    Ok(())
}

fn add(
    probing: &mut Probing,
    slot: &Slot,
    port: &str,
    report: &mut Report,
) -> Result<Vec<String>, HotPlugError> {
    probing.hardware.set_slot_power(slot, true);
    let hardware = probing.hardware.clone();
    if !wait_until(DEVICE_SECONDS * 1_000_000, || hardware.slot_answers(slot)) {
        return Err(HotPlugError::NoAnswer { port: port.to_string(), seconds: DEVICE_SECONDS });
    }
    Ok(probing.plug(slot, report)?)
}

fn remove(
    probing: &mut Probing,
    slot: &Slot,
    port: &str,
    report: &mut Report,
) -> Result<Vec<String>, HotPlugError> {
    let removed = probing.unplug(slot, report)?;
    for Removed { device, .. } in removed.iter().filter(|removed| !removed.dma_stopped) {
        let sentence = "bus mastering is still enabled after the driver was unbound; the device can still do DMA, \
                        although it is no longer in a group";
        kernel::summary::add_findings(
            report,
            &[probe::Finding {
                id: "dma-not-stopped",
                severity: Severity::Error,
                place: device.clone(),
                sentence: sentence.to_string(),
            }],
        );
    }
    let hardware = probing.hardware.clone();
    hardware.set_slot_power(slot, false);
    if !wait_until(DEVICE_SECONDS * 1_000_000, || !hardware.slot_state(slot).is_present) {
        return Err(HotPlugError::StillThere { port: port.to_string(), seconds: DEVICE_SECONDS });
    }
    Ok(names(removed))
}

/// After a surprise removal: the device does not do DMA any more, but its mappings and its driver are still there.
fn clean_up(probing: &mut Probing, slot: &Slot, report: &mut Report) -> Result<Vec<String>, HotPlugError> {
    let removed = probing.unplug(slot, report)?;
    probing.hardware.set_slot_power(slot, false);
    Ok(names(removed))
}

fn names(removed: Vec<Removed>) -> Vec<String> {
    removed.into_iter().map(|removed| removed.device).collect()
}

fn record(probing: &Probing, port: String, kind: HotPlugKind, names: Vec<String>) -> HotPlug {
    let core = &probing.core;
    let group_of = |name: &String| {
        let device = core.devices().find(|device| device.name() == name)?;
        let DmaState::Grouped(membership) = device.dma() else { return None };
        core.groups().find(|group| group.id() == membership.group())
    };
    let mut devices = Vec::new();
    for name in names {
        let group = group_of(&name);
        let members = group.into_iter().flat_map(|group| group.members());
        let shares_with = members.map(|member| core.device(*member).name().to_string());
        devices.push(report::HotPlugDevice {
            shares_with: shares_with.filter(|member| *member != name).collect(),
            group: group.map(|group| group.id().0),
            name,
        });
    }
    HotPlug { port, kind, devices, groups: core.groups().count() as u32 }
}
