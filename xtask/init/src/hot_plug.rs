//! Waits for devices to be plugged in and out, as often as the kernel's command line says.

use core::str;

use crate::command_line;
use crate::console::Console;
use crate::settle;

/// The word of the command line.
const WORD: &[u8] = b"iogroups.hotplug=";
/// Most looks for a change, 40 s. Linux waits 5 s after an attention button was pressed
/// (`pciehp_handle_button_press`).
const LOOKS: u32 = 160;
/// Looks that are let pass after a change, 2 s: Linux ignores what happens in a slot for one second after it has cut
/// the slot's power (`remove_board`).
const REST: u32 = 8;

/// Asks for each change, and waits until devices, drivers and groups no longer change after it.
pub(crate) fn follow(console: &mut Console) {
    let number = |value: &[u8]| str::from_utf8(value).ok()?.parse::<u32>().ok();
    let Some(changes) = command_line::value(WORD, number).flatten() else { return };
    for change in 1..=changes {
        let before = settle::fingerprint();
        console.line(format_args!("hot-plug: waiting for change {change} of {changes}"));
        console.flush();
        let happened = (0..LOOKS).any(|_| {
            settle::pause();
            settle::fingerprint() != before
        });
        if !happened {
            console.line(format_args!("no-change {change}"));
            return;
        }
        settle::wait(console);
        (0..REST).for_each(|_| settle::pause());
    }
}
