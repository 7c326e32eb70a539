//! Target `acpi`: memory with an RSDP, as it is or sealed; or the bodies of tables, which are put there.
//!
//! The first byte says which. Sealed means that every checksum on the way is made right, for else it would
//! stop nearly all that is changed. A body is a kind (one byte), a length (two, little-endian), and that many
//! bytes: the table's revision, and what stands behind its header.

use std::hint::black_box;

use addr::{PhysAddr, Range};
use firmware::acpi::{Arena, PhysicalMemory, Surroundings, Tables, describe};

use crate::acpi_handler::open;
use crate::{MOST, answers};

/// Where the memory begins; the RSDP is its first bytes.
const BASE: u64 = 0x4000_0000;
/// Bytes of a table's header (ACPI 6.5, section 5.2.6).
pub const HEADER_SIZE: usize = 36;
/// Offset of the checksum in it.
const CHECKSUM: usize = 9;
/// Most tables of which memory is made.
const MAX_TABLES: usize = 12;
/// Tables by kind; the last one is none that is read.
const KINDS: [&[u8; 4]; 9] =
    [b"DSDT", b"SSDT", b"FACP", b"APIC", b"MCFG", b"SPCR", b"IORT", b"VIOT", b"OEM1"];

/// First byte of an input whose rest is bodies.
const BODIES: u8 = 0;
/// First byte of an input whose rest is memory, to be read as it is.
const MEMORY: u8 = 1;
/// First byte of an input whose rest is memory, to be sealed.
const SEALED: u8 = 2;

struct Memory(Vec<u8>);

impl PhysicalMemory for Memory {
    fn read(&self, at: PhysAddr, bytes: usize) -> Option<Vec<u8>> {
        let start = offset(at.0)?;
        Some(self.0.get(start..start.checked_add(bytes)?)?.to_vec())
    }
}

fn offset(at: u64) -> Option<usize> {
    usize::try_from(at.checked_sub(BASE)?).ok()
}

/// Gathers tables, describes the machine, and asks everything of it.
pub fn exercise(input: &[u8]) {
    let (mode, rest) = input.split_first().unwrap_or((&BODIES, &[]));
    let memory = match mode % 3 {
        BODIES => assemble(&tables(rest)),
        MEMORY => rest.to_vec(),
        _ => sealed(rest.to_vec()),
    };
    let tables = match Tables::gather(PhysAddr(BASE), &Memory(memory)) {
        Ok(tables) => tables,
        Err(error) => {
            black_box(error.to_string());
            return;
        }
    };
    let ram = Range::from_size(PhysAddr(BASE), 0x1000_0000).expect("it is not empty");
    let surroundings = Surroundings { memory: vec![ram], ..Surroundings::default() };
    let arena = Arena::new(&tables);
    let opened = open(&arena).expect("the acpi crate takes every arena");
    let (description, map) = describe(&tables, &opened, surroundings).expect("there is RAM");
    answers::check(&description, &map, map.node_count(), &MOST);
}

/// The tables whose bodies `input` has.
fn tables(mut input: &[u8]) -> Vec<Vec<u8>> {
    let mut tables = Vec::new();
    while let ([kind, low, high, rest @ ..], true) = (input, tables.len() < MAX_TABLES) {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (body, rest) = rest.split_at(length);
        let (revision, body) = body.split_first().unwrap_or((&0, &[]));
        tables.push(table(*KINDS[usize::from(*kind) % KINDS.len()], *revision, body));
        input = rest;
    }
    tables
}

/// A whole table, sealed.
#[must_use]
pub fn table(signature: [u8; 4], revision: u8, body: &[u8]) -> Vec<u8> {
    let length = (HEADER_SIZE + body.len()) as u32;
    let mut table = [&signature, length.to_le_bytes().as_slice(), &[revision, 0]].concat();
    table.extend(b"OEMID OEMTABLE");
    table.resize(HEADER_SIZE, 0);
    table.extend(body);
    seal(&mut table, CHECKSUM);
    table
}

