//! Isolation classes, aliases, and the rules behind them.

extern crate std;

use std::collections::HashMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use addr::{DeviceFunction, RequesterId};
use probe::{Bus as _, FwNode, InputIds};

use super::model::{Model, On, at, finding_ids, isolated, isolated_with, partition, virt_root};
use crate::findings::MAX_FINDINGS;
use crate::{
    EnumerationPolicy, FunctionIndex, FunctionKind, Join, PciBus, Quirks, RootBus, Topology, enable_acs,
    enumerate,
};

fn why(topology: &Topology, place: &str) -> String {
    topology.isolation_classes()[topology.find(at(place)).unwrap().place()].why.clone()
}

fn ids(topology: &Topology, place: &str) -> Vec<u16> {
    let function = topology.find(at(place)).unwrap();
    let bus = PciBus::new(topology.clone(), Vec::from([FwNode(7)]));
    assert_eq!(bus.firmware_parent(function.into()), Some(FwNode(7)));
    let InputIds::Requesters(ids) = bus.input_ids(function.into()) else { panic!() };
    ids.into_iter().map(|RequesterId(id)| id).collect()
}

#[test]
fn ports_isolate_only_after_acs_is_enabled() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 2);
    model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    let mut topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(partition(&topology), "00.0 | 02.0 01:00.0");
    assert_eq!(
        why(&topology, "01:00.0"),
        "behind 0000:00:02.0, which does not isolate (ACS SV RR CR UF off)"
    );
    enable_acs(&mut model, &mut topology);
    assert_eq!(partition(&topology), "00.0 | 02.0 | 01:00.0");
    assert_eq!(why(&topology, "01:00.0"), "own group");
    assert_eq!(model.cards[port].get32(0x104) >> 16, 0x1d);
}

#[test]
fn a_port_that_leads_out_of_the_machine_blocks_translated_requests_and_devices_behind_it_are_untrusted() {
    let mut model = Model::virt();
    let outside = model.root_port(On::Root(0), 2);
    let up = model.bridge(On::Behind(outside), 0, 0, FunctionKind::UpstreamPort);
    let down = model.bridge(On::Behind(up), 0, 0, FunctionKind::DownstreamPort);
    model.cards[down].acs(0x1d);
    model.device(On::Behind(down), 0, 0, FunctionKind::Endpoint);
    let inside = model.root_port(On::Root(0), 3);
    model.device(On::Behind(inside), 0, 0, FunctionKind::Endpoint);
    let mut topology = enumerate(&mut model, &[virt_root()]);
    // Only a bridge can lead out of the machine.
    let marked = topology.indexed().filter(|(_, function)| matches!(function.address.devfn.device(), 0 | 2));
    let marked: Vec<FunctionIndex> = marked.map(|(index, _)| index).collect();
    topology.mark_external_facing(&marked);
    topology.mark_untrusted();
    enable_acs(&mut model, &mut topology);
    let untrusted: Vec<_> =
        topology.functions().iter().map(|function| (function.external_facing, function.untrusted)).collect();
    let behind = (true, true);
    assert_eq!(
        untrusted,
        [(false, false), (true, false), (false, false), behind, behind, (false, true), (false, false)]
    );
    assert_eq!(model.cards[outside].get32(0x104) >> 16, 0x1f);
    // TB is not implemented there.
    assert_eq!(model.cards[down].get32(0x104) >> 16, 0x1d);
    assert_eq!(model.cards[inside].get32(0x104) >> 16, 0x1d);
}

#[test]
fn a_device_joins_the_group_of_its_port_without_acs() {
    let mut model = Model::virt();
    let port = model.bridge(On::Root(0), 2, 0, FunctionKind::RootPort);
    model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    let good = model.root_port(On::Root(0), 3);
    model.device(On::Behind(good), 0, 0, FunctionKind::Endpoint);
    let topology = isolated(&mut model);
    assert_eq!(partition(&topology), "00.0 | 02.0 01:00.0 | 03.0 | 02:00.0");
    assert_eq!(why(&topology, "01:00.0"), "behind 0000:00:02.0, which does not isolate (no ACS)");
}

