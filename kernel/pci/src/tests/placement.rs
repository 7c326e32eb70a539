//! Addresses that firmware assigned and addresses that it did not; registers that do not keep their value.

extern crate std;

use std::string::String;
use std::vec::Vec;

use addr::Range;
use proptest::prelude::*;

use super::addresses::check;
use super::model::{Model, On, at, finding_ids, kept, virt_root};
use crate::{BarKind, Command, FunctionKind, Topology, WindowKind, enable, enumerate, enumerate_with};

const ENDPOINT: FunctionKind = FunctionKind::Endpoint;

fn keep(model: &mut Model) -> Topology {
    enumerate_with(model, &[virt_root()], &kept())
}

/// Gives a root port a bus number and a memory window below 4 GiB, as firmware would.
fn open(model: &mut Model, port: usize, bus: u32, window: Option<(u32, u32)>) {
    model.set_range(port, bus, bus);
    let (base, limit) = window.unwrap_or((0xfff0_0000, 0));
    model.cards[port].set32(0x20, base >> 16 & 0xfff0 | limit & 0xfff0_0000);
    model.cards[port].set32(0x24, 0x0001_fff1);
    model.cards[port].set32(0x1c, 0x00f0);
    model.cards[port].set8(4, 6);
}

fn address(topology: &Topology, function: &str, bar: u8) -> Option<u64> {
    topology[topology.find(at(function)).unwrap()].bar(bar).unwrap().bus_address
}

fn memory_window(topology: &Topology, function: &str) -> Option<Range<u64>> {
    let bridge = topology[topology.find(at(function)).unwrap()].bridge.as_ref().unwrap();
    bridge.window(WindowKind::Memory)
}

fn window(start: u64, end: u64) -> Option<Range<u64>> {
    Range::new(start, end)
}

#[test]
fn bars_without_an_address_are_placed_beside_those_of_firmware() {
    let mut model = Model::virt();
    let placed = model.device(On::Root(0), 1, 0, ENDPOINT);
    model.cards[placed].set32(0x14, 0x1000_0000);
    model.cards[placed].set8(4, 2);
    let left = model.device(On::Root(0), 2, 0, ENDPOINT);
    model.cards[left].memory_bar(2, 0x10_0000, true, true).io_bar(4, 0x20);
    let topology = keep(&mut model);
    assert_eq!(finding_ids(&topology), [""; 0]);
    check(&model, &topology);
    assert_eq!(address(&topology, "00:01.0", 1), Some(0x1000_0000));
    assert_eq!(address(&topology, "00:02.0", 1), Some(0x1000_1000));
    assert_eq!(address(&topology, "00:02.0", 2), Some(0x80_0000_0000));
    assert_eq!(address(&topology, "00:02.0", 4), Some(0x1000));
    assert_eq!((model.cards[placed].get8(4), model.cards[left].get8(4)), (2, 0), "decoding stays as it was");
}

#[test]
fn a_window_that_firmware_left_closed_is_opened() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    open(&mut model, port, 1, None);
    model.cards[port].set8(4, 0);
    let end = model.device(On::Behind(port), 0, 0, ENDPOINT);
    model.cards[end].memory_bar(2, 0x4000, true, true).io_bar(4, 0x20);
    let topology = keep(&mut model);
    assert_eq!(finding_ids(&topology), [""; 0]);
    check(&model, &topology);
    assert_eq!(model.cards[port].get8(4), 7, "it forwards I/O and memory, and DMA");
    assert!(["1", "2", "4"].iter().all(|bar| address(&topology, "01:00.0", bar.parse().unwrap()).is_some()));
}

