//! Damage to a device tree blob (Devicetree Specification 0.4, section 5): to bytes, and to what they mean.

use fastrand::Rng;

use super::random::{byte, cut, one_of, value};

/// Tokens of the structure block (section 5.4.1).
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOP: u32 = 4;

/// Offsets in the header.
const TOTAL_SIZE: usize = 4;
const STRUCTURE: usize = 8;
const STRINGS: usize = 12;
const RESERVED: usize = 16;
const STRINGS_SIZE: usize = 32;
const STRUCTURE_SIZE: usize = 36;
const HEADER_SIZE: usize = 40;

/// Parts of names of the nodes that the kernel reads more of than their names.
const READ_NODES: [&str; 9] =
    ["pcie", "iommu", "smmu", "memory", "virtio_mmio", "pl011", "chosen", "fw-cfg", "psci"];

/// Properties whose values differ from dump to dump.
const RANDOM_PROPERTIES: [&str; 2] = ["rng-seed", "kaslr-seed"];

/// A node: where its first token is, and the end of its last one.
struct Node {
    path: String,
    start: usize,
    end: usize,
}

/// A property: where its token is, and the length of its value, which begins 12 bytes behind.
struct Property {
    node: String,
    name: String,
    at: usize,
    length: usize,
}

/// What is where in a blob that is right as far as it was read.
#[derive(Default)]
struct Parts {
    nodes: Vec<Node>,
    properties: Vec<Property>,
    structure: usize,
    structure_end: usize,
}

fn word(blob: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(blob.get(at..at + 4)?.try_into().ok()?))
}

fn set_word(blob: &mut [u8], at: usize, word: u32) {
    if let Some(bytes) = blob.get_mut(at..at + 4) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
}

fn text(blob: &[u8], at: usize) -> String {
    let bytes = blob.get(at..).unwrap_or_default().iter().take_while(|byte| **byte != 0).take(128);
    String::from_utf8_lossy(&bytes.copied().collect::<Vec<u8>>()).into_owned()
}

impl Parts {
    /// Reads as far as the blob can be read.
    fn of(blob: &[u8]) -> Self {
        let mut parts = Self::default();
        let _ = parts.read(blob);
        parts
    }

    fn read(&mut self, blob: &[u8]) -> Option<()> {
        let strings = word(blob, STRINGS)? as usize;
        self.structure = word(blob, STRUCTURE)? as usize;
        self.structure_end = self.structure.checked_add(word(blob, STRUCTURE_SIZE)? as usize)?;
        let mut at = self.structure;
        let mut open: Vec<(String, usize)> = Vec::new();
        while at < self.structure_end {
            let start = at;
            match word(blob, at)? {
                BEGIN_NODE => {
                    let name = text(blob, at + 4);
                    at = (at + 4 + name.len() + 1).next_multiple_of(4);
                    let above = open.last().map_or("", |(path, _)| path.trim_end_matches('/'));
                    open.push((format!("{above}/{name}"), start));
                }
                END_NODE => {
                    at += 4;
                    let (path, start) = open.pop()?;
                    self.nodes.push(Node { path, start, end: at });
                }
                PROPERTY => {
                    let length = word(blob, at + 4)? as usize;
                    let name = text(blob, strings.checked_add(word(blob, at + 8)? as usize)?);
                    let node = open.last().map(|(path, _)| path.clone())?;
                    at = at.checked_add(12)?.checked_add(length)?.checked_next_multiple_of(4)?;
                    self.properties.push(Property { node, name, at: start, length });
                }
                NOP => at += 4,
                _ => break,
            }
        }
        Some(())
    }

    /// A property, more often one that the kernel reads.
    fn property(&self, rng: &mut Rng) -> Option<&Property> {
        let read: Vec<&Property> = self
            .properties
            .iter()
            .filter(|property| READ_NODES.iter().any(|name| property.node.contains(name)))
            .collect();
        if rng.u8(0..4) > 0 { one_of(rng, &read).copied() } else { one_of(rng, &self.properties) }
    }

    /// A node other than the root, more often one that the kernel reads.
    fn node(&self, rng: &mut Rng) -> Option<&Node> {
        let nodes: Vec<&Node> = self.nodes.iter().filter(|node| node.path != "/").collect();
        let read: Vec<&Node> = nodes
            .iter()
            .copied()
            .filter(|node| READ_NODES.iter().any(|name| node.path.contains(name)))
            .collect();
        if rng.bool() { one_of(rng, &read).copied() } else { one_of(rng, &nodes).copied() }
    }
}

/// Replaces `length` bytes at `at`, inside of the structure block, and makes the header fit.
fn splice(blob: &mut Vec<u8>, at: usize, length: usize, new: &[u8]) {
    let end = (at + length).min(blob.len());
    blob.splice(at..end, new.iter().copied());
    let moved = |old: u32| (old as usize + new.len()).wrapping_sub(length) as u32;
    for offset in [TOTAL_SIZE, STRUCTURE_SIZE] {
        let old = word(blob, offset).unwrap_or_default();
        set_word(blob, offset, moved(old));
    }
    for offset in [STRINGS, RESERVED, STRUCTURE] {
        let old = word(blob, offset).unwrap_or_default();
        if old as usize > at {
            set_word(blob, offset, moved(old));
        }
    }
}

