//! Converts the data from EFI firmware to a command line and a list of free RAM.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use addr::{PhysAddr, Range};
use boot::efi::{
    COMMAND_FILE, COMMAND_FILE_LIMIT, CommandFile, Efi, LOAD_OPTIONS_LIMIT, MEMORY_RANGE_LIMIT, MemoryUse,
};

/// The command line: the load options, or else the file on the volume that contains the image.
///
/// Warnings about the one that is used are added to `warnings`. Empty if there is neither.
pub(crate) fn command_line(efi: &Efi, warnings: &mut Vec<String>) -> String {
    let options = load_options(efi, warnings);
    match efi.command_file {
        Some(file) if options.trim().is_empty() => text_of(file, warnings),
        _ => options,
    }
}

/// The text of a command line file, as a single line.
fn text_of(file: CommandFile, warnings: &mut Vec<String>) -> String {
    if file.is_cut {
        warnings.push(format!("{COMMAND_FILE}: only the first {COMMAND_FILE_LIMIT} bytes are read"));
    }
    let text = String::from_utf8_lossy(file.bytes);
    if text.contains(char::REPLACEMENT_CHARACTER) {
        warnings.push(format!("{COMMAND_FILE}: not UTF-8; it is read as {text:?}"));
    }
    // The byte order mark that some editors write.
    text.trim_start_matches('\u{feff}').replace(['\r', '\n'], " ").trim().into()
}

/// The load options as text; adds warnings about them to `warnings`.
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
    /// Free RAM, including the image and a device tree. No two ranges overlap.
    pub(crate) free: Vec<Range<PhysAddr>>,
    /// RAM that the firmware keeps for its runtime services and tables.
    pub(crate) kept: Vec<Range<PhysAddr>>,
}

/// RAM from the firmware's memory map; adds a warning for each part of the map that is not used.
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
