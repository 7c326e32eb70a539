//! Addresses on each bus: which are taken, which are free, and how a window grows.

use alloc::vec::Vec;

use addr::Range;

use crate::function::bridge::WindowKind;
use crate::function::index::BusIndex;
use crate::place::pool::{Pools, Wish};
use crate::place::window::{PerWindow, Window};
use crate::topology::Topology;
use crate::topology::root_bus::RootBus;

/// The addresses in use on all buses.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    /// The open windows of bridges.
    windows: PerWindow<Option<Range<u64>>>,
    /// The ranges that are taken in each window, ascending and without overlaps.
    taken: PerWindow<Vec<Range<u64>>>,
    /// For each root bus, the free addresses in the windows of the host bridge.
    pools: Vec<Pools>,
}

impl Space {
    /// A space in which all windows of bridges are closed.
    pub(crate) fn new(roots: &[RootBus], topology: &Topology) -> Self {
        Self {
            windows: PerWindow::new(topology),
            taken: PerWindow::new(topology),
            pools: roots.iter().map(|root| Pools::new(&root.windows)).collect(),
        }
    }

    /// The range of a window; none if it is closed.
    pub(crate) fn window(&self, window: Window) -> Option<Range<u64>> {
        self.windows[window]
    }

    /// The ranges of all windows; none for closed ones.
    pub(crate) fn into_windows(self) -> PerWindow<Option<Range<u64>>> {
        self.windows
    }

    /// Opens a window, whose addresses on the bus above are taken already.
    pub(crate) fn open(&mut self, window: Window, range: Range<u64>) {
        self.windows[window] = Some(range);
    }

    /// The open window to `bus` that encloses `range`.
    pub(crate) fn enclosing(&self, bus: BusIndex, range: Range<u64>, io: bool) -> Option<WindowKind> {
        WindowKind::ALL
            .into_iter()
            .filter(|kind| (*kind == WindowKind::Io) == io)
            .find(|kind| self.window((bus, *kind)).is_some_and(|window| window.encloses(&range)))
    }

    /// Takes `range` in a window; false if part of it is taken already.
    pub(crate) fn claim(&mut self, topology: &Topology, window: Window, range: Range<u64>) -> bool {
        let taken = &mut self.taken[window];
        let (bus, kind) = window;
        let place = taken.partition_point(|other| other.end() < range.start());
        if taken.get(place).is_some_and(|other| other.overlaps(&range)) {
            return false;
        }
        taken.insert(place, range);
        if topology[bus].parent.is_none() {
            self.pools[topology[bus].root].reserve(range, kind == WindowKind::Io);
        }
        true
    }

    /// Takes free addresses on a root bus.
    pub(crate) fn take_on_root(&mut self, root: usize, wish: Wish, size: u64, alignment: u64) -> Option<u64> {
        self.pools[root].take(wish, size, alignment)
    }

    /// Takes free addresses in an open window of a bridge, which grows if necessary and possible.
    pub(crate) fn take(&mut self, topology: &Topology, at: Window, size: u64, alignment: u64) -> Option<u64> {
        let window = self.window(at)?;
        let taken = &self.taken[at];
        let (first, last) = (taken.first().copied(), taken.last().copied());
        let candidates = [
            gap(window, taken, size, alignment),
            above(last.map_or(Some(window.start()), |last| last.end().checked_add(1)), alignment),
            below(first.map_or(window.end().checked_add(1), |first| Some(first.start())), size, alignment),
        ];
        candidates.into_iter().flatten().find(|start| {
            let Some(range) = Range::from_size(*start, size) else { return false };
            self.grow(topology, at, range) && self.claim(topology, at, range)
        })
    }

    /// Makes an open window and all windows above it enclose `range`. False if other addresses are in the way; then
    /// nothing has changed.
    fn grow(&mut self, topology: &Topology, mut at: Window, mut range: Range<u64>) -> bool {
        let mut grown: Vec<(Window, Range<u64>)> = Vec::new();
        let mut claimed: Vec<(Window, Range<u64>)> = Vec::new();
        let of_root = loop {
            let (bus, kind) = at;
            let Some(window) = self.window(at) else { return false };
            let granule = kind.granule();
            let start = range.start().min(window.start()) / granule * granule;
            let end = range.end().max(window.end()) | (granule - 1);
            let added = match (start < window.start(), window.end() < end) {
                (false, false) => break None,
                (true, false) => Range::new(start, window.start() - 1),
                (false, true) => Range::new(window.end() + 1, end),
                (true, true) => None,
            };
            let (Some(added), Some(wider)) = (added, Range::new(start, end)) else { return false };
            let io = kind == WindowKind::Io;
            grown.push((at, wider));
            let Some(parent) = topology[bus].parent else {
                return false;
            };
            if topology[parent].parent.is_none() {
                let kind = if io { WindowKind::Io } else { WindowKind::Memory };
                claimed.push(((parent, kind), added));
                break Some((topology[parent].root, added, io));
            }
            let Some(kind) = self.enclosing(parent, window, io) else { return false };
            claimed.push(((parent, kind), added));
            (at, range) = ((parent, kind), added);
        };
        let is_taken = |(window, added): &(Window, Range<u64>)| {
            self.taken[*window].iter().any(|other| other.overlaps(added))
        };
        if claimed.iter().any(is_taken) {
            return false;
        }
        if let Some((root, added, io)) = of_root
            && !self.pools[root].take_exactly(added, io)
        {
            return false;
        }
        for (window, range) in grown {
            self.open(window, range);
        }
        claimed.into_iter().all(|(window, range)| self.claim(topology, window, range))
    }
}

/// The lowest free address in `window` before or between the taken ranges.
fn gap(window: Range<u64>, taken: &[Range<u64>], size: u64, alignment: u64) -> Option<u64> {
    let mut start = window.start();
    for other in taken {
        let address = start.checked_next_multiple_of(alignment)?;
        if address.checked_add(size)? <= other.start() {
            return Some(address);
        }
        start = start.max(other.end().checked_add(1)?);
    }
    let address = start.checked_next_multiple_of(alignment)?;
    (address.checked_add(size - 1)? <= window.end()).then_some(address)
}

/// The lowest aligned address from `end` on.
fn above(end: Option<u64>, alignment: u64) -> Option<u64> {
    end?.checked_next_multiple_of(alignment)
}

/// The highest aligned address from which `size` bytes end before `start`.
fn below(start: Option<u64>, size: u64, alignment: u64) -> Option<u64> {
    Some(start?.checked_sub(size)? / alignment * alignment)
}
