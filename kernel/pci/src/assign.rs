//! Addresses for all BARs, and the bridge windows that they need.
//!
//! Bottom-up, each bus packs what it has to hold into at most three blocks: I/O, memory below 4 GiB,
//! prefetchable memory above. A block's inner layout is fixed by the packing, largest alignment first, so
//! that only the root bus has to find room. A block that finds none gives up its largest BAR, again and
//! again, until the rest fits: one BAR costs itself, not its neighbours.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use addr::{PhysAddr, Range};

use crate::access::{Command, ConfigAccess, register};
use crate::bar::{Bar, BarKind};
use crate::bridge::{BridgeWindow, WindowKind};
use crate::enumerate::RootBus;
use crate::pool::{Pools, Wish};
use crate::reports::Reports;
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
    /// A BAR: index of the function, and of the BAR in it; the ROM comes after the BARs.
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

/// Places all BARs and bridge windows, writes them, and lets bridges forward.
pub(crate) fn assign(
    config: &mut dyn ConfigAccess,
    roots: &[RootBus],
    topology: &mut Topology,
    reports: &mut Reports,
) {
    let mut plan = Plan::new(roots, topology, reports);
    plan.place(topology, reports);
    for index in 0..topology.functions.len() {
        let root = topology.buses[topology.functions[index].bus.0 as usize].root;
        let function = &mut topology.functions[index];
        let (at, header_type) = (function.address, function.header_type);
        let windows = &roots[root].windows;
        let command = config.read16(at, register::COMMAND);
        let decoding = (Command::IO | Command::MEMORY).bits();
        if command & decoding != 0 {
            config.write16(at, register::COMMAND, command & !decoding);
        }
        for bar in function.bars.iter_mut().chain(&mut function.rom) {
            bar.cpu = bar.bus_address.and_then(|address| seen_by_cpu(windows, bar, address));
            bar.write(config, at, header_type);
        }
        let mut wanted = command;
        if let Some(bridge) = &function.bridge {
            bridge.write_windows(config, at);
            wanted |= (Command::MEMORY | Command::BUS_MASTER).bits();
            if bridge.windows.iter().any(|window| window.kind == WindowKind::Io) {
                wanted |= Command::IO.bits();
            }
        }
        if wanted != command || command & decoding != 0 {
            config.write16(at, register::COMMAND, wanted);
        }
    }
}

/// Takes BARs as firmware placed them.
pub(crate) fn keep(roots: &[RootBus], topology: &mut Topology, reports: &mut Reports) {
    for function in &mut topology.functions {
        let windows = &roots[topology.buses[function.bus.0 as usize].root].windows;
        for bar in function.bars.iter_mut().chain(&mut function.rom) {
            let Some(address) = bar.bus_address else { continue };
            bar.cpu = seen_by_cpu(windows, bar, address);
            if bar.cpu.is_none() && !windows.is_empty() {
                reports.bar_unreachable(function.address, bar.register, address);
            }
        }
    }
}

/// The CPU's addresses for a BAR at `address` on the bus.
fn seen_by_cpu(windows: &[addr::PciWindow], bar: &Bar, address: u64) -> Option<Range<PhysAddr>> {
    let io = bar.kind == BarKind::Io;
    windows.iter().filter(|window| (window.space == addr::PciSpace::Io) == io).find_map(|window| {
        let start = window.cpu.start().checked_add(address.checked_sub(window.bus_start)?)?;
        Range::from_size(start, bar.size).filter(|range| window.cpu.encloses(range))
    })
}

/// The blocks of all buses.
struct Plan {
    /// By bus index, one block each kind.
    blocks: Vec<[Block; 3]>,
    pools: Vec<Pools>,
}

impl Plan {
    fn new(roots: &[RootBus], topology: &Topology, reports: &mut Reports) -> Self {
        let pools: Vec<Pools> = roots.iter().map(|root| Pools::new(&root.windows)).collect();
        let mut plan = Self { blocks: vec![Default::default(); topology.buses.len()], pools };
        let ways = plan.ways(topology);
        // A bus comes after the one that leads to it, so backwards is bottom-up.
        for index in (0..topology.buses.len()).rev() {
            let bus = &topology.buses[index];
            plan.collect_bars(topology, index, ways[index], reports);
            for kind in WindowKind::ALL {
                plan.blocks[index][kind as usize].pack(kind);
            }
            let Some(parent) = bus.parent else { continue };
            for kind in WindowKind::ALL {
                let block = &plan.blocks[index][kind as usize];
                if block.size == 0 {
                    continue;
                }
                let largest = block.largest();
                let item = Item {
                    what: What::Block { bus: index },
                    size: block.size,
                    alignment: block.alignment,
                    offset: 0,
                    largest,
                    function: bus.bridge.map_or(0, |bridge| bridge.0),
                };
                plan.blocks[parent.0 as usize][kind as usize].items.push(item);
            }
        }
        plan
    }

