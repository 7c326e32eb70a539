//! Physical functions, their virtual functions, and bus numbers reserved for them.

extern crate std;

use std::string::{String, ToString};
use std::vec::Vec;

use addr::{PciSpace, Range};

use super::model::{Model, On, at, finding_ids, isolated_with, partition, virt_root, window};
use crate::{EnumerationPolicy, FunctionKind, Numbering, Resources, RootBus, Topology, enumerate_with};

fn with(model: &mut Model, virtual_functions: u16) -> Topology {
    isolated_with(model, &EnumerationPolicy { virtual_functions, ..EnumerationPolicy::default() })
}

/// An endpoint that can have virtual functions.
fn physical(model: &mut Model, on: On, device: u8, (total, first, stride): (u16, u16, u16)) -> usize {
    let kind = if on == On::Root(0) { FunctionKind::RcEndpoint } else { FunctionKind::Endpoint };
    let card = model.device(on, device, 0, kind);
    model.physical(card, total, first, stride);
    card
}

fn children(topology: &Topology, place: &str) -> Vec<String> {
    let physical = topology.find(at(place)).unwrap();
    let virtual_functions =
        topology.functions().iter().filter(|function| function.physical == Some(physical));
    virtual_functions.map(|function| function.address.to_string()).collect()
}

#[test]
fn virtual_functions_come_last_and_are_isolated_alone() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 2);
    // The offsets of `igb`.
    let card = physical(&mut model, On::Behind(port), 0, (8, 128, 2));
    let after = model.root_port(On::Root(0), 3);
    model.device(On::Behind(after), 0, 0, FunctionKind::Endpoint);
    let topology = with(&mut model, 3);
    assert_eq!(partition(&topology), "00.0 | 02.0 | 03.0 | 01:00.0 | 02:00.0 | 01:10.0 | 01:10.2 | 01:10.4");
    assert!(topology.findings().is_empty());
    let function = &topology[topology.find(at("01:10.2")).unwrap()];
    assert_eq!((function.vendor, function.device, function.class), (0x1af4, 0x10ca, 0x02_0000));
    assert_eq!(function.kind, FunctionKind::Endpoint);
    assert_eq!(function.parent, topology.find(at("00:02.0")));
    let offset = model.cards[card].sriov();
    assert_eq!(model.cards[card].get32(offset + 8) & 0x19, 9);
    assert_eq!(model.cards[card].get32(offset + 0x20), 1);
    assert_eq!(topology[topology.find(at("01:00.0")).unwrap()].sriov.unwrap().enabled, 3);
}

#[test]
fn the_bars_of_virtual_functions_are_adjacent_and_behind_the_port() {
    for resources in [Resources::Assign, Resources::Keep] {
        let mut model = Model::virt();
        let port = model.root_port(On::Root(0), 2);
        let card = physical(&mut model, On::Behind(port), 0, (8, 128, 2));
        let policy = EnumerationPolicy { resources, virtual_functions: 3, ..EnumerationPolicy::default() };
        let topology = enumerate_with(&mut model, &[virt_root()], &policy);
        let function = |place: &str| &topology[topology.find(at(place)).unwrap()];
        let all = &function("01:00.0").all_bars[1];
        assert_eq!((all.size, all.count, all.span()), (0x4000, 8, 0x2_0000));
        let start = all.bus_address.unwrap();
        assert_eq!(start % 0x4000, 0);
        let offset = model.cards[card].sriov() + 0x24;
        assert_eq!(u64::from(model.cards[card].get32(offset) & !0xf), start);
        let port = function("00:02.0").bridge.as_ref().unwrap();
        assert!(port.forwards(&Range::from_size(start, all.span()).unwrap(), false));
        for (number, place) in ["01:10.0", "01:10.2", "01:10.4"].into_iter().enumerate() {
            let bar = function(place).bar(0).unwrap();
            let offset = 0x4000 * number as u64;
            assert_eq!((bar.size, bar.count, bar.bus_address), (0x4000, 1, Some(start + offset)));
            assert_eq!(bar.cpu.unwrap().start().0, all.cpu.unwrap().start().0 + offset);
        }
    }
}

#[test]
fn without_room_for_their_bars_no_virtual_functions_are_enabled() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 2);
    // 1 MiB has room for at most 64 of them, beside the BAR of the physical function.
    let card = physical(&mut model, On::Behind(port), 0, (64, 128, 1));
    let windows = [window(PciSpace::Memory32, 0x1000_0000, 0x1000_0000, 0x10_0000)].into();
    let policy = EnumerationPolicy { virtual_functions: 3, ..EnumerationPolicy::default() };
    let topology = enumerate_with(&mut model, &[RootBus { windows, ..virt_root() }], &policy);
    assert_eq!(finding_ids(&topology), ["bar-does-not-fit", "no-virtual-functions"]);
    assert!(topology.findings()[1].sentence.contains("VF BAR 0 has no address"));
    assert!(topology[topology.find(at("01:00.0")).unwrap()].bar(1).unwrap().bus_address.is_some());
    assert_eq!(model.cards[card].get32(model.cards[card].sriov() + 8), 0);
}

#[test]
fn virtual_functions_behind_a_port_that_does_not_isolate_share_its_group() {
    let mut model = Model::virt();
    let port = model.bridge(On::Root(0), 2, 0, FunctionKind::RootPort);
    physical(&mut model, On::Behind(port), 0, (8, 128, 2));
    assert_eq!(partition(&with(&mut model, 2)), "00.0 | 02.0 01:00.0 01:10.0 01:10.2");
}

