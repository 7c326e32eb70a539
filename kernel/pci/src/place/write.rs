//! Writing addresses into BARs and bridge windows, and reading them back.
//!
//! A BAR or window is used only if its register contains what was written: no other address may be accessed.

use alloc::vec::Vec;

use addr::Range;

use crate::config::access::ConfigAccess;
use crate::config::command::Command;
use crate::config::register;
use crate::config::window::read_window;
use crate::findings::Findings;
use crate::function::Function;
use crate::function::bar::{Bar, BarKind, BarRegister};
use crate::function::bridge::{WindowKind, Windows};
use crate::topology::Topology;

/// The registers of one function that are to be written.
pub(crate) struct Write {
    /// A bit for each BAR, in the order of `Function::all_bars`.
    pub(crate) bars: u16,
    pub(crate) windows: Option<Windows>,
}

impl Write {
    /// Writes, reads back, and enables forwarding in a bridge. A register that does not keep its value is a finding,
    /// and its BAR or window has no address then. False if that is a window.
    pub(crate) fn to(
        self,
        config: &mut dyn ConfigAccess,
        function: &mut Function,
        findings: &mut Findings,
    ) -> bool {
        let (at, header_type) = (function.address, function.header_type);
        let is_open = |windows: &Windows| windows.iter().any(Option::is_some);
        let forwards = self.windows.as_ref().is_some_and(is_open)
            || function.bridge.as_ref().is_some_and(|bridge| is_open(&bridge.windows));
        let writes_windows = self.windows.is_some();
        let is_written = self.bars != 0 || writes_windows;
        let command = if is_written || forwards { config.read16(at, register::COMMAND) } else { 0 };
        let decoding = (Command::IO | Command::MEMORY).bits();
        if is_written && command & decoding != 0 {
            config.write16(at, register::COMMAND, command & !decoding);
        }
        let mut wanted = command;
        for (number, bar) in function.all_bars.iter_mut().enumerate() {
            let write = self.bars & 1 << number != 0;
            if write {
                bar.write(config, at, header_type);
            }
            if let Some(address) = bar.bus_address {
                let held = bar.held(config, at, header_type);
                if held != address {
                    findings.bar_not_kept(at, bar.register, address, held);
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
                bridge.windows = windows;
                bridge.write_windows(config, at);
                for kind in WindowKind::ALL {
                    let Some(range) = bridge.window(kind) else { continue };
                    if read_window(config, at, kind) != Some(range) {
                        findings.window_not_kept(at, kind, range);
                        bridge.windows[kind as usize] = None;
                        holds = false;
                    }
                }
            }
            if writes_windows || forwards {
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

/// Removes the addresses of BARs that a bridge above does not forward to.
pub(crate) fn forget_unreachable(config: &mut dyn ConfigAccess, topology: &mut Topology) {
    for index in topology.indices() {
        let is_cut_off = |bar: &Bar| {
            let range = bar.bus_address.and_then(|address| Range::from_size(address, bar.span()));
            range.is_some_and(|range| {
                let io = bar.kind == BarKind::Io;
                topology.bridges_above(index).any(|bridge| {
                    topology[bridge].bridge.as_ref().is_none_or(|bridge| !bridge.forwards(&range, io))
                })
            })
        };
        let function = &topology[index];
        let cut_off: Vec<bool> = function.all_bars.iter().map(is_cut_off).collect();
        let function = topology.function_mut(index);
        let (address, header_type) = (function.address, function.header_type);
        let bars = function.all_bars.iter_mut().zip(cut_off);
        for (bar, _) in bars.filter(|(_, is_cut_off)| *is_cut_off) {
            (bar.bus_address, bar.cpu) = (None, None);
            bar.write(config, address, header_type);
        }
    }
}