#[test]
fn a_port_with_acs_does_not_isolate_below_a_port_without() {
    let mut model = Model::virt();
    let port = model.bridge(On::Root(0), 2, 0, FunctionKind::RootPort);
    let up = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
    let down = model.bridge(On::Behind(up), 0, 0, FunctionKind::DownstreamPort);
    model.cards[down].acs(0x1d);
    model.device(On::Behind(down), 0, 0, FunctionKind::Endpoint);
    let topology = isolated(&mut model);
    assert_eq!(partition(&topology), "00.0 | 02.0 01:00.0 02:00.0 03:00.0");
    assert_eq!(
        why(&topology, "03:00.0"),
        "behind 0000:02:00.0, below 0000:00:02.0, which does not isolate (no ACS)"
    );
}

#[test]
fn a_switch_port_without_acs_shares_a_group_with_its_own_endpoints_only() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 2);
    let up = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
    for device in 0..2 {
        let down = model.bridge(On::Behind(up), device, 0, FunctionKind::DownstreamPort);
        model.device(On::Behind(down), 0, 0, FunctionKind::Endpoint);
    }
    let topology = isolated(&mut model);
    assert_eq!(partition(&topology), "00.0 | 02.0 | 01:00.0 | 02:00.0 03:00.0 | 02:01.0 04:00.0");
}

#[test]
fn functions_of_a_slot_share_a_group_without_the_multifunction_bit_as_well() {
    let mut model = Model::virt();
    for function in [0, 1, 5] {
        model.device(On::Root(0), 4, function, FunctionKind::Conventional);
    }
    model.device(On::Root(0), 5, 0, FunctionKind::Conventional);
    let topology = isolated(&mut model);
    assert_eq!(partition(&topology), "00.0 | 04.0 04.1 04.5 | 05.0");
    assert!(topology.functions()[2].multifunction);
    assert_eq!(why(&topology, "00:04.5"), "function sibling 0000:00:04.0 without ACS");
}

#[test]
fn a_function_with_acs_is_alone_in_a_slot_of_functions_without() {
    let mut model = Model::virt();
    model.device(On::Root(0), 4, 0, FunctionKind::RcEndpoint);
    let one = model.device(On::Root(0), 4, 1, FunctionKind::RcEndpoint);
    model.cards[one].acs(0x1d);
    model.device(On::Root(0), 4, 2, FunctionKind::RcEndpoint);
    assert_eq!(partition(&isolated(&mut model)), "00.0 | 04.0 04.2 | 04.1");
}

#[test]
fn intel_root_complex_endpoints_and_igb_isolate_without_acs() {
    let mut model = Model::virt();
    for function in 0..2 {
        let card = model.device(On::Root(0), 2, function, FunctionKind::RcEndpoint);
        model.cards[card].set32(0, 0x10d3_8086);
    }
    let port = model.root_port(On::Root(0), 3);
    for (function, id) in [(0, 0x10c9_8086), (1, 0x10c9_8086), (2, 0x10d3_8086), (3, 0x10d3_8086)] {
        let card = model.device(On::Behind(port), 0, function, FunctionKind::Endpoint);
        model.cards[card].set32(0, id);
    }
    let topology = isolated(&mut model);
    assert_eq!(partition(&topology), "00.0 | 02.0 | 02.1 | 03.0 | 01:00.0 | 01:00.1 | 01:00.2 01:00.3");
}

#[test]
fn all_devices_behind_a_pcie_to_pci_bridge_share_its_alias_and_one_group() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 2);
    let bridge = model.bridge(On::Behind(port), 0, 0, FunctionKind::PcieToPciBridge);
    for device in 1..3 {
        model.device(On::Behind(bridge), device, 0, FunctionKind::Conventional);
    }
    let topology = isolated(&mut model);
    assert_eq!(partition(&topology), "00.0 | 02.0 | 01:00.0 02:01.0 02:02.0");
    assert_eq!(ids(&topology, "02:02.0"), [0x0210, 0x0200]);
    assert_eq!(ids(&topology, "01:00.0"), [0x0100]);
    assert_eq!(why(&topology, "02:01.0"), "DMA alias 0000:02:00.0 of 0000:01:00.0");
}

