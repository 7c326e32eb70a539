//! Bus numbers, hidden root buses, device order.

extern crate std;

use std::string::{String, ToString};
use std::vec::Vec;

use super::model::{Model, On, finding_ids, virt_root};
use crate::{
    BusNumbers, EnumerationPolicy, FunctionKind, Numbering, RootBus, Topology, enumerate, enumerate_with,
};

fn order(topology: &Topology) -> Vec<String> {
    topology.functions().iter().map(|function| function.address.to_string()).collect()
}

fn kept(model: &mut Model) -> Topology {
    enumerate_with(
        model,
        &[virt_root()],
        &EnumerationPolicy { numbering: Numbering::Keep, ..EnumerationPolicy::default() },
    )
}

fn up_to(last_bus: u8) -> RootBus {
    RootBus { last_bus, ..virt_root() }
}

#[test]
fn a_bus_is_listed_before_the_buses_behind_its_bridges() {
    let mut model = Model::virt();
    let first = model.root_port(On::Root(0), 1);
    let up = model.bridge(On::Behind(first), 0, 0, FunctionKind::UpstreamPort);
    for device in 0..2 {
        let down = model.bridge(On::Behind(up), device, 0, FunctionKind::DownstreamPort);
        model.device(On::Behind(down), 0, 0, FunctionKind::Endpoint);
    }
    let second = model.root_port(On::Root(0), 2);
    model.device(On::Behind(second), 0, 0, FunctionKind::Endpoint);
    let topology = enumerate(&mut model, &[virt_root()]);
    let expected = [
        "0000:00:00.0",
        "0000:00:01.0",
        "0000:00:02.0",
        "0000:01:00.0",
        "0000:02:00.0",
        "0000:02:01.0",
        "0000:03:00.0",
        "0000:04:00.0",
        "0000:05:00.0",
    ];
    assert_eq!(order(&topology), expected);
    assert_eq!(topology.functions()[1].bridge.as_ref().unwrap().buses.unwrap().subordinate, 4);
    assert_eq!(model.cards[first].get32(0x18), 0x0004_0100);
    assert_eq!(model.cards[up].get32(0x18), 0x0004_0201);
}

#[test]
fn functions_above_0_are_read_only_if_function_0_is_multifunction() {
    let mut model = Model::virt();
    model.add(On::Root(0), 3, 4, 0x1234_5678, 0);
    let single = model.add(On::Root(0), 4, 1, 0x1234_5678, 0);
    model.add(On::Root(0), 4, 0, 0x1234_5678, 0);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(order(&topology), ["0000:00:00.0", "0000:00:04.0"]);
    assert!(model.address(single).is_some());
}

#[test]
fn only_device_0_is_read_behind_a_root_port() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    model.device(On::Behind(port), 1, 0, FunctionKind::Endpoint);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(order(&topology), ["0000:00:00.0", "0000:00:01.0", "0000:01:00.0"]);
}

#[test]
fn only_device_0_is_read_behind_a_downstream_port() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    let up = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
    let down = model.bridge(On::Behind(up), 3, 0, FunctionKind::DownstreamPort);
    model.device(On::Behind(down), 0, 0, FunctionKind::Endpoint);
    model.device(On::Behind(down), 1, 0, FunctionKind::Endpoint);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(order(&topology)[3..], ["0000:02:03.0", "0000:03:00.0"]);
}

#[test]
fn bridges_on_a_hidden_root_bus_are_numbered_and_left_out() {
    let mut model = Model::virt();
    model.expander();
    let here = model.root_port(On::Root(0), 3);
    model.device(On::Behind(here), 0, 0, FunctionKind::Endpoint);
    let hidden = model.root_port(On::Root(0x20), 0);
    let end = model.device(On::Behind(hidden), 0, 0, FunctionKind::Endpoint);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(order(&topology), ["0000:00:00.0", "0000:00:03.0", "0000:00:1f.0", "0000:01:00.0"]);
    assert_eq!(model.address(end).unwrap().to_string(), "0000:21:00.0");
    assert_eq!(finding_ids(&topology), ["hidden-host-bridge"]);
    assert_eq!(topology.findings()[0].place, "0000:20:00.0");
    let root = topology.hidden()[0];
    assert_eq!((root.bus, root.last_bus, root.functions), (0x20, 0x21, 2));
}

#[test]
fn hidden_root_buses_are_looked_for_if_there_is_an_expander_or_an_empty_described_bus() {
    let mut model = Model::virt();
    model.device(On::Root(0x20), 0, 0, FunctionKind::RcEndpoint);
    assert_eq!(enumerate(&mut model, &[virt_root()]).hidden().len(), 0);
    let reads = model.reads.get();
    assert!(reads < 2000, "{reads} reads");
    let empty = RootBus { first_bus: 0x10, last_bus: 0x1f, ..virt_root() };
    assert_eq!(enumerate(&mut model, &[virt_root(), empty]).hidden().len(), 1);
    model.expander();
    assert_eq!(enumerate(&mut model, &[virt_root()]).hidden().len(), 1);
}

