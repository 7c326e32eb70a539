//! Damage to ACPI tables (ACPI 6.5, section 5.2.6), to the script that loads them, and to the root pointer.

use fastrand::Rng;

use super::random::{byte, cut, one_of, value};

/// Bytes of a table's header, and where its length and its checksum are.
const HEADER_SIZE: usize = 36;
const LENGTH: usize = 4;
const CHECKSUM: usize = 9;

/// Bytes of a command of `etc/table-loader` (QEMU, `hw/acpi/bios-linker-loader.c`).
const COMMAND_SIZE: usize = 128;

/// Tables that are small enough for each field to count, and that decide what the kernel finds where.
const READ_TABLES: [&[u8]; 7] = [b"VIOT", b"IORT", b"MCFG", b"XSDT", b"FACP", b"SPCR", b"APIC"];

/// What QEMU offers to firmware without knowing of damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Files {
    /// `etc/acpi/tables`.
    pub(super) tables: Vec<u8>,
    /// `etc/acpi/rsdp`.
    pub(super) rsdp: Vec<u8>,
    /// `etc/table-loader`.
    pub(super) loader: Vec<u8>,
}

/// Where the tables are in `etc/acpi/tables`, which has them one after the other.
fn spans(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + HEADER_SIZE) {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let is_table = header[..4].iter().all(u8::is_ascii_uppercase)
            && length >= HEADER_SIZE
            && at.checked_add(length).is_some_and(|end| end <= bytes.len());
        if is_table {
            spans.push(at..at + length);
            at += length;
        } else {
            at += 1;
        }
    }
    spans
}

/// A table, more often one of the small ones.
fn table(rng: &mut Rng, bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    let all = spans(bytes);
    let read: Vec<_> =
        all.iter().filter(|span| READ_TABLES.contains(&&bytes[span.start..span.start + 4])).collect();
    if rng.u8(0..4) > 0 { one_of(rng, &read).map(|span| (*span).clone()) } else { one_of(rng, &all).cloned() }
}

fn signature(table: &[u8]) -> String {
    String::from_utf8_lossy(table.get(..4).unwrap_or_default()).into_owned()
}

/// Damages `files` once, and returns how; `None` if the kind that was drawn does not apply.
///
/// The script adds the checksums after the damage, so that they are right where it still does.
pub(super) fn damage(rng: &mut Rng, files: &mut Files) -> Option<String> {
    match rng.u8(0..16) {
        0..=8 => {
            let span = table(rng, &files.tables)?;
            in_table(rng, &mut files.tables[span])
        }
        9 => cut(rng, &mut files.tables).map(|what| format!("etc/acpi/tables {what}")),
        10 => {
            let end = files.rsdp.len();
            byte(rng, &mut files.rsdp, 0..end).map(|what| format!("RSDP: {what}"))
        }
        11 => cut(rng, &mut files.loader).map(|what| format!("etc/table-loader {what}")),
        12 | 13 => {
            let at = 4 * rng.usize(..files.loader.len() / 4);
            change(rng, &mut files.loader, at, 4).map(|what| format!("etc/table-loader {what}"))
        }
        _ => {
            let commands = files.loader.len() / COMMAND_SIZE;
            let (one, other) = (rng.usize(..commands.max(1)), rng.usize(..commands.max(1)));
            let command = files.loader.get(one * COMMAND_SIZE..(one + 1) * COMMAND_SIZE)?.to_vec();
            if rng.bool() {
                files.loader.drain(one * COMMAND_SIZE..(one + 1) * COMMAND_SIZE);
                Some(format!("command {one} of etc/table-loader deleted"))
            } else {
                files
                    .loader
                    .get_mut(other * COMMAND_SIZE..(other + 1) * COMMAND_SIZE)?
                    .copy_from_slice(&command);
                Some(format!("command {one} of etc/table-loader in place of {other}"))
            }
        }
    }
}

/// `whole`, or else one of the tables, damaged, as a file that takes its place; with its checksum made right, or not.
/// None if the kind that was drawn does not apply.
pub(super) fn damaged_table(
    rng: &mut Rng,
    whole: Option<Vec<u8>>,
    files: &Files,
) -> Option<(Vec<u8>, String)> {
    let mut table = match whole {
        Some(whole) => whole,
        None => files.tables[table(rng, &files.tables)?].to_vec(),
    };
    let mut what = in_table(rng, &mut table)?;
    if rng.u8(0..8) == 0 {
        let cut = cut(rng, &mut table)?;
        what = format!("{what}, {cut}");
    }
    if rng.u8(0..4) > 0
        && let Some(old) = table.get(CHECKSUM).copied()
    {
        let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        table[CHECKSUM] = old.wrapping_sub(sum);
    } else {
        what += ", its checksum left as it was";
    }
    Some((table, what))
}

fn in_table(rng: &mut Rng, table: &mut [u8]) -> Option<String> {
    let name = signature(table);
    let body = HEADER_SIZE..table.len();
    let what = match rng.u8(0..12) {
        0 => byte(rng, table, 0..HEADER_SIZE)?,
        1 => change(rng, table, LENGTH, 4)?,
        2..=4 => {
            let end = table.len();
            byte(rng, table, body.start..end)?
        }
        5 => {
            // A piece of the body in another place of it.
            let room = body.len().min(64);
            let length = rng.usize(..room.max(1));
            let from = body.start + rng.usize(..body.len().saturating_sub(length).max(1));
            let to = body.start + rng.usize(..body.len().saturating_sub(length).max(1));
            if from + length > table.len() || to + length > table.len() {
                return None;
            }
            table.copy_within(from..from + length, to);
            format!("{length} bytes from {from:#x} at {to:#x}")
        }
        _ => {
            let size = 1 << rng.u32(0..4);
            let fields = body.len() / size;
            let at = body.start + size * (fields > 0).then(|| rng.usize(..fields))?;
            change(rng, table, at, size)?
        }
    };
    Some(format!("{name}: {what}"))
}

/// Gives the little-endian field of `size` bytes at `at` another value.
fn change(rng: &mut Rng, bytes: &mut [u8], at: usize, size: usize) -> Option<String> {
    let field = bytes.get_mut(at..at + size)?;
    let old = field.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let new = value(rng, old, size);
    field.copy_from_slice(&new.to_le_bytes()[..size]);
    Some(format!("{size} bytes at {at:#x}: {old:#x} becomes {new:#x}"))
}
