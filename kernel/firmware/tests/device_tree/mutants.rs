//! Real trees, damaged: an error or a value that keeps its promises, never a panic.

use std::hint::black_box;

use firmware::device_tree::{describe, early};

use crate::answers::{self, Most};
use crate::fixtures::{ALL, IOMMU, SMMUV3};

/// Asks everything that the kernel would ask of a tree, and checks what a description promises. Whether there is a
/// description at all.
fn exercise(blob: &[u8]) -> bool {
    let (description, map) = match describe(blob) {
        Ok(described) => described,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            black_box(early(blob));
            return false;
        }
    };
    let all = Most { nodes: u32::MAX, bridges: usize::MAX };
    answers::check(&description, &map, map.node_count(), &all);
    true
}

#[test]
fn no_prefix_of_a_tree_is_taken_for_a_tree() {
    for (name, blob) in ALL {
        for length in 0..blob.len() {
            assert!(describe(&blob[..length]).is_err(), "{name} up to {length:#x}");
        }
        assert!(exercise(blob), "{name}");
    }
    for length in 0..IOMMU.len() {
        exercise(&IOMMU[..length]);
    }
}

#[test]
fn a_prefix_that_says_its_own_length_is_a_value_or_an_error() {
    let mut blob = IOMMU.to_vec();
    for length in (40..IOMMU.len()).rev() {
        blob.truncate(length);
        blob[4..8].copy_from_slice(&(length as u32).to_be_bytes());
        exercise(&blob);
    }
}

/// The places of a real tree, without those that only repeat others: of QEMU's 32 nodes for
/// virtio-mmio, alike but for their numbers, the last one stands for all.
fn places(blob: &[u8]) -> impl Iterator<Item = usize> + use<> {
    let find = |needle: &[u8]| blob.windows(needle.len()).position(|window| window == needle).unwrap();
    let alike = find(b"virtio_mmio@a000000\0")..find(b"virtio_mmio@a003e00\0");
    assert!(alike.len() > 3_000, "most of the tree");
    (0..blob.len()).filter(move |at| !alike.contains(at))
}

/// Each of `places` changed once in some ways: in all four with optimisation, else in two, by turns.
fn change_bytes(original: &[u8], places: impl Iterator<Item = usize>) {
    let mut blob = original.to_vec();
    for at in places {
        let byte = original[at];
        let ways = [0, byte ^ 0x80, 0xff, byte ^ 1];
        let ways = if cfg!(debug_assertions) { &ways[at % 2 * 2..][..2] } else { &ways[..] };
        for &changed in ways {
            if changed != byte {
                blob[at] = changed;
                exercise(&blob);
            }
        }
        blob[at] = byte;
    }
}

#[test]
fn each_changed_byte_gives_a_value_or_an_error() {
    change_bytes(IOMMU, places(IOMMU));
}

#[test]
fn changed_bytes_of_another_machine_too() {
    change_bytes(SMMUV3, places(SMMUV3).step_by(29));
}

#[test]
fn each_word_changed_gives_a_value_or_an_error() {
    let mut blob = IOMMU.to_vec();
    for at in places(IOMMU).step_by(4).filter(|at| at + 4 <= IOMMU.len()) {
        for word in [2u32, 0x7fff_ffff] {
            blob[at..at + 4].copy_from_slice(&word.to_be_bytes());
            exercise(&blob);
        }
        blob[at..at + 4].copy_from_slice(&IOMMU[at..at + 4]);
    }
}
