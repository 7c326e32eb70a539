//! Waiting for slots, without interrupts.

use kernel::Hardware;
use pci::Slot;

use crate::deadline::wait_until;

/// What has happened in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// A device was put in.
    PluggedIn,
    /// The attention button was pressed for a device that runs.
    ButtonPressed,
    /// The device is gone without a request.
    Pulled,
}

/// Waits until something happens in one of the slots; none when `limit_us` have passed. `occupied` says for each slot
/// whether the kernel knows a device in it.
pub(super) fn for_a_change(
    hardware: &Hardware,
    slots: &[Slot],
    occupied: impl Fn(&Slot) -> bool,
    limit_us: u64,
) -> Option<(Slot, Happened)> {
    let look = || slots.iter().find_map(|slot| Some((*slot, happened(hardware, slot, occupied(slot))?)));
    let mut found = None;
    wait_until(limit_us, || {
        found = look();
        found.is_some()
    });
    found
}

fn happened(hardware: &Hardware, slot: &Slot, is_occupied: bool) -> Option<Happened> {
    let state = hardware.slot_state(slot);
    match (is_occupied, state.is_present) {
        (false, true) => Some(Happened::PluggedIn),
        (true, false) => Some(Happened::Pulled),
        (true, true) if state.button_pressed => Some(Happened::ButtonPressed),
        _ => None,
    }
}