#[test]
fn a_gap_in_a_window_is_used_before_the_window_grows() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    open(&mut model, port, 1, Some((0x1200_0000, 0x120f_ffff)));
    let end = model.device(On::Behind(port), 0, 0, ENDPOINT);
    model.cards[end].set32(0x14, 0x1200_0000);
    model.cards[end].memory_bar(2, 0x2000, false, false).memory_bar(3, 0x1000, false, false);
    model.cards[end].set32(0x1c, 0x120f_f000);
    let topology = keep(&mut model);
    check(&model, &topology);
    assert_eq!(memory_window(&topology, "00:01.0"), window(0x1200_0000, 0x120f_ffff));
    assert_eq!([1, 2].map(|bar| address(&topology, "01:00.0", bar)), [Some(0x1200_0000), Some(0x1200_2000)]);
}

/// A root port with a window of 1 MiB at 0x1200_0000, a placed BAR in it, and a BAR of 1 MiB without an address.
/// `neighbours` are addresses in use on the root bus.
fn crowded(neighbours: &[u32]) -> (Model, Topology) {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    open(&mut model, port, 1, Some((0x1200_0000, 0x120f_ffff)));
    let end = model.device(On::Behind(port), 0, 0, ENDPOINT);
    model.cards[end].set32(0x14, 0x1200_0000);
    model.cards[end].memory_bar(2, 0x10_0000, false, false);
    for (device, address) in (2..).zip(neighbours) {
        let card = model.device(On::Root(0), device, 0, ENDPOINT);
        model.cards[card].set32(0x14, *address);
    }
    let topology = keep(&mut model);
    check(&model, &topology);
    for (device, address) in (2u8..).zip(neighbours) {
        let here = topology.find(addr::PciAddress::new(0, 0, device, 0).unwrap()).unwrap();
        assert_eq!(topology[here].bar(1).unwrap().bus_address, Some(u64::from(*address)));
    }
    (model, topology)
}

#[test]
fn a_window_grows_in_both_directions() {
    let (_, topology) = crowded(&[]);
    assert_eq!(memory_window(&topology, "00:01.0"), window(0x1200_0000, 0x121f_ffff));
    assert_eq!([1, 2].map(|bar| address(&topology, "01:00.0", bar)), [Some(0x1200_0000), Some(0x1210_0000)]);
    assert_eq!(finding_ids(&topology), [""; 0]);
    let (_, topology) = crowded(&[0x1210_0000]);
    assert_eq!(memory_window(&topology, "00:01.0"), window(0x11f0_0000, 0x120f_ffff));
    assert_eq!([1, 2].map(|bar| address(&topology, "01:00.0", bar)), [Some(0x1200_0000), Some(0x11f0_0000)]);
    assert_eq!(finding_ids(&topology), [""; 0]);
}

#[test]
fn a_window_that_cannot_grow_is_moved_with_its_bars() {
    let (_, topology) = crowded(&[0x1210_0000, 0x11ff_f000]);
    assert_eq!(finding_ids(&topology), ["bridge-window-moved"]);
    assert!([1, 2].iter().all(|bar| address(&topology, "01:00.0", *bar).is_some()));
    assert_ne!(address(&topology, "01:00.0", 1), Some(0x1200_0000));
}

#[test]
fn a_window_grows_together_with_the_windows_above() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    open(&mut model, port, 1, Some((0x1200_0000, 0x120f_ffff)));
    model.set_range(port, 1, 3);
    let up = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
    let down = model.bridge(On::Behind(up), 0, 0, FunctionKind::DownstreamPort);
    open(&mut model, up, 2, Some((0x1200_0000, 0x120f_ffff)));
    model.set_range(up, 2, 3);
    open(&mut model, down, 3, Some((0x1200_0000, 0x120f_ffff)));
    let end = model.device(On::Behind(down), 0, 0, ENDPOINT);
    model.cards[end].set32(0x14, 0x1200_0000);
    model.cards[end].memory_bar(2, 0x20_0000, false, false);
    let topology = keep(&mut model);
    assert_eq!(finding_ids(&topology), [""; 0]);
    check(&model, &topology);
    for bridge in ["00:01.0", "01:00.0", "02:00.0"] {
        assert_eq!(memory_window(&topology, bridge), window(0x1200_0000, 0x123f_ffff), "{bridge}");
    }
}