#[test]
fn a_conventional_bridge_replaces_requester_ids_by_its_own() {
    let mut model = Model::virt();
    let bridge = model.bridge(On::Root(0), 2, 0, FunctionKind::Conventional);
    model.device(On::Behind(bridge), 0, 0, FunctionKind::Conventional);
    let inner = model.bridge(On::Behind(bridge), 1, 0, FunctionKind::Conventional);
    model.device(On::Behind(inner), 4, 0, FunctionKind::Conventional);
    let topology = isolated(&mut model);
    assert_eq!(partition(&topology), "00.0 | 02.0 01:00.0 01:01.0 02:04.0");
    assert_eq!(ids(&topology, "02:04.0"), [0x0220, 0x0108, 0x0010]);
}

#[test]
fn a_device_whose_id_is_the_alias_of_its_bridge_has_that_id_once() {
    let mut model = Model::virt();
    let bridge = model.bridge(On::Root(0), 2, 0, FunctionKind::PcieToPciBridge);
    model.device(On::Behind(bridge), 0, 0, FunctionKind::Conventional);
    assert_eq!(ids(&isolated(&mut model), "01:00.0"), [0x0100]);
}

#[test]
fn a_bridge_that_keeps_requester_ids_adds_no_alias_and_does_not_isolate() {
    let mut model = Model::virt();
    let bridge = model.bridge(On::Root(0), 2, 0, FunctionKind::PcieToPciBridge);
    model.device(On::Behind(bridge), 1, 0, FunctionKind::Conventional);
    let quirks = Quirks { keeps_requester_ids: Vec::from([at("00:02.0")]), ..Quirks::default() };
    let topology = isolated_with(&mut model, &EnumerationPolicy { quirks, ..EnumerationPolicy::default() });
    assert_eq!(ids(&topology, "01:01.0"), [0x0108]);
    assert_eq!(partition(&topology), "00.0 | 02.0 01:01.0");
}

#[test]
fn the_intel_82801_bridge_is_a_pcie_to_pci_bridge_only_behind_a_port() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 2);
    for (on, device) in [(On::Behind(port), 0), (On::Root(0), 3)] {
        let bridge = model.bridge(on, device, 0, FunctionKind::Conventional);
        model.cards[bridge].set32(0, 0x244e_8086);
        model.device(On::Behind(bridge), 1, 0, FunctionKind::Conventional);
    }
    let topology = isolated(&mut model);
    assert_eq!(ids(&topology, "02:01.0"), [0x0208, 0x0200]);
    assert_eq!(ids(&topology, "03:01.0"), [0x0308, 0x0018]);
}

#[test]
fn functions_that_share_requester_ids_share_a_group() {
    let mut model = Model::virt();
    for device in 1..5 {
        model.device(On::Root(0), device, 0, FunctionKind::RcEndpoint);
    }
    let devfn = |device| DeviceFunction::new(device, 0).unwrap();
    // 1 has the alias 3, and so has 4: all three share a group.
    let dma_aliases = Vec::from([(at("00:01.0"), devfn(3)), (at("00:04.0"), devfn(3))]);
    let quirks = Quirks { dma_aliases, ..Quirks::default() };
    let topology = isolated_with(&mut model, &EnumerationPolicy { quirks, ..EnumerationPolicy::default() });
    assert_eq!(partition(&topology), "00.0 | 01.0 03.0 04.0 | 02.0");
    assert_eq!(ids(&topology, "00:01.0"), [0x0008, 0x0018]);
    assert_eq!(why(&topology, "00:03.0"), "shares requester IDs with 0000:00:01.0");
}

#[test]
fn a_described_pxb_root_bus_keeps_firmware_order_and_has_its_own_groups() {
    let mut model = Model::virt();
    model.add(On::Root(0), 2, 0, 0x1b36_000b, 0x06_0000);
    let port = model.root_port(On::Root(0x20), 0);
    model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    model.device(On::Root(0), 3, 0, FunctionKind::RcEndpoint);
    let high = RootBus { first_bus: 0x20, ..virt_root() };
    let mut topology = enumerate(&mut model, &[high, RootBus { last_bus: 0x1f, ..virt_root() }]);
    enable_acs(&mut model, &mut topology);
    assert_eq!(partition(&topology), "20:00.0 | 21:00.0 | 00.0 | 02.0 | 03.0");
    let bus = PciBus::new(topology.clone(), Vec::from([FwNode(1), FwNode(2)]));
    let parents: Vec<_> =
        topology.indexed().map(|(index, _)| bus.firmware_parent(index.into()).unwrap().0).collect();
    assert_eq!(parents, [1, 1, 2, 2, 2]);
    assert_eq!(finding_ids(&topology), [""; 0]);
}

