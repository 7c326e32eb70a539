//! Addresses for all BARs, and the bridge windows that they need: planned, written, and read back.
//!
//! What firmware placed stays, and what it left is placed in what is free (Linux: `pci_assign_unassigned_resources`).
//! A BAR or window counts only if its register holds what was written: nothing else may be accessed.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use addr::{PhysAddr, Range};

use crate::config::access::{Command, ConfigAccess, register};
use crate::enumerate::{Resources, RootBus};
use crate::findings::Reports;
use crate::function::Function;
use crate::function::bridge::{self, BridgeWindow, WindowKind};
use crate::place::host_window::is_io;
use crate::place::plan::{Amendment, Outcome, Plan, bar_of};
use crate::place::space::Window;
use crate::read::bar::{Bar, BarKind, BarRegister};
use crate::topology::{FunctionIndex, Topology};

/// Places all BARs and bridge windows, or those that firmware left; writes them, and lets bridges forward.
pub(crate) fn assign(
    config: &mut dyn ConfigAccess,
    roots: &[RootBus],
    topology: &mut Topology,
    resources: Resources,
    reports: &mut Reports,
) {
    let (outcome, released) = best_plan(roots, topology, resources, reports);
    for (bus, kind) in released {
        let Some(bridge) = topology.buses[bus].bridge.map(|bridge| &topology[bridge]) else { continue };
        if bridge.bridge.as_ref().is_some_and(|bridge| bridge.window(kind).is_some()) {
            reports.window_moved(bridge.address, kind);
        }
    }
    for (bar, _) in &outcome.failed {
        let (at, bar) = (topology.functions[bar.0].address, bar_of(topology, *bar));
        reports.bar_does_not_fit(at, bar.register, bar.size, bar.kind);
    }
    let windows = windows_by_function(topology, &outcome.windows);
    let mut placed = outcome.placed;
    placed.sort_unstable();
    let mut placed = placed.into_iter().peekable();
    let mut lost_windows = false;
    for index in 0..topology.functions.len() {
        let root = &roots[topology.buses[topology.functions[index].bus.0 as usize].root];
        let function = &mut topology.functions[index];
        let addresses = core::iter::from_fn(|| placed.next_if(|((function, _), _)| *function == index));
        let addresses: Vec<(usize, u64)> = addresses.map(|((_, bar), address)| (bar, address)).collect();
        let mut write = Write { bars: 0, windows: None };
        for (number, bar) in function.all_bars_mut().enumerate() {
            let is_kept = outcome.kept[index] & 1 << number != 0;
            let placed = addresses.iter().find(|(bar, _)| *bar == number).map(|(_, address)| *address);
            let address = if is_kept { bar.bus_address } else { placed };
            if resources == Resources::Assign || address != bar.bus_address {
                write.bars |= 1 << number;
            }
            bar.bus_address = address;
            bar.cpu = address.and_then(|address| seen_by_cpu(&root.windows, bar, address));
        }
        if let Some(bridge) = &function.bridge
            && (resources == Resources::Assign
                || !root.windows.is_empty() && bridge.windows != windows[index])
        {
            write.windows = Some(&windows[index]);
        }
        lost_windows |= !write.to(config, function, reports);
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
    reports: &mut Reports,
) -> (Outcome, BTreeSet<Window>) {
    let mut amendment = Amendment::default();
    let mut best = Plan::make(roots, topology, resources, &amendment, reports);
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
            let plan = Plan::make(roots, topology, resources, &next, &mut Reports::default());
            if plan.failed.len() >= best.failed.len() {
                break;
            }
            (best, amendment) = (plan, next);
        }
    }
    let released = if amendment.released.everything {
        let buses = 0..topology.buses.len();
        buses.flat_map(|bus| WindowKind::ALL.map(|kind| (bus, kind))).collect()
    } else {
        amendment.released.windows
    };
    (best, released)
}

