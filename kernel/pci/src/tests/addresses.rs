//! BARs and bridge windows.

extern crate std;

use std::vec::Vec;

use addr::{PciSpace, Range};

use super::model::{Model, On, at, finding_ids, virt_root, window};
use crate::{
    Bar, BarKind, BarRegister, Command, EnableError, EnumerationPolicy, Function, FunctionKind, Resources,
    RootBus, Topology, WindowKind, enable, enumerate, enumerate_with,
};

fn root(windows: &[addr::PciWindow]) -> RootBus {
    RootBus { windows: windows.to_vec(), ..virt_root() }
}

fn rom(function: &Function) -> &Bar {
    function.all_bars.iter().find(|bar| bar.register == BarRegister::Rom).unwrap()
}

/// Checks that no BARs overlap, and that each is aligned, inside the windows of all bridges above, and in its
/// register.
pub(super) fn check(model: &Model, topology: &Topology) {
    let mut ranges: Vec<(bool, Range<u64>)> = Vec::new();
    for (index, function) in topology.indexed() {
        let card = model.card(function.address).unwrap();
        for bar in &function.all_bars {
            let offset = usize::from(bar.offset(function.header_type));
            let held = u64::from(model.cards[card].get32(offset));
            let Some(address) = bar.bus_address else {
                assert_eq!(held & !0xf, 0, "{} {}", function.address, bar.register);
                continue;
            };
            assert_eq!(address % bar.size, 0);
            assert!(bar.cpu.is_some());
            let range = Range::from_size(address, bar.size).unwrap();
            let io = bar.kind == BarKind::Io;
            for (other_io, other) in &ranges {
                assert!(*other_io != io || !other.overlaps(&range), "{} {}", function.address, bar.register);
            }
            ranges.push((io, range));
            let wide = matches!(bar.kind, BarKind::Memory { wide: true, .. });
            assert_eq!(held & !0xf & 0xffff_ffff, address & !0xf & 0xffff_ffff);
            if wide {
                assert_eq!(u64::from(model.cards[card].get32(offset + 4)), address >> 32);
            } else {
                assert!(range.end() < 1 << 32);
            }
            for bridge in topology.bridges_above(index) {
                let bridge = topology[bridge].bridge.as_ref().unwrap();
                let encloses =
                    |kind: &WindowKind| bridge.window(*kind).is_some_and(|window| window.encloses(&range));
                let through = WindowKind::ALL.into_iter().find(encloses);
                let through = through.unwrap_or_else(|| panic!("{} is cut off", function.address));
                assert_eq!(through == WindowKind::Io, io);
                let prefetchable = matches!(bar.kind, BarKind::Memory { prefetchable: true, .. });
                assert!(through != WindowKind::Prefetchable || prefetchable);
            }
        }
        let Some(bridge) = &function.bridge else { continue };
        let registers = |offset| u64::from(model.cards[card].get32(offset));
        for kind in WindowKind::ALL {
            let (base, limit) = match kind {
                WindowKind::Io => ((registers(0x1c) & 0xf0) << 8, registers(0x1c) & 0xf000 | 0xfff),
                WindowKind::Memory => {
                    ((registers(0x20) & 0xfff0) << 16, registers(0x20) & 0xfff0_0000 | 0xf_ffff)
                }
                WindowKind::Prefetchable => (
                    (registers(0x24) & 0xfff0) << 16 | registers(0x28) << 32,
                    registers(0x24) & 0xfff0_0000 | 0xf_ffff | registers(0x2c) << 32,
                ),
            };
            let open = bridge.window(kind);
            if kind == WindowKind::Io && !bridge.has_io {
                assert_eq!(open, None);
            } else {
                assert_eq!(Range::new(base, limit), open, "{} {kind:?}", function.address);
            }
        }
        assert_eq!(registers(4) & 6, 6, "{} forwards", function.address);
    }
}

