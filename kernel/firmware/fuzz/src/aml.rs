//! Target `aml`: two definition blocks, a DSDT and an SSDT, under headers that are right.
//!
//! An input is the length of the first block (two bytes, little-endian), that block, and the second one.

use std::hint::black_box;

use firmware::acpi::aml::{Resource, read};

use crate::acpi::table;

/// Reads the blocks, and checks what a namespace promises.
pub fn exercise(input: &[u8]) {
    let (length, rest) = input.split_at_checked(2).unwrap_or_default();
    let length = length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let (first, second) = rest.split_at(length.min(rest.len()));
    let (dsdt, ssdt) = (table(*b"DSDT", 2, first), table(*b"SSDT", 2, second));
    let blocks: &[&[u8]] = if second.is_empty() { &[&dsdt] } else { &[&dsdt, &ssdt] };
    let namespace = read(blocks);
    for (index, device) in namespace.devices().iter().enumerate() {
        assert!(device.parent.is_none_or(|parent| parent < index), "a device before its parent");
        assert!(device.path.starts_with('\\') && device.path.ends_with(&device.name), "a path without name");
        for resource in &device.crs {
            if let Resource::Space(space) = resource {
                assert!(space.cpu_range().is_some(), "a window that the CPU cannot have");
            }
        }
        black_box(namespace.device(&device.path));
    }
    for finding in namespace.findings() {
        let is_summary = finding.id == "findings-left-out";
        assert!(is_summary || finding.place.contains(", byte 0x"), "a finding without place");
    }
}

/// An input of two blocks, each without its header.
#[must_use]
pub fn blocks(dsdt: &[u8], ssdt: &[u8]) -> Vec<u8> {
    let length = u16::try_from(dsdt.len()).expect("the blocks here are short");
    [&length.to_le_bytes(), dsdt, ssdt].concat()
}

/// Opcodes in front of a device (ACPI 6.5, section 20.2.5.2).
const DEVICE: &[u8] = &[0x5b, 0x82];
/// Opcode in front of a scope (section 20.2.5.1).
const SCOPE: &[u8] = &[0x10];

/// AML of one scope with devices, as QEMU writes it, made short: fewer bytes are more executions.
///
/// Of the 32 devices for virtio-mmio the first stands for all, and host bridges lose their interrupt routing.
/// AML of another shape comes back as it is.
#[must_use]
pub fn shortened(aml: &[u8]) -> Vec<u8> {
    let Some((name, items, rest)) = scope(aml) else { return aml.to_vec() };
    let content: Vec<u8> = items.into_iter().flatten().collect();
    [package(SCOPE, &[name, &content].concat()), rest.to_vec()].concat()
}

/// Each device of such AML, in a scope of its own.
#[must_use]
pub fn devices(aml: &[u8]) -> Vec<Vec<u8>> {
    let Some((name, items, _)) = scope(aml) else { return Vec::new() };
    items.iter().map(|item| package(SCOPE, &[name, item].concat())).collect()
}

/// A scope's name, its devices, and what is behind it.
type Scope<'a> = (&'a [u8], Vec<Vec<u8>>, &'a [u8]);

/// The first scope, without devices that only repeat others.
fn scope(aml: &[u8]) -> Option<Scope<'_>> {
    let (content, rest) = split_package(aml.strip_prefix(SCOPE)?)?;
    let devices_at = content.windows(2).position(|window| window == DEVICE)?;
    let (name, mut content) = content.split_at(devices_at);
    let mut items = Vec::new();
    while let Some((device, rest)) = content.strip_prefix(DEVICE).and_then(split_package) {
        if !device.starts_with(b"VR") || device.starts_with(b"VR00") {
            items.push(package(DEVICE, &without_routing(device)));
        }
        content = rest;
    }
    items.push(content.to_vec());
    Some((name, items, rest))
}

/// A device's content without its `_PRT`, if that is a package of variable length.
fn without_routing(content: &[u8]) -> Vec<u8> {
    const ROUTING: &[u8] = b"\x08_PRT\x13";
    let at = content.windows(ROUTING.len()).position(|window| window == ROUTING);
    let split = at.and_then(|at| Some((&content[..at], split_package(&content[at + ROUTING.len()..])?.1)));
    split.map_or(content.to_vec(), |(before, behind)| [before, behind].concat())
}

/// What is in a package, whose length comes first (ACPI 6.5, section 20.2.4), and what is behind it.
fn split_package(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let lead = *bytes.first()?;
    let more = usize::from(lead >> 6);
    let high = bytes.get(1..=more)?.iter().rev().fold(0, |high, byte| high << 8 | usize::from(*byte));
    let length = if more == 0 { usize::from(lead) } else { high << 4 | usize::from(lead & 0xf) };
    let (package, rest) = bytes.split_at_checked(length)?;
    Some((package.get(1 + more..)?, rest))
}

/// A package; its length always takes three bytes.
fn package(opcode: &[u8], content: &[u8]) -> Vec<u8> {
    let length = 3 + content.len();
    let length = [0x80 | (length & 0xf) as u8, (length >> 4) as u8, (length >> 12) as u8];
    [opcode, length.as_slice(), content].concat()
}