/// Memory with an RSDP, an XSDT and `tables`; a FACP points to the DSDT, which no root table names.
#[must_use]
pub fn assemble(tables: &[Vec<u8>]) -> Vec<u8> {
    const XSDT_AT: usize = 48;
    let is = |table: &[u8], signature: &[u8; 4]| table.starts_with(signature);
    let named = tables.iter().filter(|table| !is(table, b"DSDT")).count();
    let mut at = XSDT_AT + HEADER_SIZE + 8 * named;
    let mut places = Vec::new();
    for table in tables {
        at = at.next_multiple_of(8);
        places.push(at);
        at += table.len();
    }
    let address = |at: usize| (BASE + at as u64).to_le_bytes();
    let dsdt = tables.iter().zip(&places).find(|(table, _)| is(table, b"DSDT")).map(|(_, at)| address(*at));
    let entries: Vec<u8> = tables
        .iter()
        .zip(&places)
        .filter(|(table, _)| !is(table, b"DSDT"))
        .flat_map(|(_, at)| address(*at))
        .collect();

    let mut memory = vec![0; at];
    memory[..16].copy_from_slice(b"RSD PTR \0OEMID\0\x02");
    memory[20] = 36;
    memory[24..32].copy_from_slice(&address(XSDT_AT));
    seal(&mut memory[..20], 8);
    seal(&mut memory[..36], 32);
    let xsdt = self::table(*b"XSDT", 1, &entries);
    memory[XSDT_AT..][..xsdt.len()].copy_from_slice(&xsdt);
    for (table, at) in tables.iter().zip(places) {
        let place = &mut memory[at..][..table.len()];
        place.copy_from_slice(table);
        // X_DSDT (ACPI 6.5, table 5.9).
        if let (true, Some(dsdt), Some(field)) = (is(table, b"FACP"), dsdt, place.get_mut(140..148)) {
            field.copy_from_slice(&dsdt);
            seal(place, CHECKSUM);
        }
    }
    memory
}

/// `memory` with right checksums in the RSDP, in its root table and in every table that this names.
fn sealed(mut memory: Vec<u8>) -> Vec<u8> {
    let number = |memory: &[u8], at: usize, bytes: usize| {
        let field = memory.get(at..at.checked_add(bytes)?)?;
        Some(field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let root = |memory: &[u8]| match number(memory, 24, 8)? {
        0 => Some((number(memory, 16, 4)?, 4)),
        xsdt => Some((xsdt, 8)),
    };
    let root = root(&memory).and_then(|(at, width)| Some((offset(at)?, width)));
    let length =
        |memory: &[u8], at: usize| number(memory, at.checked_add(4)?, 4).map(|length| length as usize);
    if let Some((root, width)) = root {
        let entries = length(&memory, root).unwrap_or_default().saturating_sub(HEADER_SIZE) / width;
        for entry in 0..entries.min(MAX_TABLES) {
            let field = root.saturating_add(HEADER_SIZE + entry * width);
            let Some(table) = number(&memory, field, width).and_then(offset) else { continue };
            if memory.get(table..).is_some_and(|table| table.starts_with(b"FACP")) {
                let dsdt = number(&memory, table.saturating_add(140), 8).and_then(offset);
                dsdt.into_iter().for_each(|dsdt| seal_at(&mut memory, dsdt));
            }
            seal_at(&mut memory, table);
        }
        seal_at(&mut memory, root);
    }
    if let Some(rsdp) = memory.get_mut(..20) {
        seal(rsdp, 8);
    }
    let length = number(&memory, 20, 4).unwrap_or_default() as usize;
    if let Some(rsdp) = memory.get_mut(..length).filter(|rsdp| rsdp.len() >= 36) {
        seal(rsdp, 32);
    }
    memory
}

/// Seals the table at `at`, if it is there.
fn seal_at(memory: &mut [u8], at: usize) {
    let length = memory.get(at..).and_then(|table| table.get(4..8)?.first_chunk()).copied();
    let end = length.and_then(|length| at.checked_add(u32::from_le_bytes(length) as usize));
    if let Some(table) = end.and_then(|end| memory.get_mut(at..end)).filter(|table| table.len() > CHECKSUM) {
        seal(table, CHECKSUM);
    }
}

/// Makes the bytes add up to 0 by the one at `at`.
fn seal(bytes: &mut [u8], at: usize) {
    bytes[at] = 0;
    bytes[at] = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
}

/// An input of bodies, of whole tables.
#[must_use]
pub fn bodies(tables: &[Vec<u8>]) -> Vec<u8> {
    let mut input = vec![BODIES];
    for table in tables {
        let Some(kind) = KINDS.iter().position(|kind| table.starts_with(*kind)) else { continue };
        let body = &table[HEADER_SIZE..];
        input.push(kind as u8);
        input.extend((1 + body.len() as u16).to_le_bytes());
        input.push(table[8]);
        input.extend(body);
    }
    input
}

/// Two inputs of memory with `tables`: one that is read as it is, one that is sealed.
#[must_use]
pub fn memories(tables: &[Vec<u8>]) -> [Vec<u8>; 2] {
    let memory = assemble(tables);
    [MEMORY, SEALED].map(|mode| [&[mode], memory.as_slice()].concat())
}