#[test]
fn every_kind_of_bar_gets_an_aligned_address_in_its_space() {
    let mut model = Model::virt();
    let card = model.add(On::Root(0), 1, 0, 0x1af4_1000, 0x02_0000);
    model.cards[card].io_bar(0, 0x20).memory_bar(1, 0x1000, false, false).memory_bar(4, 0x4000, true, true);
    model.cards[card].rom(0x8_0000);
    let wide = model.add(On::Root(0), 2, 0, 0x1b36_0010, 0x01_0802);
    model.cards[wide].memory_bar(0, 0x4000, true, false).memory_bar(2, 0x100, false, true);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(topology.findings(), []);
    check(&model, &topology);
    let function = &topology[topology.find(at("00:01.0")).unwrap()];
    assert_eq!(function.bar(4).unwrap().bus_address, Some(0x80_0000_0000));
    assert_eq!(function.bar(0).unwrap().bus_address, Some(0x1000));
    assert_eq!(function.bar(0).unwrap().cpu.unwrap().start().0, 0x3eff_1000);
    assert_eq!(rom(function).size, 0x8_0000);
    assert_eq!(model.cards[card].get32(0x30) & 1, 0, "the ROM is off");
    let nvme = &topology[topology.find(at("00:02.0")).unwrap()];
    assert!(nvme.bar(0).unwrap().bus_address.unwrap() < 1 << 32);
}

#[test]
fn bridge_windows_enclose_all_bars_behind_them() {
    let mut model = Model::virt();
    for device in 1..6 {
        let port = model.root_port(On::Root(0), device);
        model.cards[port].memory_bar(0, 0x1000, false, false);
        let up = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
        for device in 0..3 {
            let down = model.bridge(On::Behind(up), device, 0, FunctionKind::DownstreamPort);
            let end = model.device(On::Behind(down), 0, 0, FunctionKind::Endpoint);
            model.cards[end].memory_bar(2, 0x4000 << (4 * device), true, true).rom(0x1_0000);
            model.cards[end].memory_bar(4, 0x2000, true, false);
        }
    }
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(topology.findings(), []);
    check(&model, &topology);
}

#[test]
fn wide_prefetchable_bars_behind_bridges_are_placed_above_4_gib() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    let end = model.add(On::Behind(port), 0, 0, 0x1234_0001, 0);
    model.cards[end].memory_bar(0, 1 << 32, true, true).memory_bar(2, 0x1000, true, false);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(topology.findings(), []);
    let [high, low] = [0, 1].map(|bar| topology.functions()[2].bars()[bar].bus_address.unwrap());
    assert!(high >= 1 << 32 && low < 1 << 32, "{high:#x} {low:#x}");
    check(&model, &topology);
}

#[test]
fn a_block_with_an_unaligned_end_is_placed_after_bars_of_its_alignment() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    let end = model.add(On::Behind(port), 0, 0, 0x1234_0001, 0);
    model.cards[end].memory_bar(0, 1 << 28, false, false).memory_bar(1, 0x1000, false, false);
    let flat = model.add(On::Root(0), 2, 0, 0x1234_0002, 0);
    model.cards[flat].memory_bar(0, 1 << 28, false, false);
    let topology = enumerate(&mut model, &[virt_root()]);
    // The window has room for two aligned blocks of 256 MiB, and for more only after the second one.
    assert_eq!(topology.findings(), []);
    check(&model, &topology);
}

