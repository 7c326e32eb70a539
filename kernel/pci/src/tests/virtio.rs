//! Valid and invalid capabilities of virtio functions.

extern crate std;

use std::vec::Vec;

use super::model::{Model, On, virt_root};
use crate::{FunctionKind, VirtioCapability, VirtioStructure, enumerate, virtio_capabilities};

/// A capability: size, type, BAR, offset, length, multiplier.
type Words = (u8, u8, u8, u32, u32, u32);

/// Reads a function with these capabilities.
fn read(all: &[Words]) -> Vec<VirtioCapability> {
    let mut model = Model::virt();
    let index = model.device(On::Root(0), 1, 0, FunctionKind::RcEndpoint);
    for (size, kind, bar, start, length, multiplier) in all {
        let card = &mut model.cards[index];
        let at = usize::from(card.capability(0x09, 16));
        card.set8(at + 2, *size);
        card.set8(at + 3, *kind);
        card.set8(at + 4, *bar);
        card.set32(at + 8, *start);
        card.set32(at + 12, *length);
        card.set32(at + 16, *multiplier);
    }
    let topology = enumerate(&mut model, &[virt_root()]);
    virtio_capabilities(&model, &topology.functions()[1])
}

#[test]
fn the_four_structures_are_found() {
    let all = read(&[
        (16, 1, 4, 0, 56, 0),
        (16, 3, 4, 0x1000, 1, 0),
        (16, 4, 4, 0x2000, 64, 0),
        (20, 2, 4, 0x3000, 8, 4),
    ]);
    let structures: Vec<_> =
        all.iter().map(|each| (each.structure, each.bar, each.start, each.length)).collect();
    assert_eq!(
        structures,
        [
            (VirtioStructure::Common, 4, 0, 56),
            (VirtioStructure::Interrupt, 4, 0x1000, 1),
            (VirtioStructure::Device, 4, 0x2000, 64),
            (VirtioStructure::Notify { multiplier: 4 }, 4, 0x3000, 8),
        ]
    );
}

#[test]
fn valid_capabilities_keep_their_order() {
    let all = read(&[(16, 1, 6, 0, 56, 0), (16, 1, 2, 0, 56, 0), (16, 1, 3, 0, 56, 0)]);
    assert_eq!(all.iter().map(|each| each.bar).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn capabilities_that_exceed_every_bar_or_are_too_short_are_ignored() {
    for bad in [
        (16, 1, 0, u32::MAX, 1, 0),
        (16, 1, 0, 1, u32::MAX, 0),
        (15, 1, 0, 0, 56, 0),
        (16, 2, 0, 0, 56, 0),
        (16, 0, 0, 0, 56, 0),
        (16, 5, 0, 0, 56, 0),
        (20, 6, 0, 0, 56, 0),
        (16, 1, 255, 0, 56, 0),
        (255, 255, 255, u32::MAX, u32::MAX, u32::MAX),
    ] {
        assert_eq!(read(&[bad]), [], "{bad:?}");
    }
}
