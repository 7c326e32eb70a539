//! Where BARs and bridge windows go, before anything is written.
//!
//! Bottom-up, each bus packs what it has to hold into at most three blocks: I/O, memory below 4 GiB,
//! prefetchable memory above. A block's inner layout is fixed by the packing, largest alignment first, so
//! that only a root bus has to find room, or a bridge whose window firmware opened. A block that finds none
//! gives up its largest BAR, again and again, until the rest fits: one BAR costs itself, not its neighbours.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use addr::Range;

use crate::enumerate::{Resources, RootBus};
use crate::findings::Reports;
use crate::function::bridge::WindowKind;
use crate::place::claim::{self, Kept, Released};
use crate::place::pool::{Pools, Wish};
use crate::place::space::{Space, Window};
use crate::read::bar::{Bar, BarKind, BarRegister};
use crate::topology::{Bus, Topology};

/// Something that needs addresses on a bus.
#[derive(Clone, Copy, Debug)]
struct Item {
    what: What,
    size: u64,
    alignment: u64,
    /// Where in the block, once it is packed.
    offset: u64,
    /// The largest BAR in it.
    largest: u64,
    /// Index of its function, or of the bridge to it: of two alike, the later one goes without.
    function: u32,
}

impl Item {
    /// Largest alignment first, then what ends where the next can begin, then largest size, then device order.
    fn order(&self) -> (Reverse<u64>, bool, Reverse<u64>, u32) {
        let ragged = !self.size.is_multiple_of(self.alignment);
        (Reverse(self.alignment), ragged, Reverse(self.size), self.function)
    }
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// A BAR: index of the function, and of the BAR in [`Function::all_bars`](crate::Function).
    Bar { function: usize, bar: usize },
    /// The block of the bus with this index, behind a bridge on this bus.
    Block { bus: usize },
}

/// What a bus holds of one kind.
#[derive(Clone, Debug, Default)]
struct Block {
    items: Vec<Item>,
    size: u64,
    alignment: u64,
}

/// What the way from a bus to the root lets through.
#[derive(Clone, Copy)]
struct Way {
    io: bool,
    high: bool,
}

/// A BAR: index of its function, and of the BAR in [`Function::all_bars`](crate::Function).
pub(crate) type BarIndex = (usize, usize);

/// What one plan does otherwise than the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amendment {
    /// What firmware placed and has to move.
    pub(crate) released: Released,
    /// BARs that go below 4 GiB although they may lie above.
    pub(crate) low: BTreeSet<BarIndex>,
}

/// Addresses for all BARs and bridge windows of a machine.
pub(crate) struct Plan<'m> {
    roots: &'m [RootBus],
    topology: &'m Topology,
    amendment: &'m Amendment,
    /// By bus index, one block each kind.
    blocks: Vec<[Block; 3]>,
    space: Space,
    outcome: Outcome,
}

/// What a plan leads to.
pub(crate) struct Outcome {
    /// BARs that firmware placed and that stay.
    pub(crate) kept: Kept,
    /// BARs that got an address.
    pub(crate) placed: Vec<(BarIndex, u64)>,
    /// By bus, the open windows of the bridge to it.
    pub(crate) windows: Vec<[Option<Range<u64>>; 3]>,
    /// BARs for which there is no room, with the kind of window that they were to go into.
    pub(crate) failed: Vec<(BarIndex, WindowKind)>,
    /// Windows that firmware opened, and that had to grow and could not.
    pub(crate) cramped: Vec<Window>,
}

impl<'m> Plan<'m> {
    /// Plans for what firmware left, or for everything.
    ///
    /// What is wrong with the addresses that firmware chose goes into `reports`.
    pub(crate) fn make(
        roots: &'m [RootBus],
        topology: &'m Topology,
        resources: Resources,
        amendment: &'m Amendment,
        reports: &mut Reports,
    ) -> Outcome {
        let mut space = Space::new(roots, topology);
        let kept = match resources {
            Resources::Assign => vec![0; topology.functions.len()],
            Resources::Keep => claim::claim(&mut space, roots, topology, &amendment.released, reports),
        };
        let blocks = vec![Default::default(); topology.buses.len()];
        let outcome = Outcome {
            kept,
            placed: Vec::new(),
            windows: Vec::new(),
            failed: Vec::new(),
            cramped: Vec::new(),
        };
        let mut plan = Self { roots, topology, amendment, blocks, space, outcome };
        plan.collect(resources);
        plan.place();
        plan.outcome.windows.extend(
            (0..topology.buses.len()).map(|bus| WindowKind::ALL.map(|kind| plan.space.window((bus, kind)))),
        );
        plan.outcome
    }