#[test]
fn a_bar_that_does_not_fit_costs_no_other_bar_its_address() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    let big = model.add(On::Behind(port), 0, 0, 0x1234_0001, 0);
    model.cards[big].memory_bar(0, 1 << 30, false, false).memory_bar(1, 0x1000, false, false);
    let flat = model.add(On::Root(0), 2, 0, 0x1234_0002, 0);
    model.cards[flat].memory_bar(0, 0x1000, false, false).memory_bar(2, 1 << 40, true, true);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(finding_ids(&topology), ["bar-does-not-fit"; 2]);
    let sentences: Vec<_> = topology
        .findings()
        .iter()
        .map(|finding| (finding.place.as_str(), finding.sentence.as_str()))
        .collect();
    assert!(
        sentences.iter().any(|(at, text)| *at == "0000:01:00.0 BAR 0" && text.contains("0x40000000 bytes")),
        "{sentences:?}"
    );
    assert!(sentences.iter().any(|(at, _)| *at == "0000:00:02.0 BAR 2"));
    check(&model, &topology);
    let function = &topology[topology.find(at("01:00.0")).unwrap()];
    assert!(function.bar(1).unwrap().bus_address.is_some());
    let refused = enable(&mut model, function, Command::MEMORY | Command::BUS_MASTER);
    let register = BarRegister::Bar(0);
    assert_eq!(refused, Err(EnableError { address: function.address, register }));
}

#[test]
fn with_a_full_io_window_the_last_ports_get_no_io_addresses() {
    let mut model = Model::virt();
    for device in 1..20 {
        let port = model.root_port(On::Root(0), device);
        let end = model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
        model.cards[end].io_bar(0, 0x20);
    }
    let topology = enumerate(&mut model, &[virt_root()]);
    // 64 KiB without the first 4 KiB: 15 bridges.
    assert_eq!(finding_ids(&topology), ["bar-does-not-fit"; 4]);
    assert_eq!(topology.findings()[0].place, "0000:10:00.0 BAR 0");
    check(&model, &topology);
}

#[test]
fn if_a_window_is_too_small_the_largest_bars_are_given_up_first() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    let up = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
    for device in 0..4 {
        let down = model.bridge(On::Behind(up), device, 0, FunctionKind::DownstreamPort);
        let end = model.device(On::Behind(down), 0, 0, FunctionKind::Endpoint);
        model.cards[end].memory_bar(2, 8 << 20, false, false);
    }
    let topology =
        enumerate(&mut model, &[root(&[window(PciSpace::Memory32, 0x1000_0000, 0x1000_0000, 24 << 20)])]);
    check(&model, &topology);
    let placed = topology.functions().iter().filter_map(|function| function.bar(1)?.bus_address).count();
    assert_eq!(placed, 4, "all the small ones");
    assert_eq!(finding_ids(&topology), ["bar-does-not-fit"; 3]);
}

#[test]
fn without_a_high_window_all_bars_are_placed_below_4_gib() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    let end = model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    model.cards[end].memory_bar(2, 0x4000, true, true);
    let flat = model.add(On::Root(0), 2, 0, 0x1234_0002, 0);
    model.cards[flat].memory_bar(0, 0x4000, true, true);
    let low = window(PciSpace::Memory32, 0x1000_0000, 0x1000_0000, 0x2eff_0000);
    let topology = enumerate(&mut model, &[root(&[low])]);
    assert_eq!(topology.findings(), []);
    check(&model, &topology);
}

#[test]
fn no_io_bar_is_placed_behind_a_bridge_without_an_io_window() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    model.cards[port].without_io_window();
    let end = model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    model.cards[end].io_bar(0, 0x20);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(finding_ids(&topology), ["bar-does-not-fit"]);
    check(&model, &topology);
}

#[test]
fn bus_and_cpu_addresses_may_differ() {
    let mut model = Model::virt();
    model.device(On::Root(0), 1, 0, FunctionKind::RcEndpoint);
    let topology =
        enumerate(&mut model, &[root(&[window(PciSpace::Memory32, 0x4000_0000, 0x9_0000_0000, 1 << 20)])]);
    let bar = topology.functions()[1].bar(1).unwrap();
    assert_eq!((bar.bus_address, bar.cpu.unwrap().start().0), (Some(0x4000_0000), 0x9_0000_0000));
}