/// Makes dumps of the same machine equal: QEMU fills these properties with random numbers, and pads the blob.
pub(super) fn normalise(blob: &mut Vec<u8>) {
    for property in Parts::of(blob).properties {
        if RANDOM_PROPERTIES.contains(&property.name.as_str()) {
            blob[property.at + 12..property.at + 12 + property.length].fill(0);
        }
    }
    let ends = [(STRUCTURE, STRUCTURE_SIZE), (STRINGS, STRINGS_SIZE)].map(|(offset, size)| {
        word(blob, offset).unwrap_or_default() as usize + word(blob, size).unwrap_or_default() as usize
    });
    let end = ends.into_iter().max().unwrap_or_default().max(HEADER_SIZE);
    blob.truncate(end);
    let total = blob.len() as u32;
    set_word(blob, TOTAL_SIZE, total);
}

/// Damages `blob` once, and returns how; `None` if the kind that was drawn does not apply.
pub(super) fn damage(rng: &mut Rng, blob: &mut Vec<u8>) -> Option<String> {
    let parts = Parts::of(blob);
    match rng.u8(0..28) {
        0..=2 => {
            let end = blob.len();
            byte(rng, blob, 0..end)
        }
        3 | 4 => {
            let words = parts.structure_end.saturating_sub(parts.structure) / 4;
            let at = parts.structure + 4 * (words > 0).then(|| rng.usize(..words))?;
            change_word(rng, blob, at)
        }
        5 => {
            let at = 4 * rng.usize(..HEADER_SIZE / 4);
            change_word(rng, blob, at).map(|what| format!("header: {what}"))
        }
        6..=11 => {
            let property = parts.property(rng)?;
            change_value(rng, blob, property)
        }
        12..=14 => {
            let property = parts.property(rng)?;
            resize(rng, blob, property)
        }
        15 => {
            let Property { node, name, at, .. } = parts.property(rng)?;
            let what = change_word(rng, blob, at + 4)?;
            Some(format!("length field of {node} {name}: {what}"))
        }
        16 => {
            let Property { node, name, at, .. } = parts.property(rng)?;
            let other = one_of(rng, &parts.properties)?;
            let offset = word(blob, other.at + 8)?;
            set_word(blob, at + 8, offset);
            Some(format!("{node} {name} is called {}", other.name))
        }
        17 | 18 => {
            let Property { node, name, at, length } = parts.property(rng)?;
            splice(blob, *at, (12 + length).next_multiple_of(4), &[]);
            Some(format!("{node} {name} deleted"))
        }
        19 => {
            let Node { path, start, end } = parts.node(rng)?;
            splice(blob, *start, end - start, &[]);
            Some(format!("{path} deleted"))
        }
        20 => {
            let Node { path, start, end } = parts.node(rng)?;
            let copy = blob.get(*start..*end)?.to_vec();
            splice(blob, *start, 0, &copy);
            Some(format!("{path} twice"))
        }
        21 => {
            let Node { path, start, .. } = parts.node(rng)?;
            let name = start + 4..start + 4 + path.rsplit('/').next().map_or(0, str::len);
            byte(rng, blob, name).map(|what| format!("name of {path}: {what}"))
        }
        22 => {
            let what = cut(rng, blob)?;
            if rng.bool() {
                let total = blob.len() as u32;
                set_word(blob, TOTAL_SIZE, total);
            }
            Some(what)
        }
        23 => {
            let at = word(blob, RESERVED)? as usize + 4 * rng.usize(..4);
            change_word(rng, blob, at).map(|what| format!("memory reservation block: {what}"))
        }
        24 | 25 => {
            let (one, other) = (parts.property(rng)?, parts.property(rng)?);
            let value = blob.get(other.at + 12..other.at + 12 + other.length)?.to_vec();
            let padded = [&value[..], &[0; 3][..]].concat();
            splice(
                blob,
                one.at + 12,
                one.length.next_multiple_of(4),
                &padded[..value.len().next_multiple_of(4)],
            );
            set_word(blob, one.at + 4, value.len() as u32);
            Some(format!("{} {} has the value of {} {}", one.node, one.name, other.node, other.name))
        }
        _ => {
            let Property { node, name, at, length } = parts.property(rng)?;
            byte(rng, blob, at + 12..at + 12 + length).map(|what| format!("{node} {name}: {what}"))
        }
    }
}

fn change_word(rng: &mut Rng, blob: &mut [u8], at: usize) -> Option<String> {
    let old = word(blob, at)?;
    let new = value(rng, old.into(), 4) as u32;
    set_word(blob, at, new);
    Some(format!("word {at:#x}: {old:#x} becomes {new:#x}"))
}

fn change_value(rng: &mut Rng, blob: &mut [u8], property: &Property) -> Option<String> {
    let Property { node, name, at, length } = property;
    let cell = (length / 4 > 0).then(|| rng.usize(..length / 4))?;
    let what = change_word(rng, blob, at + 12 + 4 * cell)?;
    Some(format!("cell {cell} of {node} {name}: {what}"))
}

/// Gives a property fewer or more bytes, in a structure that stays right.
fn resize(rng: &mut Rng, blob: &mut Vec<u8>, property: &Property) -> Option<String> {
    let Property { node, name, at, length } = property;
    let start = at + 12;
    let mut value = blob.get(start..start + length)?.to_vec();
    let new = match rng.u8(0..4) {
        0 => 0,
        1 => rng.usize(..length + 1),
        2 => length + 4 * rng.usize(1..8),
        _ => length + rng.usize(1..64),
    };
    value.resize_with(new, || if rng.bool() { 0 } else { rng.u8(..) });
    let mut padded = value;
    padded.resize(new.next_multiple_of(4), 0);
    splice(blob, start, length.next_multiple_of(4), &padded);
    set_word(blob, at + 4, new as u32);
    Some(format!("{node} {name} has {new} bytes in place of {length}"))
}