    fn ways(&self, topology: &Topology) -> Vec<Way> {
        let mut ways: Vec<Way> = Vec::with_capacity(topology.buses.len());
        for bus in &topology.buses {
            let pools = &self.pools[bus.root];
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

    /// Sorts the BARs on one bus into its blocks. What no way leads to, or what is larger than every window,
    /// is left out at once.
    fn collect_bars(&mut self, topology: &Topology, bus: usize, way: Way, reports: &mut Reports) {
        let pools = &self.pools[topology.buses[bus].root];
        for function in topology.functions_of(&topology.buses[bus]) {
            let at = topology[function].address;
            let all = topology[function].bars.iter().chain(&topology[function].rom);
            for (index, bar) in all.enumerate() {
                let kind = match bar.kind {
                    BarKind::Io => WindowKind::Io,
                    BarKind::Memory { wide: true, prefetchable: true } if way.high => {
                        WindowKind::Prefetchable
                    }
                    BarKind::Memory { .. } => WindowKind::Memory,
                };
                let on_root_bus = topology.buses[bus].parent.is_none();
                let possible = kind != WindowKind::Io || way.io;
                if !possible || bar.size > pools.largest(wish(bar, kind, on_root_bus)) {
                    reports.bar_does_not_fit(at, bar.register, bar.size, bar.kind);
                    continue;
                }
                self.blocks[bus][kind as usize].items.push(Item {
                    what: What::Bar { function: function.0 as usize, bar: index },
                    size: bar.size,
                    alignment: bar.size,
                    offset: 0,
                    largest: bar.size,
                    function: function.0,
                });
            }
        }
    }

    /// Places what is on the root buses, and with it all that is behind them.
    fn place(&mut self, topology: &mut Topology, reports: &mut Reports) {
        for index in 0..topology.buses.len() {
            if topology.buses[index].parent.is_some() {
                continue;
            }
            let mut items: Vec<(WindowKind, Item)> = Vec::new();
            for kind in WindowKind::ALL {
                let block = core::mem::take(&mut self.blocks[index][kind as usize]);
                items.extend(block.items.into_iter().map(|item| (kind, item)));
            }
            items.sort_by_key(|(_, item)| item.order());
            let root = topology.buses[index].root;
            for (kind, item) in items {
                self.place_on_root(topology, root, kind, item, reports);
            }
        }
    }

    fn place_on_root(
        &mut self,
        topology: &mut Topology,
        root: usize,
        kind: WindowKind,
        mut item: Item,
        reports: &mut Reports,
    ) {
        loop {
            let wish = match item.what {
                What::Bar { function, bar } => wish(bar_of(topology, function, bar), kind, true),
                What::Block { .. } => Wish::block(kind),
            };
            if let Some(address) = self.pools[root].take(wish, item.size, item.alignment) {
                self.settle(topology, kind, item, address);
                return;
            }
            match item.what {
                What::Bar { function, bar } => return give_up(topology, function, bar, reports),
                What::Block { bus } => {
                    // Every round gives up one BAR, so there are no more rounds than BARs.
                    let (function, bar) = self.shrink(topology, bus, kind);
                    give_up(topology, function, bar, reports);
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
    fn shrink(&mut self, topology: &Topology, bus: usize, kind: WindowKind) -> (usize, usize) {
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
            let Some(parent) = topology.buses[at].parent else { return removed };
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
    fn settle(&self, topology: &mut Topology, kind: WindowKind, item: Item, address: u64) {
        let mut pending = Vec::from([(item, address)]);
        while let Some((item, address)) = pending.pop() {
            match item.what {
                What::Bar { function, bar } => {
                    let function = &mut topology.functions[function];
                    if let Some(bar) = function.bars.iter_mut().chain(&mut function.rom).nth(bar) {
                        bar.bus_address = Some(address);
                    }
                }
                What::Block { bus } => {
                    let bridge = topology.buses[bus].bridge.map(|bridge| bridge.0 as usize);
                    let range = Range::new(address, address + (item.size - 1));
                    if let (Some(bridge), Some(range)) = (bridge, range)
                        && let Some(bridge) = &mut topology.functions[bridge].bridge
                    {
                        bridge.windows.push(BridgeWindow { kind, range });
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

/// The bus above and the bridge that lead to `bus`.
fn bridge_to<'t>(topology: &'t Topology, bus: &Bus) -> Option<(usize, &'t crate::bridge::BridgeInfo)> {
    let bridge = topology[bus.bridge?].bridge.as_ref()?;
    Some((bus.parent?.0 as usize, bridge))
}

fn bar_of(topology: &Topology, function: usize, bar: usize) -> &Bar {
    let function = &topology.functions[function];
    function.bars.get(bar).or(function.rom.as_ref()).expect("an item names a BAR that was collected")
}

fn give_up(topology: &Topology, function: usize, bar: usize, reports: &mut Reports) {
    let at = topology.functions[function].address;
    let bar = bar_of(topology, function, bar);
    reports.bar_does_not_fit(at, bar.register, bar.size, bar.kind);
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