    /// Packs what has no address into blocks, each in the block of the bus above up to where there is a window.
    fn collect(&mut self, resources: Resources) {
        let topology = self.topology;
        let pools: Vec<Pools> = self.roots.iter().map(|root| Pools::new(&root.windows)).collect();
        let ways = ways(topology, &pools);
        // A bus comes after the one that leads to it, so backwards is bottom-up.
        for index in (0..topology.buses.len()).rev() {
            let bus = &topology.buses[index];
            if resources == Resources::Assign || !self.roots[bus.root].windows.is_empty() {
                self.collect_bars(&pools[bus.root], index, ways[index], resources);
            }
            for kind in WindowKind::ALL {
                self.blocks[index][kind as usize].pack(kind);
            }
            let Some(parent) = bus.parent else { continue };
            for kind in WindowKind::ALL {
                let block = &self.blocks[index][kind as usize];
                if block.size == 0 || self.space.window((index, kind)).is_some() {
                    continue;
                }
                let item = Item {
                    what: What::Block { bus: index },
                    size: block.size,
                    alignment: block.alignment,
                    offset: 0,
                    largest: block.largest(),
                    function: bus.bridge.map_or(0, |bridge| bridge.0),
                };
                self.blocks[parent.0 as usize][kind as usize].items.push(item);
            }
        }
    }

    /// Sorts the BARs on one bus into its blocks. What no way leads to, or what is larger than every window,
    /// is left out at once. A ROM that firmware left off needs no address.
    fn collect_bars(&mut self, pools: &Pools, bus: usize, way: Way, resources: Resources) {
        let topology = self.topology;
        for function in topology.functions_of(&topology.buses[bus]) {
            let index = function.0 as usize;
            for (number, bar) in topology[function].all_bars().enumerate() {
                let is_unused_rom = bar.register == BarRegister::Rom && resources == Resources::Keep;
                if is_unused_rom || self.outcome.kept[index] & 1 << number != 0 {
                    continue;
                }
                let kind = match bar.kind {
                    BarKind::Io => WindowKind::Io,
                    BarKind::Memory { wide: true, prefetchable: true }
                        if way.high
                            && bar.span() <= pools.largest(Wish::High)
                            && !self.amendment.low.contains(&(index, number)) =>
                    {
                        WindowKind::Prefetchable
                    }
                    BarKind::Memory { .. } => WindowKind::Memory,
                };
                let on_root_bus = topology.buses[bus].parent.is_none();
                let possible = kind != WindowKind::Io || way.io;
                if !possible || bar.span() > pools.largest(wish(bar, kind, on_root_bus)) {
                    self.outcome.failed.push(((index, number), kind));
                    continue;
                }
                self.blocks[bus][kind as usize].items.push(Item {
                    what: What::Bar { function: index, bar: number },
                    size: bar.span(),
                    alignment: bar.size,
                    offset: 0,
                    largest: bar.span(),
                    function: function.0,
                });
            }
        }
    }

    /// Places what is on the root buses and in the windows that are open, and with it all that is behind.
    fn place(&mut self) {
        for root in 0..self.roots.len() {
            let mut items: Vec<(Window, Item)> = Vec::new();
            for (index, bus) in self.topology.buses.iter().enumerate().filter(|(_, bus)| bus.root == root) {
                for kind in WindowKind::ALL {
                    if bus.parent.is_none() || self.space.window((index, kind)).is_some() {
                        let block = core::mem::take(&mut self.blocks[index][kind as usize]);
                        items.extend(block.items.into_iter().map(|item| ((index, kind), item)));
                    }
                }
            }
            items.sort_by_key(|(_, item)| item.order());
            for (window, item) in items {
                self.place_in(window, item);
            }
        }
    }