#[test]
fn a_window_grows_only_into_free_addresses_of_the_window_above() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    open(&mut model, port, 1, Some((0x1200_0000, 0x122f_ffff)));
    model.set_range(port, 1, 2);
    let up = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
    open(&mut model, up, 2, Some((0x1200_0000, 0x120f_ffff)));
    model.cards[up].memory_bar(0, 0x1000, false, false).set32(0x10, 0x1210_0000);
    let end = model.device(On::Behind(up), 0, 0, ENDPOINT);
    model.cards[end].set32(0x14, 0x1200_0000);
    model.cards[end].memory_bar(2, 0x10_0000, false, false);
    let topology = keep(&mut model);
    check(&model, &topology);
    assert_eq!(finding_ids(&topology), [""; 0]);
    assert_eq!(address(&topology, "01:00.0", 0), Some(0x1210_0000));
    assert_eq!(memory_window(&topology, "01:00.0"), window(0x11f0_0000, 0x120f_ffff));
    assert_eq!(memory_window(&topology, "00:01.0"), window(0x11f0_0000, 0x122f_ffff));
}

#[test]
fn of_two_bars_with_the_same_address_the_first_keeps_it() {
    let mut model = Model::virt();
    for device in 1..3 {
        let card = model.device(On::Root(0), device, 0, ENDPOINT);
        model.cards[card].set32(0x14, 0x1200_0000);
    }
    let topology = keep(&mut model);
    assert_eq!(finding_ids(&topology), ["bar-overlaps"]);
    check(&model, &topology);
    assert_eq!(address(&topology, "00:01.0", 1), Some(0x1200_0000));
}

#[test]
fn a_measurement_that_firmware_left_is_not_an_address() {
    let mut model = Model::virt();
    let card = model.device(On::Root(0), 1, 0, ENDPOINT);
    model.cards[card].set32(0x14, 0xffff_f000);
    let topology = keep(&mut model);
    assert_eq!(finding_ids(&topology), [""; 0]);
    assert_eq!(address(&topology, "00:01.0", 1), Some(0x1000_0000));
}

#[test]
fn memory_without_room_above_4_gib_is_placed_below() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    let end = model.device(On::Behind(port), 0, 0, ENDPOINT);
    model.cards[end].memory_bar(2, 0x80_0000, true, true).memory_bar(4, 0x80_0000, true, true);
    let mut root = virt_root();
    let high = root.windows.last_mut().unwrap();
    high.cpu = Range::from_size(high.cpu.start(), 0x80_0000).unwrap();
    let topology = enumerate(&mut model, &[root]);
    assert_eq!(finding_ids(&topology), [""; 0]);
    check(&model, &topology);
}

#[test]
fn a_bar_that_does_not_keep_its_address_is_not_used() {
    for stuck in [u32::MAX, 0, 0x1230_0000] {
        let mut model = Model::virt();
        let card = model.device(On::Root(0), 1, 0, ENDPOINT);
        model.cards[card].sticks_at(0x14, stuck);
        let well = model.device(On::Root(0), 2, 0, ENDPOINT);
        let topology = enumerate(&mut model, &[virt_root()]);
        assert_eq!(finding_ids(&topology), ["bar-not-kept"], "{stuck:#x}");
        let function = &topology[topology.find(at("00:01.0")).unwrap()];
        let bar = function.bar(1).unwrap();
        assert_eq!((bar.bus_address, bar.cpu), (None, None));
        assert!(enable(&mut model, function, Command::MEMORY).is_err());
        assert!(address(&topology, "00:02.0", 1).is_some());
        assert_eq!(model.cards[well].get8(4) & 2, 0);
    }
}