#[test]
fn addresses_and_decoding_of_firmware_are_kept_on_request() {
    let mut model = Model::virt();
    let card = model.device(On::Root(0), 1, 0, FunctionKind::RcEndpoint);
    model.cards[card].set32(0x14, 0x1234_5000);
    model.cards[card].set8(4, 6);
    let lost = model.device(On::Root(0), 2, 0, FunctionKind::RcEndpoint);
    model.cards[lost].set32(0x14, 0xfff0_0000);
    let policy = EnumerationPolicy { resources: Resources::Keep, ..EnumerationPolicy::default() };
    let topology = enumerate_with(&mut model, &[virt_root()], &policy);
    assert_eq!(topology.functions()[1].bar(1).unwrap().cpu.unwrap().start().0, 0x1234_5000);
    assert_eq!((model.cards[card].get32(0x14), model.cards[card].get8(4)), (0x1234_5000, 6));
    assert_eq!(finding_ids(&topology), ["bar-outside-windows"]);
}

#[test]
fn a_rom_that_firmware_left_disabled_has_no_address() {
    for (held, address) in [(0xfffc_0000, None), (0x1234_0001, Some(0x1234_0000))] {
        let mut model = Model::virt();
        let card = model.add(On::Root(0), 1, 0, 0x1af4_1000, 0x02_0000);
        model.cards[card].rom(0x4_0000);
        model.cards[card].set32(0x30, held);
        let policy = EnumerationPolicy { resources: Resources::Keep, ..EnumerationPolicy::default() };
        let topology = enumerate_with(&mut model, &[virt_root()], &policy);
        let rom = rom(&topology.functions()[1]);
        assert_eq!((rom.bus_address, rom.size), (address, 0x4_0000));
        assert_eq!((finding_ids(&topology), model.cards[card].get32(0x30)), (Vec::new(), held));
    }
}

#[test]
fn an_io_bar_at_0_counts_as_placed_if_the_function_decodes_io() {
    for (command, other, address) in [(1, 0, 0), (0, 0x1234_5000, 0x1000), (0, 0, 0x1000)] {
        let mut model = Model::virt();
        let card = model.add(On::Root(0), 1, 0, 0x1af4_1000, 0x02_0000);
        model.cards[card].io_bar(0, 0x20).memory_bar(1, 0x1000, false, false);
        model.cards[card].set32(0x14, other);
        model.cards[card].set8(4, command);
        let policy = EnumerationPolicy { resources: Resources::Keep, ..EnumerationPolicy::default() };
        let topology = enumerate_with(&mut model, &[virt_root()], &policy);
        let bar = topology.functions()[1].bar(0).unwrap();
        assert_eq!((bar.bus_address, bar.cpu.unwrap().start().0), (Some(address), 0x3eff_0000 + address));
        assert_eq!(model.cards[card].get32(0x10), address as u32 | 1);
    }
}

#[test]
fn decoding_is_disabled_while_a_bar_is_measured_and_restored_afterwards() {
    let mut model = Model::virt();
    let card = model.device(On::Root(0), 1, 0, FunctionKind::RcEndpoint);
    model.cards[card].set8(4, 7);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(model.cards[card].get8(4), 7);
    check(&model, &topology);
}

#[test]
fn no_bar_is_measured_twice() {
    let mut model = Model::virt();
    let card = model.add(On::Root(0), 1, 0, 0x1af4_1000, 0x02_0000);
    model.cards[card].io_bar(0, 0x20).memory_bar(1, 0x1000, false, false).memory_bar(4, 0x4000, true, true);
    enumerate(&mut model, &[virt_root()]);
    assert!(
        model.bar_reads.borrow().values().all(|reads| *reads <= 3),
        "what it held, what it can hold, what it holds"
    );
}

#[test]
fn malformed_bars_are_findings() {
    let mut model = Model::virt();
    let card = model.add(On::Root(0), 1, 0, 0x1234_0001, 0);
    model.cards[card].memory_bar(5, 0x1000, false, false).memory_bar(0, 0x1000, false, false);
    model.cards[card].set32(0x24, 4);
    model.cards[card].set32(0x10, 2);
    model.cards[card].set32(0x14, 6);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(finding_ids(&topology), ["bar-malformed"; 3]);
    assert_eq!(topology.functions()[1].bars(), []);
}