    fn place_in(&mut self, window: Window, mut item: Item) {
        let (bus, kind) = window;
        let topology = self.topology;
        let on_root_bus = topology.buses[bus].parent.is_none();
        loop {
            let address = if on_root_bus {
                let wish = match item.what {
                    What::Bar { function, bar } => wish(bar_of(topology, (function, bar)), kind, true),
                    What::Block { .. } => Wish::block(kind),
                };
                self.space.take_on_root(topology.buses[bus].root, wish, item.size, item.alignment)
            } else {
                self.space.take(topology, window, item.size, item.alignment)
            };
            if let Some(address) = address {
                self.settle(kind, item, address);
                return;
            }
            if !on_root_bus {
                self.outcome.cramped.push(window);
            }
            match item.what {
                What::Bar { function, bar } => return self.outcome.failed.push(((function, bar), kind)),
                What::Block { bus } => {
                    // Every round gives up one BAR, so there are no more rounds than BARs.
                    let bar = self.shrink(bus, kind);
                    self.outcome.failed.push((bar, kind));
                    let block = &self.blocks[bus][kind as usize];
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
    fn shrink(&mut self, bus: usize, kind: WindowKind) -> BarIndex {
        let (mut at, top) = (bus, bus);
        let removed = loop {
            let items = &mut self.blocks[at][kind as usize].items;
            let Some(index) = (0..items.len()).max_by_key(|index| items[*index].largest) else {
                unreachable!("a block with a size has items");
            };
            match items[index].what {
                What::Block { bus } => at = bus,
                What::Bar { function, bar } => {
                    items.remove(index);
                    break (function, bar);
                }
            }
        };
        loop {
            self.blocks[at][kind as usize].pack(kind);
            if at == top {
                return removed;
            }
            let Some(parent) = self.topology.buses[at].parent else { return removed };
            let Block { size, alignment, .. } = self.blocks[at][kind as usize];
            let largest = self.blocks[at][kind as usize].largest();
            let items = &mut self.blocks[parent.0 as usize][kind as usize].items;
            let this = |item: &Item| matches!(item.what, What::Block { bus } if bus == at);
            if size == 0 {
                items.retain(|item| !this(item));
            } else if let Some(item) = items.iter_mut().find(|item| this(item)) {
                *item = Item { size, alignment, largest, ..*item };
            }
            at = parent.0 as usize;
        }
    }

    /// Gives `item` its address, and everything inside it.
    fn settle(&mut self, kind: WindowKind, item: Item, address: u64) {
        let mut pending = Vec::from([(item, address)]);
        while let Some((item, address)) = pending.pop() {
            match item.what {
                What::Bar { function, bar } => self.outcome.placed.push(((function, bar), address)),
                What::Block { bus } => {
                    if let Some(range) = Range::from_size(address, item.size) {
                        self.space.open((bus, kind), range);
                    }
                    let inside = &self.blocks[bus][kind as usize].items;
                    pending.extend(inside.iter().map(|item| (*item, address + item.offset)));
                }
            }
        }
    }
}

impl Block {
    /// Lays out the items, largest alignment first, and rounds up to what a window can express.
    fn pack(&mut self, kind: WindowKind) {
        self.items.sort_by_key(Item::order);
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

    fn largest(&self) -> u64 {
        self.items.iter().map(|item| item.largest).max().unwrap_or(0)
    }
}

/// What the way to each bus lets through.
fn ways(topology: &Topology, pools: &[Pools]) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::with_capacity(topology.buses.len());
    for bus in &topology.buses {
        let pools = &pools[bus.root];
        let way = match bridge_to(topology, bus) {
            None => Way { io: pools.has_io(), high: pools.has_high() },
            Some((parent, bridge)) => {
                let above = ways[parent];
                Way { io: above.io && bridge.has_io, high: above.high && bridge.wide_prefetch }
            }
        };
        ways.push(way);
    }
    ways
}

/// The bus above and the bridge that lead to `bus`.
fn bridge_to<'t>(
    topology: &'t Topology,
    bus: &Bus,
) -> Option<(usize, &'t crate::function::bridge::BridgeInfo)> {
    let bridge = topology[bus.bridge?].bridge.as_ref()?;
    Some((bus.parent?.0 as usize, bridge))
}

pub(crate) fn bar_of(topology: &Topology, (function, bar): BarIndex) -> &Bar {
    let function = &topology.functions[function];
    function.all_bars().nth(bar).expect("an item names a BAR that was collected")
}

/// Which pools would do for a BAR that counts as `kind`, directly on a root bus or behind bridges.
fn wish(bar: &Bar, kind: WindowKind, on_root_bus: bool) -> Wish {
    if !on_root_bus {
        return Wish::block(kind);
    }
    match bar.kind {
        BarKind::Io => Wish::Io,
        BarKind::Memory { wide: true, prefetchable: true } => Wish::HighOrLow,
        BarKind::Memory { wide: true, prefetchable: false } => Wish::LowOrHigh,
        BarKind::Memory { wide: false, prefetchable: true } => Wish::LowPrefetchable,
        BarKind::Memory { wide: false, prefetchable: false } => Wish::Low,
    }
}
