//! Waiting for slots, without interrupts.

use boot::cpu::relax;
use kernel::Hardware;
use kernel::machine::clock::micros;
use pci::Slot;

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
    until(limit_us, || {
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

/// Waits until `is_done`, at most `limit_us`; whether it was.
pub(super) fn until(limit_us: u64, mut is_done: impl FnMut() -> bool) -> bool {
    let start = micros();
    loop {
        if is_done() {
            return true;
        }
        if micros().saturating_sub(start) > limit_us {
            return is_done();
        }
        relax();
    }
}
