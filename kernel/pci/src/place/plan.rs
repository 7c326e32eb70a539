//! Where BARs and bridge windows go, before anything is written.
//!
//! Bottom-up, each bus packs what it has to hold into at most three blocks: I/O, memory below 4 GiB,
//! prefetchable memory above. A block's inner layout is fixed by the packing, largest alignment first, so
//! that only a root bus has to find room, or a bridge whose window firmware opened. A block that finds none
//! gives up its largest BAR, again and again, until the rest fits: one BAR costs itself, not its neighbours.

use alloc::vec::Vec;

use addr::Range;

use crate::findings::Findings;
use crate::function::bar::{BarKind, BarRegister};
use crate::function::bridge::WindowKind;
use crate::function::index::BusIndex;
use crate::place::block::{self, Block, Item, What};
use crate::place::claim::{self, Released};
use crate::place::per_bar::{BarIndex, PerBar};
use crate::place::pool::{Pools, Wish};
use crate::place::reach::{self, Reach};
use crate::place::space::Space;
use crate::place::window::{PerWindow, Window};
use crate::policy::Resources;
use crate::topology::Topology;
use crate::topology::root_bus::RootBus;

/// What one plan does otherwise than the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Amendment {
    /// What firmware placed and has to move.
    pub(crate) released: Released,
    /// BARs that go below 4 GiB although they may lie above.
    pub(crate) low: PerBar<bool>,
}

impl Amendment {
    /// Nothing differs.
    pub(crate) fn none(topology: &Topology) -> Self {
        let released = Released { windows: PerWindow::new(topology), everything: false };
        Self { released, low: PerBar::new(topology) }
    }
}

/// Addresses for all BARs and bridge windows of a machine.
pub(crate) struct Plan<'m> {
    roots: &'m [RootBus],
    topology: &'m Topology,
    amendment: &'m Amendment,
    blocks: PerWindow<Block>,
    space: Space,
    addresses: PerBar<Option<u64>>,
    failed: Vec<(BarIndex, WindowKind)>,
    cramped: Vec<Window>,
}

/// What a plan leads to.
pub(crate) struct Outcome {
    /// The address of each BAR; none for one that firmware did not place either, where nothing is planned.
    pub(crate) addresses: PerBar<Option<u64>>,
    /// What is open of the bridges' windows.
    pub(crate) windows: PerWindow<Option<Range<u64>>>,
    /// BARs for which there is no room, with the kind of window that they were to go into.
    pub(crate) failed: Vec<(BarIndex, WindowKind)>,
    /// Windows that firmware opened, and that had to grow and could not.
    pub(crate) cramped: Vec<Window>,
}

impl<'m> Plan<'m> {
    /// Plans for what firmware left, or for everything.
    ///
    /// What is wrong with the addresses that firmware chose goes into `findings`.
    pub(crate) fn make(
        roots: &'m [RootBus],
        topology: &'m Topology,
        resources: Resources,
        amendment: &'m Amendment,
        findings: &mut Findings,
    ) -> Outcome {
        let mut space = Space::new(roots, topology);
        let addresses = match resources {
            Resources::Assign => PerBar::new(topology),
            Resources::Keep => claim::claim(&mut space, roots, topology, &amendment.released, findings),
        };
        let mut plan = Self {
            roots,
            topology,
            amendment,
            blocks: PerWindow::new(topology),
            space,
            addresses,
            failed: Vec::new(),
            cramped: Vec::new(),
        };
        plan.collect(resources);
        plan.place();
        let Self { space, addresses, failed, cramped, .. } = plan;
        Outcome { addresses, windows: space.into_windows(), failed, cramped }
    }

