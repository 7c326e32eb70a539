//! What each bus needs, packed into blocks from the leaves to the root.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::function::bar::{Bar, BarKind, BarRegister};
use crate::function::bridge::WindowKind;
use crate::function::index::{BusIndex, FunctionIndex};
use crate::place::block::{Block, Item, What};
use crate::place::per_bar::{BarIndex, PerBar};
use crate::place::pool::{Pools, Wish};
use crate::place::reach::{self, Reach};
use crate::place::space::Space;
use crate::place::window::PerWindow;
use crate::policy::Resources;
use crate::topology::Topology;
use crate::topology::root_bus::RootBus;

/// The machine, and the restrictions on where its BARs go.
pub(crate) struct Collection<'m> {
    pub(crate) roots: &'m [RootBus],
    pub(crate) topology: &'m Topology,
    pub(crate) resources: Resources,
    /// Bridges to buses that get room for devices that come later.
    pub(crate) with_room: &'m [FunctionIndex],
    /// The addresses of the BARs that have one already.
    pub(crate) addresses: &'m PerBar<Option<u64>>,
    /// BARs that go below 4 GiB although they may lie above.
    pub(crate) low: &'m BTreeSet<BarIndex>,
    /// The blocks of each bus. A block behind a closed window is an item of the block on the bus above.
    pub(crate) blocks: &'m mut PerWindow<Block>,
    /// BARs that cannot fit into any window, with the kind of window that they need.
    pub(crate) failed: &'m mut Vec<(BarIndex, WindowKind)>,
}

impl Collection<'_> {
    /// Packs everything without an address into blocks, each in the block of the bus above up to an open window.
    pub(crate) fn collect(&mut self, space: &Space) {
        let topology = self.topology;
        let pools: Vec<Pools> = self.roots.iter().map(|root| Pools::new(&root.windows)).collect();
        let reaches = reach::of_buses(topology, &pools);
        // A bus comes after the one that leads to it, so the reverse order is bottom-up.
        for index in topology.bus_indices().rev() {
            let bus = &topology[index];
            if self.resources == Resources::Assign || !self.roots[bus.root].windows.is_empty() {
                self.collect_bars(&pools[bus.root], index, reaches[index.place()]);
            }
            for kind in WindowKind::ALL {
                let block = &mut self.blocks[(index, kind)];
                if bus.bridge.is_some_and(|bridge| self.with_room.contains(&bridge)) {
                    block.room = room(kind, reaches[index.place()]);
                }
                block.pack(kind);
                let Some(parent) = bus.parent else { continue };
                if block.size == 0 || space.window((index, kind)).is_some() {
                    continue;
                }
                let item = Item {
                    what: What::Block(index),
                    window: (parent, kind),
                    size: block.size,
                    alignment: block.alignment,
                    offset: 0,
                    largest: block.largest(),
                    function: bus.bridge,
                };
                self.blocks[(parent, kind)].items.push(item);
            }
        }
    }

    /// Puts the BARs on one bus into its blocks. A BAR that no window leads to, or that is larger than every window,
    /// fails at once. A ROM that firmware left disabled needs no address.
    fn collect_bars(&mut self, pools: &Pools, bus: BusIndex, reach: Reach) {
        let topology = self.topology;
        let on_root_bus = topology[bus].parent.is_none();
        for function in topology.functions_of(&topology[bus]) {
            for (place, bar) in topology[function].all_bars.iter().enumerate() {
                let index = BarIndex { function, place };
                let is_unused_rom = bar.register == BarRegister::Rom && self.resources == Resources::Keep;
                if is_unused_rom || self.addresses[index].is_some() {
                    continue;
                }
                let kind = self.kind_of_window(pools, bar, index, reach);
                let possible = kind != WindowKind::Io || reach.io;
                if !possible || bar.span() > pools.largest(Wish::bar(bar, kind, on_root_bus)) {
                    self.failed.push((index, kind));
                    continue;
                }
                self.blocks[(bus, kind)].items.push(Item {
                    what: What::Bar(index),
                    window: (bus, kind),
                    size: bar.span(),
                    alignment: bar.size,
                    offset: 0,
                    largest: bar.span(),
                    function: Some(function),
                });
            }
        }
    }

    /// The kind of window that a BAR goes into.
    fn kind_of_window(&self, pools: &Pools, bar: &Bar, index: BarIndex, reach: Reach) -> WindowKind {
        match bar.kind {
            BarKind::Io => WindowKind::Io,
            BarKind::Memory { wide: true, prefetchable: true }
                if reach.high && bar.span() <= pools.largest(Wish::High) && !self.low.contains(&index) =>
            {
                WindowKind::Prefetchable
            }
            BarKind::Memory { .. } => WindowKind::Memory,
        }
    }
}

/// Bytes of room for later devices behind a bridge (Linux: `hpiosize`, `hpmmiosize`, `hpmmioprefsize`).
fn room(kind: WindowKind, reach: Reach) -> u64 {
    match kind {
        WindowKind::Io if reach.io => 0x1000,
        WindowKind::Memory => 2 << 20,
        WindowKind::Prefetchable if reach.high => 2 << 20,
        WindowKind::Io | WindowKind::Prefetchable => 0,
    }
}
