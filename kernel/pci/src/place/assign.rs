//! Assigning addresses to all BARs and bridge windows: planned, written, and read back.
//!
//! Firmware's addresses are kept, and BARs without an address are placed in free ones (Linux:
//! `pci_assign_unassigned_resources`). A BAR or window is used only if its register contains what was written: no
//! other address may be accessed.

use addr::{PhysAddr, Range};

use crate::config::access::ConfigAccess;
use crate::findings::Findings;
use crate::function::bar::{Bar, BarKind};
use crate::function::bridge::WindowKind;
use crate::function::index::FunctionIndex;
use crate::place::claim::Released;
use crate::place::host_window::is_io;
use crate::place::per_bar::BarIndex;
use crate::place::plan::{self, Amendment, Plan};
use crate::place::write::{Write, forget_unreachable};
use crate::policy::Resources;
use crate::topology::Topology;
use crate::topology::root_bus::RootBus;

/// Places all BARs and bridge windows, or those that firmware left without an address, and makes bridges forward.
///
/// The buses behind the bridges `with_room` get room for devices that come later.
pub(crate) fn assign(
    config: &mut dyn ConfigAccess,
    roots: &[RootBus],
    topology: &mut Topology,
    (resources, with_room): (Resources, &[FunctionIndex]),
    findings: &mut Findings,
) {
    let (plan, released) = best_plan(roots, topology, (resources, with_room), findings);
    report_released(topology, &released, findings);
    let kept = if resources == Resources::Keep { topology.functions().len() } else { 0 };
    write(config, roots, topology, kept, plan, findings);
}

/// Places the BARs of all functions but the first `kept`, which are in use: none of these moves.
pub(crate) fn place_new(
    config: &mut dyn ConfigAccess,
    roots: &[RootBus],
    topology: &mut Topology,
    kept: usize,
    findings: &mut Findings,
) {
    let nothing_moves = Amendment::default();
    let plan = plan::plan(roots, topology, (Resources::Keep, &[]), &nothing_moves, findings);
    write(config, roots, topology, kept, plan, findings);
}

/// Writes what a plan changes in the first `kept` functions, and everything in the others.
fn write(
    config: &mut dyn ConfigAccess,
    roots: &[RootBus],
    topology: &mut Topology,
    kept: usize,
    plan: Plan,
    findings: &mut Findings,
) {
    for (bar, _) in &plan.failed {
        let (at, bar) = (topology[bar.function].address, bar.of(topology));
        findings.bar_does_not_fit(at, bar.register, bar.size, bar.kind);
    }
    let mut lost_windows = false;
    for index in topology.indices() {
        let root = &roots[topology.bus_of(&topology[index]).root];
        let is_new = index.place() >= kept;
        let function = topology.function_mut(index);
        let mut write = Write { bars: 0, windows: None };
        for (place, bar) in function.all_bars.iter_mut().enumerate() {
            let address = plan.addresses[BarIndex { function: index, place }];
            if is_new || address != bar.bus_address {
                write.bars |= 1 << place;
            }
            bar.bus_address = address;
            bar.cpu = address.and_then(|address| seen_by_cpu(&root.windows, bar, address));
        }
        if let Some(bridge) = &function.bridge {
            let windows = bridge.bus.map_or([None; 3], |bus| plan.windows.all(bus));
            if is_new || !root.windows.is_empty() && bridge.windows != windows {
                write.windows = Some(windows);
            }
        }
        lost_windows |= !write.to(config, function, findings);
    }
    if lost_windows {
        forget_unreachable(config, topology);
    }
}

/// Reports the windows that were open and that a plan moves.
fn report_released(topology: &Topology, released: &Released, findings: &mut Findings) {
    if *released == Released::default() {
        return;
    }
    for bus in topology.bus_indices() {
        let Some(bridge) = topology[bus].bridge.map(|bridge| &topology[bridge]) else { continue };
        for kind in WindowKind::ALL {
            if (released.everything || released.windows.contains(&(bus, kind)))
                && bridge.bridge.as_ref().is_some_and(|bridge| bridge.window(kind).is_some())
            {
                findings.window_moved(bridge.address, kind);
            }
        }
    }
}

/// The first plan, or a later one that leaves fewer BARs without an address, with what that one moves.
fn best_plan(
    roots: &[RootBus],
    topology: &Topology,
    policy @ (resources, _): (Resources, &[FunctionIndex]),
    findings: &mut Findings,
) -> (Plan, Released) {
    let mut amendment = Amendment::default();
    let mut best = plan::plan(roots, topology, policy, &amendment, findings);
    for everything in [false, resources == Resources::Keep] {
        // Every round amends more, so the number of windows and BARs bounds the number of rounds.
        while !best.failed.is_empty() {
            let mut next = amendment.clone();
            next.released.everything |= everything;
            for window in &best.cramped {
                next.released.windows.insert(*window);
            }
            for (bar, _) in best.failed.iter().filter(|(_, kind)| *kind == WindowKind::Prefetchable) {
                next.low.insert(*bar);
            }
            if next == amendment {
                break;
            }
            let plan = plan::plan(roots, topology, policy, &next, &mut Findings::default());
            if plan.failed.len() >= best.failed.len() {
                break;
            }
            (best, amendment) = (plan, next);
        }
    }
    (best, amendment.released)
}

/// The CPU's addresses for a BAR at `address` on the bus.
fn seen_by_cpu(windows: &[addr::PciWindow], bar: &Bar, address: u64) -> Option<Range<PhysAddr>> {
    let io = bar.kind == BarKind::Io;
    windows.iter().filter(|window| is_io(window) == io).find_map(|window| {
        let start = window.cpu.start().checked_add(address.checked_sub(window.bus_start)?)?;
        Range::from_size(start, bar.span()).filter(|range| window.cpu.encloses(range))
    })
}
