//! PCI segments of host bridges: `linux,pci-domain`, or else a free number.
//!
//! Linux: `of_pci_bus_find_domain_nr`, which keeps the numbers that the tree has in one set (`static_ida`) and
//! those that it chooses in another (`dynamic_ida`), in which the numbers of the tree are taken beforehand.

use alloc::vec::Vec;

use super::tree::{NodeIndex, Tree};

const DOMAIN: &str = "linux,pci-domain";

/// The numbers that are taken.
pub(super) struct Segments {
    /// By host bridges whose node has a number; ascending.
    given: Vec<u16>,
    /// By host bridges whose node has none, or set aside; ascending.
    chosen: Vec<u16>,
}

impl Segments {
    /// Sets aside the numbers of all nodes for PCI, also those that are disabled
    /// (`of_pci_reserve_static_domain_nr`).
    pub(super) fn new(tree: &Tree) -> Self {
        let is_pci = |node: &NodeIndex| tree.text(*node, "device_type") == Some("pci");
        let mut chosen = Vec::new();
        for node in tree.nodes() {
            if let Some(number) = number(tree, node).filter(|_| is_pci(&node)) {
                add(&mut chosen, number);
            }
        }
        Self { given: Vec::new(), chosen }
    }

    /// The number for the next host bridge.
    pub(super) fn take(&mut self, tree: &Tree, host: NodeIndex) -> Segment {
        match number(tree, host) {
            Some(number) if add(&mut self.given, number) => Segment::Free(number),
            Some(number) => Segment::Taken(number),
            None => {
                let place = (0..=u16::MAX).zip(&self.chosen).position(|(free, taken)| free != *taken);
                let free = place.unwrap_or(self.chosen.len());
                match u16::try_from(free) {
                    Ok(number) => {
                        self.chosen.insert(free, number);
                        Segment::Free(number)
                    }
                    Err(_) => Segment::NoneLeft,
                }
            }
        }
    }
}

/// Puts `number` among `numbers`, which ascend; false if it is there already.
fn add(numbers: &mut Vec<u16>, number: u16) -> bool {
    let place = numbers.binary_search(&number);
    if let Err(place) = place {
        numbers.insert(place, number);
    }
    place.is_err()
}

/// What a host bridge gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// This number, which no host bridge before it has from the tree.
    Free(u16),
    /// Its node has the number of a host bridge before it.
    Taken(u16),
    /// All numbers are taken.
    NoneLeft,
}

/// 16 bits of the first cell (Linux: `of_get_pci_domain_nr`).
fn number(tree: &Tree, node: NodeIndex) -> Option<u16> {
    tree.number(node, DOMAIN).map(|cell| cell as u16)
}