#[test]
fn numbers_of_hidden_root_buses_are_not_used_twice() {
    let mut model = Model::virt();
    model.expander();
    let hidden = model.root_port(On::Root(2), 0);
    model.device(On::Behind(hidden), 0, 0, FunctionKind::Endpoint);
    let mut ends = Vec::new();
    for device in 1..5 {
        let port = model.root_port(On::Root(0), device);
        ends.push(model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint));
    }
    let topology = enumerate(&mut model, &[virt_root()]);
    let buses: Vec<u8> = ends.iter().map(|end| model.address(*end).unwrap().bus).collect();
    assert_eq!(buses, [1, 4, 5, 6]);
    assert_eq!(finding_ids(&topology), ["hidden-host-bridge"]);
}

#[test]
fn a_subtree_gets_numbers_from_a_gap_that_is_large_enough() {
    let mut model = Model::virt();
    model.expander();
    model.device(On::Root(3), 0, 0, FunctionKind::RcEndpoint);
    let port = model.root_port(On::Root(0), 1);
    let up = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
    let down = model.bridge(On::Behind(up), 0, 0, FunctionKind::DownstreamPort);
    let end = model.device(On::Behind(down), 0, 0, FunctionKind::Endpoint);
    let small = model.root_port(On::Root(0), 2);
    let small_end = model.device(On::Behind(small), 0, 0, FunctionKind::Endpoint);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(model.address(end).unwrap().bus, 6);
    assert_eq!(model.address(small_end).unwrap().bus, 1);
    assert_eq!(finding_ids(&topology), ["hidden-host-bridge"]);
    assert_eq!(topology.functions().len(), 4 + 3 + 1);
}

#[test]
fn stale_numbers_of_a_hidden_bridge_are_not_another_root_bus() {
    let mut model = Model::virt();
    model.expander();
    let hidden = model.root_port(On::Root(0x20), 0);
    model.device(On::Behind(hidden), 0, 0, FunctionKind::Endpoint);
    model.cards[hidden].set32(0x18, 0x0010_1020);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(topology.hidden().len(), 1);
    assert_eq!(topology.hidden()[0].bus, 0x20);
}

#[test]
fn stale_numbers_are_cleared_before_anything_is_numbered() {
    let mut model = Model::virt();
    for device in 1..4 {
        let port = model.root_port(On::Root(0), device);
        model.cards[port].set32(0x18, 0x00ff_0100);
        let up = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
        model.cards[up].set32(0x18, 0x00ff_0201);
        for device in 0..2 {
            let down = model.bridge(On::Behind(up), device, 0, FunctionKind::DownstreamPort);
            model.cards[down].set32(0x18, 0x00ff_0302);
        }
    }
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(topology.findings(), []);
    assert_eq!(topology.functions().len(), 1 + 3 * 4);
}

#[test]
fn running_out_of_bus_numbers_is_a_finding_and_enumeration_continues() {
    let mut model = Model::virt();
    let mut ends = Vec::new();
    for device in 1..21 {
        let port = model.root_port(On::Root(0), device);
        model.cards[port].set32(0x18, 0x0005_0500);
        ends.push(model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint));
    }
    let topology = enumerate(&mut model, &[up_to(15)]);
    assert_eq!(finding_ids(&topology), ["bus-numbers-exhausted"; 5]);
    assert_eq!(topology.findings()[0].place, "0000:00:10.0");
    assert_eq!(topology.functions().len(), 1 + 20 + 15);
    assert_eq!(ends.iter().filter(|end| model.address(**end).is_some()).count(), 15);
    let closed = &topology.functions()[20].bridge.as_ref().unwrap();
    assert_eq!(closed.buses, None);
}

#[test]
fn a_bridge_without_numbers_does_not_look_like_a_bridge_to_bus_0() {
    let mut model = Model::virt();
    model.expander();
    let mut ports: Vec<usize> = (1..6).map(|device| model.root_port(On::Root(0), device)).collect();
    // No number is free between the hidden root bus and the next one.
    ports.extend((0..2).map(|device| model.root_port(On::Root(8), device)));
    model.device(On::Root(9), 0, 0, FunctionKind::RcEndpoint);
    let topology = enumerate(&mut model, &[up_to(3)]);
    let registers: Vec<u32> = ports.iter().map(|port| model.cards[*port].get32(0x18)).collect();
    let numbered = [0x0001_0100, 0x0002_0200, 0x0003_0300];
    assert_eq!(registers[..3], numbered);
    assert_eq!(registers[3..], [0x0000_ff00, 0x0000_ff00, 0x0000_ff08, 0x0000_ff08]);
    assert_eq!(topology.functions().len(), 7);
}

