//! Addresses for all BARs, and the bridge windows that they need: planned, written, and read back.
//!
//! What firmware placed stays, and what it left is placed in what is free (Linux: `pci_assign_unassigned_resources`).
//! A BAR or window counts only if its register holds what was written: nothing else may be accessed.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use addr::{PhysAddr, Range};

use crate::config::access::ConfigAccess;
use crate::findings::Findings;
use crate::function::bar::{Bar, BarKind};
use crate::function::bridge::{BridgeWindow, WindowKind};
use crate::place::host_window::is_io;
use crate::place::plan::{Amendment, Outcome, Plan};
use crate::place::space::Window;
use crate::place::write::{Write, forget_unreachable};
use crate::policy::Resources;
use crate::topology::Topology;
use crate::topology::root_bus::RootBus;

/// Places all BARs and bridge windows, or those that firmware left; writes them, and lets bridges forward.
pub(crate) fn assign(
    config: &mut dyn ConfigAccess,
    roots: &[RootBus],
    topology: &mut Topology,
    resources: Resources,
    findings: &mut Findings,
) {
    let (outcome, released) = best_plan(roots, topology, resources, findings);
    for (bus, kind) in released {
        let Some(bridge) = topology[bus].bridge.map(|bridge| &topology[bridge]) else { continue };
        if bridge.bridge.as_ref().is_some_and(|bridge| bridge.window(kind).is_some()) {
            findings.window_moved(bridge.address, kind);
        }
    }
    for (bar, _) in &outcome.failed {
        let (at, bar) = (topology[bar.function].address, bar.of(topology));
        findings.bar_does_not_fit(at, bar.register, bar.size, bar.kind);
    }
    let windows = windows_by_function(topology, &outcome.windows);
    let mut placed = outcome.placed;
    placed.sort_unstable();
    let mut placed = placed.into_iter().peekable();
    let mut lost_windows = false;
    for index in topology.indices() {
        let root = &roots[topology.bus_of(&topology[index]).root];
        let (kept, windows) = (outcome.kept[index.place()], &windows[index.place()]);
        let function = topology.function_mut(index);
        let addresses = core::iter::from_fn(|| placed.next_if(|(bar, _)| bar.function == index));
        let addresses: Vec<(usize, u64)> = addresses.map(|(bar, address)| (bar.place, address)).collect();
        let mut write = Write { bars: 0, windows: None };
        for (number, bar) in function.all_bars_mut().enumerate() {
            let is_kept = kept & 1 << number != 0;
            let placed = addresses.iter().find(|(bar, _)| *bar == number).map(|(_, address)| *address);
            let address = if is_kept { bar.bus_address } else { placed };
            if resources == Resources::Assign || address != bar.bus_address {
                write.bars |= 1 << number;
            }
            bar.bus_address = address;
            bar.cpu = address.and_then(|address| seen_by_cpu(&root.windows, bar, address));
        }
        if let Some(bridge) = &function.bridge
            && (resources == Resources::Assign || !root.windows.is_empty() && bridge.windows != *windows)
        {
            write.windows = Some(windows);
        }
        lost_windows |= !write.to(config, function, findings);
    }
    if lost_windows {
        forget_unreachable(config, topology);
    }
}

/// The first plan, or one that leaves fewer BARs without an address; with it, the windows that it moves.
fn best_plan(
    roots: &[RootBus],
    topology: &Topology,
    resources: Resources,
    findings: &mut Findings,
) -> (Outcome, BTreeSet<Window>) {
    let mut amendment = Amendment::default();
    let mut best = Plan::make(roots, topology, resources, &amendment, findings);
    for everything in [false, resources == Resources::Keep] {
        // Every round amends more, so there are no more rounds than windows and BARs.
        while !best.failed.is_empty() {
            let mut next = amendment.clone();
            next.released.everything |= everything;
            next.released.windows.extend(&best.cramped);
            let high = best.failed.iter().filter(|(_, kind)| *kind == WindowKind::Prefetchable);
            next.low.extend(high.map(|(bar, _)| *bar));
            if next == amendment {
                break;
            }
            let plan = Plan::make(roots, topology, resources, &next, &mut Findings::default());
            if plan.failed.len() >= best.failed.len() {
                break;
            }
            (best, amendment) = (plan, next);
        }
    }
    let released = if amendment.released.everything {
        topology.bus_indices().flat_map(|bus| WindowKind::ALL.map(|kind| (bus, kind))).collect()
    } else {
        amendment.released.windows
    };
    (best, released)
}

/// For each function, the windows that it opens if it is a bridge.
fn windows_by_function(topology: &Topology, by_bus: &[[Option<Range<u64>>; 3]]) -> Vec<Vec<BridgeWindow>> {
    let mut windows: Vec<Vec<BridgeWindow>> = vec![Vec::new(); topology.functions().len()];
    for (bus, ranges) in topology.buses().iter().zip(by_bus) {
        let Some(bridge) = bus.bridge else { continue };
        let open = WindowKind::ALL.into_iter().zip(ranges);
        windows[bridge.place()] =
            open.filter_map(|(kind, range)| Some(BridgeWindow { kind, range: (*range)? })).collect();
    }
    windows
}

/// The CPU's addresses for a BAR at `address` on the bus.
fn seen_by_cpu(windows: &[addr::PciWindow], bar: &Bar, address: u64) -> Option<Range<PhysAddr>> {
    let io = bar.kind == BarKind::Io;
    windows.iter().filter(|window| is_io(window) == io).find_map(|window| {
        let start = window.cpu.start().checked_add(address.checked_sub(window.bus_start)?)?;
        Range::from_size(start, bar.span()).filter(|range| window.cpu.encloses(range))
    })
}
