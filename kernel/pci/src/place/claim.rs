//! Which addresses of firmware can be kept.
//!
//! A BAR keeps its address if every window that leads to it encloses it, and no other BAR or window uses it (Linux:
//! `pci_claim_resource`, `pci_bus_allocate_resources`).

use alloc::collections::BTreeSet;

use addr::Range;

use crate::findings::Findings;
use crate::function::bar::{Bar, BarKind};
use crate::function::bridge::WindowKind;
use crate::function::index::{BusIndex, FunctionIndex};
use crate::place::host_window::{bus_range, is_io};
use crate::place::per_bar::{BarIndex, PerBar};
use crate::place::space::Space;
use crate::place::window::Window;
use crate::topology::Topology;
use crate::topology::root_bus::RootBus;

/// Addresses of firmware that are not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Released {
    /// Windows, with everything in them.
    pub(crate) windows: BTreeSet<Window>,
    /// All windows and BARs.
    pub(crate) everything: bool,
}

/// Claims the addresses that firmware assigned. Returns those that BARs keep.
pub(crate) fn claim(
    space: &mut Space,
    roots: &[RootBus],
    topology: &Topology,
    released: &Released,
    findings: &mut Findings,
) -> PerBar<Option<u64>> {
    let mut kept = PerBar::new(topology);
    if released.everything {
        return kept;
    }
    // A bus comes after the one that leads to it.
    for index in topology.bus_indices() {
        open_windows(space, roots, topology, index, released);
    }
    for (index, function) in topology.indexed() {
        let bus = function.bus;
        // If the windows of the host bridge are not known, no address can be wrong.
        let is_known = !roots[topology[bus].root].windows.is_empty();
        for (place, bar) in function.all_bars.iter().enumerate() {
            let Some(address) = bar.bus_address else { continue };
            let index = BarIndex { function: index, place };
            if !is_known {
                kept[index] = Some(address);
                continue;
            }
            let range = Range::from_size(address, bar.span()).filter(|_| address % bar.size == 0);
            let window = range.and_then(|range| {
                Some((range, window(space, roots, topology, bus, range, bar.kind == BarKind::Io)?))
            });
            let Some((range, window)) = window else {
                // Firmware may leave its measurement in the register (EDK2 2022.11).
                let last = address | (bar.size - 1);
                if last != u64::MAX && last != u64::from(u32::MAX) {
                    findings.bar_unreachable(function.address, bar.register, address);
                }
                continue;
            };
            if space.claim(topology, window, range) {
                kept[index] = Some(address);
            } else {
                findings.bar_overlaps(function.address, bar.register, address);
            }
        }
    }
    kept
}

/// Opens the windows of the bridge to bus `index` that can be kept.
fn open_windows(
    space: &mut Space,
    roots: &[RootBus],
    topology: &Topology,
    index: BusIndex,
    released: &Released,
) {
    let bus = &topology[index];
    let (Some(at), Some(parent)) = (bus.bridge, bus.parent) else { return };
    let Some(bridge) = &topology[at].bridge else { return };
    for kind in WindowKind::ALL {
        let Some(range) = bridge.window(kind) else { continue };
        // EDK2 2022.11 also leaves I/O windows at 0 that it does not need.
        let is_unused = range.start() == 0 && !has_io_in(topology, at, range);
        if is_unused || released.windows.contains(&(index, kind)) {
            continue;
        }
        let on = window(space, roots, topology, parent, range, kind == WindowKind::Io);
        if let Some(on) = on
            && space.claim(topology, on, range)
        {
            space.open((index, kind), range);
        }
    }
}

/// Whether an I/O BAR behind `bridge` has an address in `range`.
fn has_io_in(topology: &Topology, bridge: FunctionIndex, range: Range<u64>) -> bool {
    topology.indexed().any(|(index, function)| {
        let is_in =
            |bar: &Bar| bar.kind == BarKind::Io && bar.bus_address.is_some_and(|at| range.contains(at));
        function.bars().iter().any(is_in) && topology.bridges_above(index).any(|above| above == bridge)
    })
}

/// The window to bus `bus` that encloses `range`.
fn window(
    space: &Space,
    roots: &[RootBus],
    topology: &Topology,
    bus: BusIndex,
    range: Range<u64>,
    io: bool,
) -> Option<Window> {
    if topology[bus].parent.is_some() {
        return space.enclosing(bus, range, io).map(|kind| (bus, kind));
    }
    let windows = &roots[topology[bus].root].windows;
    let leads_there = windows
        .iter()
        .filter(|window| is_io(window) == io)
        .filter_map(bus_range)
        .any(|window| window.encloses(&range));
    leads_there.then_some((bus, if io { WindowKind::Io } else { WindowKind::Memory }))
}