#[test]
fn the_first_physical_function_of_a_device_controls_ari() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 2);
    model.cards[port].can_forward_ari();
    let first = model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    model.cards[first].ari(1);
    model.physical(first, 2, 2, 2);
    let second = model.device(On::Behind(port), 0, 1, FunctionKind::Endpoint);
    model.cards[second].ari(0);
    model.physical(second, 2, 2, 2);
    let offset = model.cards[second].sriov();
    model.cards[second].set32(offset + 0x10, 0x0001_0000);
    let topology = with(&mut model, 2);
    // Functions of one device without ACS share a group; virtual functions do not.
    assert_eq!(partition(&topology), "00.0 | 02.0 | 01:00.0 01:00.1 | 01:00.2 | 01:00.4 | 01:00.3 | 01:00.5");
    let ari = |card: usize| model.cards[card].get32(model.cards[card].sriov() + 8) & 1 << 4 != 0;
    assert_eq!((ari(first), ari(second)), (true, false));
}

#[test]
fn bus_numbers_are_reserved_whether_virtual_functions_are_enabled_or_not() {
    for count in [0, 6] {
        let mut model = Model::virt();
        // 1f.0: the first is at 0xf8 + 4, the second at 0xf8 + 4 + 5, on bus 1.
        physical(&mut model, On::Root(0), 0x1f, (6, 4, 1));
        let port = model.root_port(On::Root(0), 2);
        // Its virtual functions begin 512 after it.
        physical(&mut model, On::Behind(port), 0, (2, 256, 256));
        let after = model.root_port(On::Root(0), 3);
        model.device(On::Behind(after), 0, 0, FunctionKind::Endpoint);
        let topology = with(&mut model, count.min(2));
        let port = topology[topology.find(at("00:02.0")).unwrap()].bridge.clone().unwrap().buses.unwrap();
        assert_eq!((port.secondary, port.subordinate), (2, 4));
        assert!(topology.find(at("05:00.0")).is_some());
        if count > 0 {
            assert_eq!(children(&topology, "02:00.0"), ["0000:03:00.0", "0000:04:00.0"]);
            assert_eq!(
                partition(&topology),
                "00.0 | 02.0 | 03.0 | 1f.0 | 02:00.0 | 05:00.0 | 1f.4 | 1f.5 | 03:00.0 | 04:00.0"
            );
        }
        let topology = with(&mut model, count);
        let ids: Vec<_> = (0..count).map(|number| 0xfc + number).collect();
        let found = children(&topology, "00:1f.0");
        let expected: Vec<_> = ids.iter().map(|id| at(&format(*id)).to_string()).collect();
        assert_eq!(found, expected);
    }
}

fn format(id: u16) -> String {
    std::format!("{:02x}:{:02x}.{}", id >> 8, id >> 3 & 0x1f, id & 7)
}

#[test]
fn too_many_virtual_functions_are_a_finding_and_none_is_enabled() {
    // More than TotalVFs; a bus beyond the last one; an inconsistent capability.
    for (total, first, stride, initial, last_bus, finding) in [
        (2, 1, 1, 2, 255, "no-virtual-functions"),
        (4, 256, 1, 4, 1, "no-virtual-functions"),
        (4, 1, 1, 3, 255, "no-virtual-functions"),
        (4, 0, 1, 4, 255, "sriov-malformed"),
        (4, 1, 0, 4, 255, "sriov-malformed"),
    ] {
        let mut model = Model::virt();
        let port = model.root_port(On::Root(0), 2);
        let card = physical(&mut model, On::Behind(port), 0, (total, first, stride));
        let offset = model.cards[card].sriov();
        model.cards[card].set32(offset + 0xc, u32::from(total) << 16 | initial);
        let policy = EnumerationPolicy { virtual_functions: 3, ..EnumerationPolicy::default() };
        let root = RootBus { last_bus, ..virt_root() };
        let topology = enumerate_with(&mut model, &[root], &policy);
        assert_eq!(finding_ids(&topology), [finding], "{total} {first} {stride} {initial} {last_bus}");
        assert_eq!(topology.functions().len(), 3);
        assert_eq!(model.cards[card].get32(offset + 8), 0);
        assert_eq!(model.cards[card].get32(offset + 0x10), 0);
    }
}

#[test]
fn virtual_functions_that_firmware_enabled_are_disabled_first() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 2);
    model.cards[port].set32(0x18, 0x0001_0100);
    let card = physical(&mut model, On::Behind(port), 0, (4, 1, 1));
    let offset = model.cards[card].sriov();
    model.cards[card].set32(offset + 8, 9);
    model.cards[card].set32(offset + 0x10, 4);
    let policy = EnumerationPolicy {
        numbering: Numbering::Keep,
        virtual_functions: 2,
        ..EnumerationPolicy::default()
    };
    let topology = enumerate_with(&mut model, &[virt_root()], &policy);
    assert_eq!(children(&topology, "01:00.0"), ["0000:01:00.1", "0000:01:00.2"]);
}

#[test]
fn a_function_that_depends_on_one_without_sriov_gets_no_virtual_functions() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 2);
    model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    let card = model.device(On::Behind(port), 0, 1, FunctionKind::Endpoint);
    model.physical(card, 2, 2, 2);
    let topology = with(&mut model, 2);
    assert_eq!(finding_ids(&topology), ["no-virtual-functions"]);
    assert!(topology.findings()[0].sentence.contains("function 0 of its bus"));
}
