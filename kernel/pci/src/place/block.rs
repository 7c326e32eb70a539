//! What a bus needs of one kind of addresses, packed into a block.

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
    /// The bus that it is on, and the kind of window that leads to it there.
    pub(crate) window: Window,
    pub(crate) size: u64,
    pub(crate) alignment: u64,
    /// The offset in the block, once that is packed.
    pub(crate) offset: u64,
    /// The size of the largest BAR in it.
    pub(crate) largest: u64,
    /// Its function, or the bridge to it: of two equal items, the later one is given up first.
    pub(crate) function: Option<FunctionIndex>,
}

impl Item {
    /// Largest alignment first, then items whose end is aligned as well, then largest size, then device order.
    pub(crate) fn order(&self) -> (Reverse<u64>, bool, Reverse<u64>, Option<FunctionIndex>) {
        let ragged = !self.size.is_multiple_of(self.alignment);
        (Reverse(self.alignment), ragged, Reverse(self.size), self.function)
    }
}

/// Sorts items by [`Item::order`]. Not inlined: an emulator translates one copy only.
#[inline(never)]
pub(crate) fn sort(items: &mut [Item]) {
    items.sort_by_key(Item::order);
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Bar(BarIndex),
    /// The block of a bus behind a bridge on this bus.
    Block(BusIndex),
}

/// The items of one kind on a bus.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    pub(crate) items: Vec<Item>,
    pub(crate) size: u64,
    pub(crate) alignment: u64,
    /// The size is at least this: room for devices that come later.
    pub(crate) room: u64,
}

impl Block {
    /// Lays out the items, largest alignment first, and rounds the size up to the unit of a window.
    pub(crate) fn pack(&mut self, kind: WindowKind) {
        sort(&mut self.items);
        let mut end: u64 = 0;
        self.alignment = kind.granule();
        for item in &mut self.items {
            // A sum beyond 64 bits becomes the largest size, which does not fit anywhere.
            item.offset = end.checked_next_multiple_of(item.alignment).unwrap_or(u64::MAX);
            end = item.offset.saturating_add(item.size);
            self.alignment = self.alignment.max(item.alignment);
        }
        self.size = end.max(self.room).checked_next_multiple_of(kind.granule()).unwrap_or(u64::MAX);
    }

    pub(crate) fn largest(&self) -> u64 {
        self.items.iter().map(|item| item.largest).max().unwrap_or(0)
    }
}

/// Gives up room for later devices in the block of `bus`, or, if there is none, its largest BAR; the last one of
/// several. Returns the BAR.
pub(crate) fn shrink(
    blocks: &mut PerWindow<Block>,
    topology: &Topology,
    bus: BusIndex,
    kind: WindowKind,
) -> Option<BarIndex> {
    let (mut at, removed) = with_room(blocks, bus, kind).map_or_else(
        || {
            let (at, bar) = remove_largest(blocks, bus, kind);
            (at, Some(bar))
        },
        |at| (at, None),
    );
    blocks[(at, kind)].room = 0;
    loop {
        blocks[(at, kind)].pack(kind);
        if at == bus {
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

/// A bus in the block of `bus` that has room for later devices.
fn with_room(blocks: &PerWindow<Block>, bus: BusIndex, kind: WindowKind) -> Option<BusIndex> {
    let mut pending = Vec::from([bus]);
    while let Some(bus) = pending.pop() {
        let block = &blocks[(bus, kind)];
        if block.room > 0 {
            return Some(bus);
        }
        for item in &block.items {
            if let What::Block(below) = item.what {
                pending.push(below);
            }
        }
    }
    None
}

/// Removes the largest BAR from the block of `bus`. Returns it with its own bus.
fn remove_largest(blocks: &mut PerWindow<Block>, bus: BusIndex, kind: WindowKind) -> (BusIndex, BarIndex) {
    let mut at = bus;
    loop {
        let items = &mut blocks[(at, kind)].items;
        let Some(index) = (0..items.len()).max_by_key(|index| items[*index].largest) else {
            unreachable!("a block with a size and without room has items");
        };
        match items[index].what {
            What::Block(bus) => at = bus,
            What::Bar(bar) => {
                items.remove(index);
                return (at, bar);
            }
        }
    }
}