#[test]
fn grouping_one_by_one_in_topology_order_gives_the_isolation_classes() {
    let mut model = Model::virt();
    let port = model.bridge(On::Root(0), 2, 0, FunctionKind::RootPort);
    let bridge = model.bridge(On::Behind(port), 0, 0, FunctionKind::PcieToPciBridge);
    model.device(On::Behind(bridge), 1, 0, FunctionKind::Conventional);
    for function in 0..4 {
        model.device(On::Root(0), 3, function, FunctionKind::Conventional);
    }
    let topology = isolated(&mut model);
    let classes = topology.isolation_classes();
    let mut groups: HashMap<FunctionIndex, FunctionIndex> = HashMap::new();
    for (index, function) in topology.indexed() {
        let (leader, why) = match topology.group(index, &|other| groups.get(&other).copied()) {
            Join::Existing { group, why } => (group, why),
            Join::New { why } => (index, why),
        };
        groups.insert(index, leader);
        let class = &classes[index.place()];
        assert_eq!((class.leader, &class.why), (leader, &why), "{}", function.address);
    }
}

#[test]
fn a_port_without_acs_does_not_affect_the_ports_above_it() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 2);
    let up = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
    let down = model.bridge(On::Behind(up), 0, 0, FunctionKind::DownstreamPort);
    model.device(On::Behind(down), 0, 0, FunctionKind::Endpoint);
    let topology = isolated(&mut model);
    let [end, root_port] = ["03:00.0", "00:02.0"].map(|place| topology.find(at(place)).unwrap());
    // So far only the root port has a group, and the ports between do not pass it on to the endpoint.
    let join = topology.group(end, &|other| (other == root_port).then_some(7));
    assert_eq!(join, Join::New { why: String::from("own group") });
}

#[test]
fn an_endpoint_grouped_before_its_port_is_alone_as_on_linux() {
    let mut model = Model::virt();
    let port = model.bridge(On::Root(0), 2, 0, FunctionKind::RootPort);
    model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    let topology = isolated(&mut model);
    let endpoint = topology.find(at("01:00.0")).unwrap();
    let join = topology.group(endpoint, &|_| None::<u32>);
    assert_eq!(join, Join::New { why: String::from("own group") });
}

#[test]
fn acs_that_does_not_stay_enabled_is_a_finding_and_does_not_isolate() {
    let mut model = Model::virt();
    let port = model.bridge(On::Root(0), 2, 0, FunctionKind::RootPort);
    let offset = usize::from(model.cards[port].extended(0x0d));
    model.cards[port].set32(offset + 4, 0x1d);
    model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    let topology = isolated(&mut model);
    assert_eq!(finding_ids(&topology), ["acs-not-enabled"]);
    assert_eq!(partition(&topology), "00.0 | 02.0 01:00.0");
}

#[test]
fn findings_beyond_the_limit_are_counted_in_one_entry() {
    let mut model = Model::virt();
    for port in 1..4 {
        let port = model.root_port(On::Root(0), port);
        let bridge = model.bridge(On::Behind(port), 0, 0, FunctionKind::PcieToPciBridge);
        for devfn in 0..=255u8 {
            let card = model.device(On::Behind(bridge), devfn >> 3, devfn & 7, FunctionKind::Endpoint);
            let offset = usize::from(model.cards[card].extended(0x0d));
            model.cards[card].set32(offset + 4, 0x1d);
        }
    }
    let topology = isolated(&mut model);
    let ids = finding_ids(&topology);
    assert_eq!(ids.len(), MAX_FINDINGS + 1);
    assert_eq!(ids[MAX_FINDINGS], "findings-left-out");
    let left_out = 3 * 256 - MAX_FINDINGS;
    assert!(topology.findings()[MAX_FINDINGS].sentence.starts_with(&format!("{left_out} more findings")));
}

#[test]
fn a_flag_that_a_port_does_not_implement_counts_as_enabled() {
    let mut model = Model::virt();
    let port = model.bridge(On::Root(0), 2, 0, FunctionKind::RootPort);
    model.cards[port].acs(0x10);
    model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    assert_eq!(partition(&isolated(&mut model)), "00.0 | 02.0 | 01:00.0");
}