#[test]
fn bars_behind_a_window_that_does_not_keep_its_address_are_not_used() {
    for stuck in [u32::MAX, 0, 0x1230_1230] {
        let mut model = Model::virt();
        let port = model.root_port(On::Root(0), 1);
        model.cards[port].sticks_at(0x20, stuck);
        let end = model.device(On::Behind(port), 0, 0, ENDPOINT);
        model.cards[end].memory_bar(2, 0x4000, true, true);
        let topology = enumerate(&mut model, &[virt_root()]);
        assert_eq!(finding_ids(&topology), ["bridge-window-not-kept"], "{stuck:#x}");
        assert_eq!((address(&topology, "01:00.0", 1), model.cards[end].get32(0x14)), (None, 0));
        assert!(address(&topology, "01:00.0", 2).is_some(), "the other window holds");
    }
}

#[test]
fn the_type_of_a_bar_is_read_before_its_measurement() {
    let mut model = Model::virt();
    let card = model.add(On::Root(0), 1, 0, 0x1b36_0011, 0x08_8000);
    model.cards[card].memory_bar(0, 2, false, false);
    model.cards[card].all_writable(0x10);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(finding_ids(&topology), [""; 0]);
    let bar = topology.functions()[1].bar(0).unwrap();
    assert_eq!((bar.kind, bar.size), (BarKind::Memory { wide: false, prefetchable: false }, 16));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 200 }))]

    /// Machines with ports, switches and endpoints, where some of firmware's addresses are missing.
    #[test]
    fn bars_without_an_address_are_placed_and_no_other_bar_moves(
        ports in prop::collection::vec((0u8..3, prop::collection::vec((0u32..5, any::<bool>(), any::<bool>()), 1..4)), 1..8),
        forgotten in any::<u64>(),
        closed in any::<u64>(),
    ) {
        let mut model = Model::virt();
        let mut ends = Vec::new();
        let mut bridges = Vec::new();
        for (device, (depth, bars)) in (1..).zip(&ports) {
            let mut on = On::Root(0);
            for level in 0..*depth {
                let kind = [FunctionKind::RootPort, FunctionKind::UpstreamPort, FunctionKind::DownstreamPort][usize::from(level)];
                let bridge = model.bridge(on, if level == 0 { device } else { 0 }, 0, kind);
                bridges.push(bridge);
                on = On::Behind(bridge);
            }
            let end = model.add(on, if *depth == 0 { device } else { 0 }, 0, 0x1234_0001, 0);
            for (number, (size, wide, prefetchable)) in (0..).step_by(2).zip(bars) {
                model.cards[end].memory_bar(number, 0x1000 << (3 * size), *wide, *prefetchable);
            }
            ends.push(end);
        }
        let first = enumerate(&mut model, &[virt_root()]);
        prop_assert_eq!(finding_ids(&first), [""; 0]);
        for (index, end) in ends.iter().enumerate() {
            for bar in 0..3 {
                if forgotten >> ((3 * index + bar) % 64) & 1 != 0 {
                    model.cards[*end].clear_bar(2 * bar);
                }
            }
        }
        for (index, bridge) in bridges.iter().enumerate() {
            if closed >> (2 * index % 64) & 3 == 3 {
                model.cards[*bridge].set32(0x20, 0x0000_fff0);
            }
        }
        let left: Vec<_> = first.functions().iter().map(|function| {
            let card = model.card(function.address).unwrap();
            function.bars().iter().map(|bar| model.cards[card].get32(usize::from(bar.offset(0))) & !0xf).collect::<Vec<_>>()
        }).collect();
        let topology = keep(&mut model);
        check(&model, &topology);
        let mut moved = String::new();
        for (function, left) in topology.functions().iter().zip(left) {
            for (bar, held) in function.bars().iter().zip(left) {
                let address = bar.bus_address.expect("there is room for everything");
                if held != 0 && address as u32 & !0xf != held {
                    moved += &std::format!("{} {} ", function.address, bar.register);
                }
            }
        }
        let allowed = finding_ids(&topology).iter().any(|id| ["bridge-window-moved", "bar-outside-windows"].contains(id));
        prop_assert!(moved.is_empty() || allowed, "{}", moved);
    }
}
