//! Planning where BARs and bridge windows go, before anything is written.
//!
//! Bottom-up, each bus packs what it needs into at most three blocks: I/O, memory below 4 GiB, prefetchable memory
//! above. The layout inside a block is fixed, largest alignment first, so that room has to be found only on a root
//! bus, or in a bridge window that firmware opened. If a block does not fit, its largest BAR is given up, until the
//! rest fits: a BAR that is too large does not cost its neighbours their addresses.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use addr::Range;

use crate::findings::Findings;
use crate::function::bridge::WindowKind;
use crate::function::index::FunctionIndex;
use crate::place::block::{self, Block, Item, What};
use crate::place::claim::{self, Released};
use crate::place::collect::Collection;
use crate::place::per_bar::{BarIndex, PerBar};
use crate::place::pool::Wish;
use crate::place::space::Space;
use crate::place::window::{PerWindow, Window};
use crate::policy::Resources;
use crate::topology::Topology;
use crate::topology::root_bus::RootBus;

/// The differences of a plan from the first one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amendment {
    /// Addresses of firmware that are not kept.
    pub(crate) released: Released,
    /// BARs that go below 4 GiB although they could be above.
    pub(crate) low: BTreeSet<BarIndex>,
}

/// Addresses for all BARs and bridge windows of a machine.
pub(crate) struct Plan {
    /// The address of each BAR; none for a BAR that firmware did not place where nothing is planned.
    pub(crate) addresses: PerBar<Option<u64>>,
    /// The open windows of bridges.
    pub(crate) windows: PerWindow<Option<Range<u64>>>,
    /// BARs without room, with the kind of window that they need.
    pub(crate) failed: Vec<(BarIndex, WindowKind)>,
    /// Windows of firmware that had to grow and could not.
    pub(crate) cramped: Vec<Window>,
}

/// Plans addresses for everything, or for what firmware left without.
///
/// The buses behind the bridges `with_room` get room for devices that come later, as far as there is any. Findings
/// about firmware's addresses go into `findings`.
pub(crate) fn plan(
    roots: &[RootBus],
    topology: &Topology,
    (resources, with_room): (Resources, &[FunctionIndex]),
    amendment: &Amendment,
    findings: &mut Findings,
) -> Plan {
    let mut space = Space::new(roots, topology);
    let addresses = match resources {
        Resources::Assign => PerBar::new(topology),
        Resources::Keep => claim::claim(&mut space, roots, topology, &amendment.released, findings),
    };
    let (mut blocks, mut failed) = (PerWindow::new(topology), Vec::new());
    let low = &amendment.low;
    Collection {
        roots,
        topology,
        resources,
        with_room,
        addresses: &addresses,
        low,
        blocks: &mut blocks,
        failed: &mut failed,
    }
    .collect(&space);
    let mut planner = Planner { topology, blocks, space, addresses, failed, cramped: Vec::new() };
    for root in 0..roots.len() {
        planner.place(root);
    }
    let Planner { space, addresses, failed, cramped, .. } = planner;
    Plan { addresses, windows: space.into_windows(), failed, cramped }
}

/// A plan that is being made.
struct Planner<'m> {
    topology: &'m Topology,
    blocks: PerWindow<Block>,
    space: Space,
    addresses: PerBar<Option<u64>>,
    failed: Vec<(BarIndex, WindowKind)>,
    cramped: Vec<Window>,
}

impl Planner<'_> {
    /// Places the items on a root bus and in the open windows behind it, with everything inside them.
    fn place(&mut self, root: usize) {
        let mut items: Vec<Item> = Vec::new();
        for index in self.topology.bus_indices() {
            let bus = &self.topology[index];
            if bus.root != root {
                continue;
            }
            for kind in WindowKind::ALL {
                if bus.parent.is_none() || self.space.window((index, kind)).is_some() {
                    items.append(&mut self.blocks[(index, kind)].items);
                }
            }
        }
        block::sort(&mut items);
        for item in &items {
            self.place_item(*item);
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
                    // Every round gives up the room of a bus or a BAR, which bounds the number of rounds.
                    let bar = block::shrink(&mut self.blocks, self.topology, bus, kind);
                    self.failed.extend(bar.map(|bar| (bar, kind)));
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

    /// Assigns an address to `item` and to everything inside it.
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
