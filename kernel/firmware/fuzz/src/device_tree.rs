//! Target `device_tree`: a blob as it is, or the two blocks of one under a header that is right.
//!
//! An input that begins with the magic number is taken as it is. Any other is the length of the structure
//! block (two bytes, little-endian), that block, and the strings; so bytes can be put in and taken out without
//! the header's offsets telling at once.

use std::hint::black_box;

use firmware::device_tree::{describe, early};

use crate::{MOST, answers};

/// First bytes of every blob (Devicetree Specification 0.4, section 5.2).
const MAGIC: [u8; 4] = 0xd00d_feed_u32.to_be_bytes();
/// Bytes of the header.
const HEADER_SIZE: usize = 40;
/// Bytes of the list of reserved memory if it is empty: the entry that ends it.
const RESERVATIONS_SIZE: usize = 16;

/// Reads one tree, and asks everything of it.
pub fn exercise(input: &[u8]) {
    let built;
    let blob = if input.starts_with(&MAGIC) {
        input
    } else {
        built = build(input);
        &built
    };
    match describe(blob) {
        Ok((description, map)) => answers::check(&description, &map, map.node_count(), &MOST),
        Err(error) => {
            black_box(error.to_string());
            black_box(early(blob));
        }
    }
}

/// The blob whose blocks `input` has.
#[must_use]
pub fn build(input: &[u8]) -> Vec<u8> {
    let (length, rest) = input.split_at_checked(2).unwrap_or_default();
    let length = length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let (structure, strings) = rest.split_at(length.min(rest.len()));
    let structure_at = HEADER_SIZE + RESERVATIONS_SIZE;
    let strings_at = structure_at + structure.len();
    let total = strings_at + strings.len();
    let header = [total, structure_at, strings_at, HEADER_SIZE, 17, 16, 0, strings.len(), structure.len()];
    let mut blob = MAGIC.to_vec();
    for field in header {
        blob.extend((field as u32).to_be_bytes());
    }
    blob.extend([0; RESERVATIONS_SIZE]);
    blob.extend(structure);
    blob.extend(strings);
    blob
}

/// The blocks of a sound blob, in the form that needs no header.
#[must_use]
pub fn blocks(blob: &[u8]) -> Vec<u8> {
    let field = |number: usize| {
        let bytes = blob[4 * number..].first_chunk().expect("a sound blob has a header");
        u32::from_be_bytes(*bytes) as usize
    };
    let structure = &blob[field(2)..][..field(9)];
    let strings = &blob[field(3)..][..field(8)];
    let structure = without_repetitions(structure);
    let length = u16::try_from(structure.len()).expect("the trees here are short");
    [&length.to_le_bytes(), structure.as_slice(), strings].concat()
}

/// The structure without nodes that only repeat others: of QEMU's 32 for virtio-mmio, alike but for their
/// numbers, the last one stands for all. Fewer bytes are more executions.
fn without_repetitions(structure: &[u8]) -> Vec<u8> {
    const BEGIN_NODE: &[u8] = &[0, 0, 0, 1];
    let find = |name: &[u8]| {
        let start = [BEGIN_NODE, name].concat();
        structure.windows(start.len()).position(|window| window == start)
    };
    match (find(b"virtio_mmio@a000000\0"), find(b"virtio_mmio@a003e00\0")) {
        (Some(first), Some(last)) if first < last => [&structure[..first], &structure[last..]].concat(),
        _ => structure.to_vec(),
    }
}
