//! What a bus needs of one kind of addresses, packed into one block.

use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::function::bridge::WindowKind;
use crate::function::index::{BusIndex, FunctionIndex};
use crate::place::per_bar::BarIndex;
use crate::place::window::{PerWindow, Window};
use crate::topology::Topology;

/// Something that needs addresses on a bus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) what: What,
    /// The bus that it is on, and the kind of window that it wants there.
    pub(crate) window: Window,
    pub(crate) size: u64,
    pub(crate) alignment: u64,
    /// Where in the block, once it is packed.
    pub(crate) offset: u64,
    /// The largest BAR in it.
    pub(crate) largest: u64,
    /// Index of its function, or of the bridge to it: of two alike, the later one goes without.
    pub(crate) function: Option<FunctionIndex>,
}

impl Item {
    /// Largest alignment first, then what ends where the next can begin, then largest size, then device order.
    pub(crate) fn order(&self) -> (Reverse<u64>, bool, Reverse<u64>, Option<FunctionIndex>) {
        let ragged = !self.size.is_multiple_of(self.alignment);
        (Reverse(self.alignment), ragged, Reverse(self.size), self.function)
    }
}

/// Brings items into the order of [`Item::order`]; not inlined, so that the emulator has one copy to translate.
#[inline(never)]
pub(crate) fn sort(items: &mut [Item]) {
    items.sort_by_key(Item::order);
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Bar(BarIndex),
    /// The block of the bus with this index, behind a bridge on this bus.
    Block(BusIndex),
}

/// What a bus holds of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    pub(crate) items: Vec<Item>,
    pub(crate) size: u64,
    pub(crate) alignment: u64,
}

impl Block {
    /// Lays out the items, largest alignment first, and rounds up to what a window can express.
    pub(crate) fn pack(&mut self, kind: WindowKind) {
        sort(&mut self.items);
        let mut end: u64 = 0;
        self.alignment = kind.granule();
        for item in &mut self.items {
            // Sums beyond 64 bits become the largest size, which fits nowhere.
            item.offset = end.checked_next_multiple_of(item.alignment).unwrap_or(u64::MAX);
            end = item.offset.saturating_add(item.size);
            self.alignment = self.alignment.max(item.alignment);
        }
        self.size = end.checked_next_multiple_of(kind.granule()).unwrap_or(u64::MAX);
    }

    pub(crate) fn largest(&self) -> u64 {
        self.items.iter().map(|item| item.largest).max().unwrap_or(0)
    }
}

/// Takes the largest BAR out of the block of `bus`; of several, the last.
pub(crate) fn shrink(
    blocks: &mut PerWindow<Block>,
    topology: &Topology,
    bus: BusIndex,
    kind: WindowKind,
) -> BarIndex {
    let (mut at, top) = (bus, bus);
    let removed = loop {
        let items = &mut blocks[(at, kind)].items;
        let Some(index) = (0..items.len()).max_by_key(|index| items[*index].largest) else {
            unreachable!("a block with a size has items");
        };
        match items[index].what {
            What::Block(bus) => at = bus,
            What::Bar(bar) => {
                items.remove(index);
                break bar;
            }
        }
    };
    loop {
        blocks[(at, kind)].pack(kind);
        if at == top {
            return removed;
        }
        let Some(parent) = topology[at].parent else { return removed };
        let block = &blocks[(at, kind)];
        let (size, alignment, largest) = (block.size, block.alignment, block.largest());
        let items = &mut blocks[(parent, kind)].items;
        let this = |item: &Item| matches!(item.what, What::Block(bus) if bus == at);
        if size == 0 {
            items.retain(|item| !this(item));
        } else if let Some(item) = items.iter_mut().find(|item| this(item)) {
            *item = Item { size, alignment, largest, ..*item };
        }
        at = parent;
    }
}
