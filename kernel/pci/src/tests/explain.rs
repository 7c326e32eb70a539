//! Explanations of isolation classes.

extern crate std;

use std::string::{String, ToString};
use std::vec::Vec;

use super::model::{Model, On, at, isolated};
use crate::{FunctionIndex, FunctionKind, Topology};

fn names(topology: &Topology, functions: &[FunctionIndex]) -> Vec<String> {
    functions.iter().map(|index| topology[*index].address.to_string()["0000:".len()..].into()).collect()
}

/// What would make the function at `place` alone.
fn alone_if(topology: &Topology, place: &str) -> Option<Vec<String>> {
    let function = topology.find(at(place)).unwrap();
    topology.explain(function).alone_if.map(|functions| names(topology, &functions))
}

/// A switch with two downstream ports, and a device with two functions behind the first of them.
fn switch(ports_isolate: bool) -> Topology {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 2);
    let up = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
    for device in 0..2 {
        let down = model.bridge(On::Behind(up), device, 0, FunctionKind::DownstreamPort);
        if ports_isolate {
            model.cards[down].acs(0x1d);
        }
        if device == 0 {
            let first = model.device(On::Behind(down), 0, 0, FunctionKind::Endpoint);
            model.cards[first].multifunction();
            model.device(On::Behind(down), 0, 1, FunctionKind::Endpoint);
        }
    }
    isolated(&mut model)
}

#[test]
fn a_function_that_is_alone_needs_nothing() {
    let topology = switch(true);
    assert_eq!(alone_if(&topology, "00:02.0"), Some(Vec::new()));
    assert_eq!(alone_if(&topology, "02:00.0"), Some(Vec::new()));
}

#[test]
fn what_shares_a_slot_needs_acs_of_its_own() {
    let topology = switch(true);
    let explained = topology.explain(topology.find(at("03:00.1")).unwrap());
    assert_eq!(names(&topology, &explained.siblings), ["03:00.0"]);
    assert_eq!(names(&topology, &explained.bridges), ["02:00.0", "01:00.0", "00:02.0"]);
    assert_eq!(names(&topology, &explained.members), ["03:00.0", "03:00.1"]);
    assert_eq!(explained.class.why, "function sibling 0000:03:00.0 without ACS");
    assert_eq!(alone_if(&topology, "03:00.1"), Some(Vec::from(["03:00.1".into()])));
}

#[test]
fn what_is_behind_a_port_without_acs_needs_that_of_the_port_too() {
    let topology = switch(false);
    let needed = alone_if(&topology, "03:00.0").expect("registers decide it");
    assert_eq!(needed, ["02:00.0", "03:00.0"]);
    assert_eq!(alone_if(&topology, "02:01.0"), Some(Vec::new()), "nothing is behind it");
}

#[test]
fn each_function_that_is_named_is_necessary_and_together_they_are_enough() {
    for topology in [switch(false), switch(true)] {
        for (index, _) in topology.indexed() {
            let needed = topology.explain(index).alone_if.expect("registers decide it");
            let is_alone = |isolating: &[FunctionIndex]| {
                let mut copy = topology.clone();
                for port in isolating {
                    let acs = crate::AcsFlags::ISOLATION;
                    copy.function_mut(*port).acs = Some(crate::AcsRegisters {
                        offset: 0x100,
                        capability: acs,
                        control: acs,
                        is_chosen: false,
                    });
                }
                copy.explain(index).members == [index]
            };
            assert!(is_alone(&needed));
            for left_out in 0..needed.len() {
                let mut fewer = needed.clone();
                fewer.remove(left_out);
                assert!(!is_alone(&fewer), "{} is not necessary", topology[needed[left_out]].address);
            }
        }
    }
}

#[test]
fn no_register_separates_functions_behind_a_bridge_to_conventional_pci() {
    let mut model = Model::virt();
    let bridge = model.bridge(On::Root(0), 2, 0, FunctionKind::PcieToPciBridge);
    model.device(On::Behind(bridge), 1, 0, FunctionKind::Conventional);
    let topology = isolated(&mut model);
    let explained = topology.explain(topology.find(at("01:01.0")).unwrap());
    let ids: Vec<_> = explained.requesters.iter().map(|alias| (alias.owner, alias.id.0)).collect();
    let [bridge, function] = ["00:02.0", "01:01.0"].map(|place| topology.find(at(place)).unwrap());
    assert_eq!(ids, [(function, 0x0108), (bridge, 0x0100)]);
    assert_eq!(explained.alone_if, None);
}
