//! What an EFI firmware hands over, in the kernel's terms: a command line, and the RAM that is free.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use boot::efi::{
    COMMAND_FILE, COMMAND_FILE_LIMIT, CommandFile, Efi, LOAD_OPTIONS_LIMIT, MEMORY_RANGE_LIMIT, MemoryUse,
};

/// The command line: load options, or in their absence the file on the volume that the image comes from.
///
/// What is odd about the one that counts is added to `warnings`. Empty if there is neither.
pub(crate) fn command_line(efi: &Efi, warnings: &mut Vec<String>) -> String {
    let options = load_options(efi, warnings);
    match efi.command_file {
        Some(file) if options.trim().is_empty() => text_of(file, warnings),
        _ => options,
    }
}

/// The text of a command line file; its lines are one.
fn text_of(file: CommandFile, warnings: &mut Vec<String>) -> String {
    if file.is_cut {
        warnings.push(format!("{COMMAND_FILE}: only the first {COMMAND_FILE_LIMIT} bytes are read"));
    }
    let text = String::from_utf8_lossy(file.bytes);
    if text.contains(char::REPLACEMENT_CHARACTER) {
        warnings.push(format!("{COMMAND_FILE}: not UTF-8; it is read as {text:?}"));
    }
    // What editors on other systems put in front.
    text.trim_start_matches('\u{feff}').replace(['\r', '\n'], " ").trim().into()
}

/// The load options as text; what is odd about them is added to `warnings`.
///
/// They end at the first NUL, as Linux reads them. Empty if there are none.
fn load_options(efi: &Efi, warnings: &mut Vec<String>) -> String {
    let mut warn = |what: &str| warnings.push(format!("EFI load options: {what}"));
    if efi.load_options_bytes > 2 * LOAD_OPTIONS_LIMIT {
        let limit = 2 * LOAD_OPTIONS_LIMIT;
        warn(&format!("{} bytes long; only the first {limit} are read", efi.load_options_bytes));
    } else if !efi.load_options_bytes.is_multiple_of(2) {
        warn(&format!("{} bytes are not UTF-16; the last one is left out", efi.load_options_bytes));
    }
    let units = efi.load_options.split(|unit| *unit == 0).next().unwrap_or_default();
    let mut text = String::with_capacity(units.len());
    let mut broken = 0;
    for unit in char::decode_utf16(units.iter().copied()) {
        broken += usize::from(unit.is_err());
        text.push(unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    if broken > 0 {
        warn(&format!("not UTF-16 in {broken} places; it is read as {text:?}"));
    }
    text
}

/// RAM by the firmware's memory map.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// What is ours, apart from the image and a device tree. No two ranges overlap.
    pub(crate) free: Vec<Range<PhysAddr>>,
    /// What the firmware keeps: for its runtime services, for its tables.
    pub(crate) kept: Vec<Range<PhysAddr>>,
}

/// RAM by the firmware's memory map; what of the map is not used is added to `warnings`.
pub(crate) fn memory(efi: &Efi, warnings: &mut Vec<String>) -> Memory {
    let mut memory = Memory::default();
    for each in efi.memory() {
        match each.usage {
            MemoryUse::Free => memory.free.push(each.range),
            MemoryUse::Kept => memory.kept.push(each.range),
        }
    }
    if efi.memory_left_out > 0 {
        warnings.push(format!(
            "EFI memory map: {} ranges above the limit of {MEMORY_RANGE_LIMIT} are not used",
            efi.memory_left_out
        ));
    }
    memory
}