#[test]
fn a_root_bus_with_a_single_number_reports_its_bridges() {
    let mut model = Model::new();
    model.root_port(On::Root(0x20), 0);
    let topology = enumerate(&mut model, &[RootBus { first_bus: 0x20, last_bus: 0x20, ..virt_root() }]);
    assert_eq!(finding_ids(&topology), ["bus-numbers-exhausted"]);
    let sentence = &topology.findings()[0].sentence;
    assert!(sentence.contains("up to 0x20"), "{sentence}");
}

#[test]
fn bridges_behind_a_bridge_without_numbers_do_not_look_like_bridges_to_bus_0() {
    let mut model = Model::virt();
    model.root_port(On::Root(0), 1);
    let full = model.root_port(On::Root(0), 2);
    let up = model.bridge(On::Behind(full), 0, 0, FunctionKind::UpstreamPort);
    let down = [0, 1].map(|device| model.bridge(On::Behind(up), device, 0, FunctionKind::DownstreamPort));
    model.device(On::Behind(down[1]), 0, 0, FunctionKind::Endpoint);
    let topology = enumerate(&mut model, &[up_to(4)]);
    // Bus 1 is in use, and the second port needs four more numbers.
    assert_eq!(finding_ids(&topology), ["bus-numbers-exhausted"]);
    let topology = enumerate(&mut model, &[up_to(1)]);
    assert_eq!(finding_ids(&topology), ["bus-numbers-exhausted"]);
    assert_eq!(topology.functions().len(), 3);
    assert_eq!(model.cards[full].get32(0x18) >> 8, 0xff);
    // One number can be used temporarily: it reaches the upstream port.
    assert_eq!(model.cards[up].get32(0x18) >> 8, 0xff);
}

#[test]
fn the_number_of_a_parked_bridge_is_that_of_a_bus_without_functions() {
    let mut model = Model::virt();
    model.expander();
    model.device(On::Root(255), 0, 0, FunctionKind::RcEndpoint);
    let port = model.root_port(On::Root(0), 1);
    enumerate(&mut model, &[up_to(0)]);
    assert_eq!(model.cards[port].get32(0x18), 0x0000_fe00);
}

#[test]
fn running_out_of_numbers_in_a_deep_chain_is_a_finding() {
    let mut model = Model::virt();
    let mut on = On::Root(0);
    for _ in 0..300 {
        on = On::Behind(model.bridge(on, 0, u8::from(on == On::Root(0)), FunctionKind::Conventional));
    }
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(finding_ids(&topology)[0], "bus-numbers-exhausted");
    assert_eq!(topology.buses().len(), 256);
    assert_eq!(super::model::partition(&topology).matches('|').count(), 0);
}

#[test]
fn consistent_numbers_of_firmware_are_kept() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    model.cards[port].set32(0x18, 0x0009_0700);
    let up = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
    model.cards[up].set32(0x18, 0x0009_0807);
    model.device(On::Behind(up), 0, 0, FunctionKind::DownstreamPort);
    let topology = kept(&mut model);
    assert_eq!(topology.findings(), []);
    assert_eq!(order(&topology), ["0000:00:00.0", "0000:00:01.0", "0000:07:00.0", "0000:08:00.0"]);
    let buses = topology.functions()[1].bridge.as_ref().unwrap().buses;
    assert_eq!(buses, Some(BusNumbers { secondary: 7, subordinate: 9 }));
}

#[test]
fn contradictory_numbers_of_firmware_are_replaced() {
    for wrong in [0x0000_0000, 0x0009_0701, 0x0006_0700, 0x0009_0000] {
        let mut model = Model::virt();
        let port = model.root_port(On::Root(0), 1);
        model.cards[port].set32(0x18, 0x0002_0200);
        let other = model.root_port(On::Root(0), 2);
        model.cards[other].set32(0x18, wrong);
        model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
        let topology = kept(&mut model);
        assert_eq!(finding_ids(&topology), ["bus-numbers-inconsistent"], "{wrong:#x}");
        assert_eq!(order(&topology).last().unwrap(), "0000:01:00.0");
        assert_eq!(model.cards[other].get32(0x18), 0x0002_0200);
    }
}

#[test]
fn an_impossible_or_repeated_bus_range_is_a_finding() {
    let mut model = Model::virt();
    let topology = enumerate(&mut model, &[RootBus { first_bus: 5, ..up_to(3) }, virt_root(), up_to(9)]);
    assert_eq!(finding_ids(&topology), ["bus-range-empty", "host-bridges-overlap"]);
    assert_eq!(order(&topology), ["0000:00:00.0"]);
    assert_eq!(topology.buses()[0].root, 1);
}