/// For each function, the windows that it opens if it is a bridge.
fn windows_by_function(topology: &Topology, by_bus: &[[Option<Range<u64>>; 3]]) -> Vec<Vec<BridgeWindow>> {
    let mut windows: Vec<Vec<BridgeWindow>> = vec![Vec::new(); topology.functions.len()];
    for (bus, ranges) in topology.buses.iter().zip(by_bus) {
        let Some(bridge) = bus.bridge else { continue };
        let open = WindowKind::ALL.into_iter().zip(ranges);
        windows[bridge.0 as usize] =
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

/// What is to be written to one function.
struct Write<'w> {
    /// A bit for each BAR, in the order of [`Function::all_bars`].
    bars: u16,
    windows: Option<&'w [BridgeWindow]>,
}

impl Write<'_> {
    /// Writes, reads back, and lets a bridge forward. A register that does not hold what it should is a finding,
    /// and counts as without an address. False if that is a window.
    fn to(self, config: &mut dyn ConfigAccess, function: &mut Function, reports: &mut Reports) -> bool {
        let (at, header_type) = (function.address, function.header_type);
        let forwards = self.windows.is_some_and(|windows| !windows.is_empty())
            || function.bridge.as_ref().is_some_and(|bridge| !bridge.windows.is_empty());
        let is_written = self.bars != 0 || self.windows.is_some();
        let command = if is_written || forwards { config.read16(at, register::COMMAND) } else { 0 };
        let decoding = (Command::IO | Command::MEMORY).bits();
        if is_written && command & decoding != 0 {
            config.write16(at, register::COMMAND, command & !decoding);
        }
        let mut wanted = command;
        for (number, bar) in function.all_bars_mut().enumerate() {
            let write = self.bars & 1 << number != 0;
            if write {
                bar.write(config, at, header_type);
            }
            if let Some(address) = bar.bus_address {
                let held = bar.held(config, at, header_type);
                if held != address {
                    reports.bar_not_kept(at, bar.register, address, held);
                    (bar.bus_address, bar.cpu) = (None, None);
                    bar.write(config, at, header_type);
                }
            }
            if bar.bus_address.is_none() && is_written && matches!(bar.register, BarRegister::Bar(_)) {
                let space = if bar.kind == BarKind::Io { Command::IO } else { Command::MEMORY };
                wanted &= !space.bits();
            }
        }
        let mut holds = true;
        if let Some(bridge) = &mut function.bridge {
            if let Some(windows) = self.windows {
                bridge.windows = windows.to_vec();
                bridge.write_windows(config, at);
                bridge.windows.retain(|window| {
                    let held = bridge::read_window(config, at, window.kind);
                    let is_held = held == Some(*window);
                    if !is_held {
                        reports.window_not_kept(at, *window);
                        holds = false;
                    }
                    is_held
                });
            }
            if self.windows.is_some() || forwards {
                wanted |= (Command::MEMORY | Command::BUS_MASTER).bits();
                if bridge.window(WindowKind::Io).is_some() {
                    wanted |= Command::IO.bits();
                }
            }
        }
        if wanted != command || is_written && command & decoding != 0 {
            config.write16(at, register::COMMAND, wanted);
        }
        holds
    }
}

/// Takes the addresses from BARs that a bridge does not forward to.
fn forget_unreachable(config: &mut dyn ConfigAccess, topology: &mut Topology) {
    for index in 0..topology.functions.len() {
        let is_cut_off = |bar: &Bar| {
            let range = bar.bus_address.and_then(|address| Range::from_size(address, bar.span()));
            range.is_some_and(|range| {
                let io = bar.kind == BarKind::Io;
                topology.bridges_above(FunctionIndex(index as u32)).any(|bridge| {
                    let windows = topology[bridge].bridge.iter().flat_map(|bridge| &bridge.windows);
                    !windows
                        .into_iter()
                        .any(|window| (window.kind == WindowKind::Io) == io && window.range.encloses(&range))
                })
            })
        };
        let function = &topology.functions[index];
        let cut_off: Vec<bool> = function.all_bars().map(is_cut_off).collect();
        let function = &mut topology.functions[index];
        let (address, header_type) = (function.address, function.header_type);
        let bars = function.all_bars_mut().zip(cut_off);
        for (bar, _) in bars.filter(|(_, is_cut_off)| *is_cut_off) {
            (bar.bus_address, bar.cpu) = (None, None);
            bar.write(config, address, header_type);
        }
    }
}