    /// Packs what has no address into blocks, each in the block of the bus above up to where there is a window.
    fn collect(&mut self, resources: Resources) {
        let topology = self.topology;
        let pools: Vec<Pools> = self.roots.iter().map(|root| Pools::new(&root.windows)).collect();
        let reaches = reach::of_buses(topology, &pools);
        // A bus comes after the one that leads to it, so backwards is bottom-up.
        for index in topology.bus_indices().rev() {
            let bus = &topology[index];
            if resources == Resources::Assign || !self.roots[bus.root].windows.is_empty() {
                self.collect_bars(&pools[bus.root], index, reaches[index.place()], resources);
            }
            for kind in WindowKind::ALL {
                self.blocks[(index, kind)].pack(kind);
            }
            let Some(parent) = bus.parent else { continue };
            for kind in WindowKind::ALL {
                let block = &self.blocks[(index, kind)];
                if block.size == 0 || self.space.window((index, kind)).is_some() {
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

    /// Sorts the BARs on one bus into its blocks. What no way leads to, or what is larger than every window,
    /// is left out at once. A ROM that firmware left off needs no address.
    fn collect_bars(&mut self, pools: &Pools, bus: BusIndex, reach: Reach, resources: Resources) {
        let topology = self.topology;
        for function in topology.functions_of(&topology[bus]) {
            for (place, bar) in topology[function].all_bars.iter().enumerate() {
                let index = BarIndex { function, place };
                let is_unused_rom = bar.register == BarRegister::Rom && resources == Resources::Keep;
                if is_unused_rom || self.addresses[index].is_some() {
                    continue;
                }
                let kind = match bar.kind {
                    BarKind::Io => WindowKind::Io,
                    BarKind::Memory { wide: true, prefetchable: true }
                        if reach.high
                            && bar.span() <= pools.largest(Wish::High)
                            && !self.amendment.low[index] =>
                    {
                        WindowKind::Prefetchable
                    }
                    BarKind::Memory { .. } => WindowKind::Memory,
                };
                let on_root_bus = topology[bus].parent.is_none();
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

    /// Places what is on the root buses and in the windows that are open, and with it all that is behind.
    fn place(&mut self) {
        for root in 0..self.roots.len() {
            let mut items: Vec<Item> = Vec::new();
            for index in self.topology.bus_indices() {
                let bus = &self.topology[index];
                if bus.root != root {
                    continue;
                }
                for kind in WindowKind::ALL {
                    if bus.parent.is_none() || self.space.window((index, kind)).is_some() {
                        let block = core::mem::take(&mut self.blocks[(index, kind)]);
                        items.extend(block.items);
                    }
                }
            }
            block::sort(&mut items);
            for item in items {
                self.place_item(item);
            }
        }
    }

    fn place_item(&mut self, mut item: Item) {
        let window @ (bus, kind) = item.window;
        let topology = self.topology;
        let on_root_bus = topology[bus].parent.is_none();
        loop {
            let address = if on_root_bus {
                let wish = match item.what {
                    What::Bar(bar) => Wish::bar(bar.of(topology), kind, true),
                    What::Block(_) => Wish::block(kind),
                };
                self.space.take_on_root(topology[bus].root, wish, item.size, item.alignment)
            } else {
                self.space.take(topology, window, item.size, item.alignment)
            };
            if let Some(address) = address {
                self.settle(kind, item, address);
                return;
            }
            if !on_root_bus {
                self.cramped.push(window);
            }
            match item.what {
                What::Bar(bar) => return self.failed.push((bar, kind)),
                What::Block(bus) => {
                    // Every round gives up one BAR, so there are no more rounds than BARs.
                    let bar = self.shrink(bus, kind);
                    self.failed.push((bar, kind));
                    let block = &self.blocks[(bus, kind)];
                    if block.size == 0 {
                        return;
                    }
                    item.size = block.size;
                    item.alignment = block.alignment;
                }
            }
        }
    }

    /// Takes the largest BAR out of the block of `bus`; of several, the last.
    fn shrink(&mut self, bus: BusIndex, kind: WindowKind) -> BarIndex {
        let (mut at, top) = (bus, bus);
        let removed = loop {
            let items = &mut self.blocks[(at, kind)].items;
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
            self.blocks[(at, kind)].pack(kind);
            if at == top {
                return removed;
            }
            let Some(parent) = self.topology[at].parent else { return removed };
            let block = &self.blocks[(at, kind)];
            let (size, alignment, largest) = (block.size, block.alignment, block.largest());
            let items = &mut self.blocks[(parent, kind)].items;
            let this = |item: &Item| matches!(item.what, What::Block(bus) if bus == at);
            if size == 0 {
                items.retain(|item| !this(item));
            } else if let Some(item) = items.iter_mut().find(|item| this(item)) {
                *item = Item { size, alignment, largest, ..*item };
            }
            at = parent;
        }
    }

    /// Gives `item` its address, and everything inside it.
    fn settle(&mut self, kind: WindowKind, item: Item, address: u64) {
        let mut pending = Vec::from([(item, address)]);
        while let Some((item, address)) = pending.pop() {
            match item.what {
                What::Bar(bar) => self.addresses[bar] = Some(address),
                What::Block(bus) => {
                    if let Some(range) = Range::from_size(address, item.size) {
                        self.space.open((bus, kind), range);
                    }
                    let inside = &self.blocks[(bus, kind)].items;
                    pending.extend(inside.iter().map(|item| (*item, address + item.offset)));
                }
            }
        }
    }
}
