//! Which functions exist behind a port, and ports with impossible types.

extern crate std;

use std::vec::Vec;

use super::model::{Model, On, at, finding_ids, isolated, partition, virt_root};
use crate::{EnumerationPolicy, FunctionKind, Numbering, enumerate_with};

/// Offset of device control 2 in a port of the model.
const CONTROL: usize = 0x40 + 0x28;

fn port(model: &mut Model) -> usize {
    let port = model.root_port(On::Root(0), 2);
    model.cards[port].can_forward_ari();
    port
}

/// Adds endpoints at the functions in `chain`, each with the number of the next one if it has ARI.
fn functions(model: &mut Model, port: usize, chain: &[(u8, Option<u8>)]) {
    for (number, next) in chain {
        let card = model.device(On::Behind(port), number >> 3, number & 7, FunctionKind::Endpoint);
        if let Some(next) = next {
            model.cards[card].ari(*next);
        }
    }
}

#[test]
fn functions_outside_the_ari_chain_are_left_out() {
    let mut model = Model::virt();
    let port = port(&mut model);
    functions(&mut model, port, &[(0, Some(2)), (1, None), (2, Some(10)), (10, Some(255)), (255, Some(0))]);
    let topology = isolated(&mut model);
    assert_eq!(partition(&topology), "00.0 | 02.0 | 01:00.0 01:00.2 | 01:01.2 | 01:1f.7");
    assert_eq!(finding_ids(&topology), ["function-not-in-ari-chain"]);
    assert_eq!(topology.findings()[0].place, "0000:01:00.1");
    assert_eq!(model.cards[port].get32(CONTROL), 1 << 5);
}

#[test]
fn an_ari_chain_ends_at_an_absent_function_or_at_number_0() {
    for (chain, found) in [
        // QEMU 7.2: the next function of `nvme` is 1, which does not exist.
        (&[(0, Some(1)), (3, None)][..], "00.0 | 02.0 | 01:00.0"),
        (&[(0, Some(3)), (3, None), (4, Some(5))], "00.0 | 02.0 | 01:00.0 01:00.3"),
        (&[(0, Some(5)), (3, Some(5)), (5, Some(3))], "00.0 | 02.0 | 01:00.0 01:00.5"),
        (&[(0, Some(5)), (5, Some(5))], "00.0 | 02.0 | 01:00.0 01:00.5"),
    ] {
        let mut model = Model::virt();
        let port = port(&mut model);
        functions(&mut model, port, chain);
        assert_eq!(partition(&isolated(&mut model)), found, "{chain:?}");
    }
}

#[test]
fn without_ari_in_port_and_device_the_multifunction_bit_decides() {
    // The port cannot forward by ARI, or function 0 does not have ARI.
    for (can, first) in [(false, Some(0)), (true, None)] {
        let mut model = Model::virt();
        let port = model.root_port(On::Root(0), 2);
        if can {
            model.cards[port].can_forward_ari().set32(CONTROL, 1 << 5);
        }
        functions(&mut model, port, &[(0, first), (3, Some(7))]);
        let topology = isolated(&mut model);
        assert_eq!(partition(&topology), "00.0 | 02.0 | 01:00.0 01:00.3");
        assert!(topology.findings().is_empty());
        // ARI forwarding that firmware left enabled is disabled.
        assert_eq!(model.cards[port].get32(CONTROL), 0);
    }
}

#[test]
fn an_ari_chain_is_followed_with_kept_bus_numbers_as_well() {
    let mut model = Model::virt();
    let port = port(&mut model);
    model.cards[port].set32(0x18, 0x0001_0100);
    functions(&mut model, port, &[(0, Some(0)), (3, None)]);
    let policy = EnumerationPolicy { numbering: Numbering::Keep, ..EnumerationPolicy::default() };
    let topology = enumerate_with(&mut model, &[virt_root()], &policy);
    assert_eq!((topology.find(at("01:00.0")).is_some(), topology.find(at("01:00.3"))), (true, None));
}

#[test]
fn a_downstream_port_below_a_port_is_treated_as_an_upstream_port() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 2);
    let upper = model.bridge(On::Behind(port), 0, 0, FunctionKind::DownstreamPort);
    let lower = model.bridge(On::Behind(upper), 0, 0, FunctionKind::DownstreamPort);
    // The bus behind an upstream port is not a link: it has more than one device.
    model.device(On::Behind(upper), 5, 0, FunctionKind::Endpoint);
    model.device(On::Behind(lower), 0, 0, FunctionKind::Endpoint);
    let topology = isolated(&mut model);
    let kinds: Vec<_> =
        ["01:00.0", "02:00.0"].map(|place| &topology[topology.find(at(place)).unwrap()]).into();
    assert_eq!((kinds[0].kind, kinds[0].impossible_port), (FunctionKind::UpstreamPort, true));
    assert_eq!((kinds[1].kind, kinds[1].impossible_port), (FunctionKind::DownstreamPort, false));
    assert_eq!(partition(&topology), "00.0 | 02.0 | 01:00.0 | 02:00.0 03:00.0 | 02:05.0");
    assert_eq!(finding_ids(&topology), ["impossible-port-type"]);
}

#[test]
fn an_upstream_port_below_an_upstream_port_is_grouped_as_an_upstream_port() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 2);
    let upper = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
    let lower = model.bridge(On::Behind(upper), 0, 0, FunctionKind::UpstreamPort);
    model.device(On::Behind(lower), 0, 0, FunctionKind::Endpoint);
    model.device(On::Behind(lower), 3, 0, FunctionKind::Endpoint);
    let topology = isolated(&mut model);
    assert_eq!(partition(&topology), "00.0 | 02.0 | 01:00.0 | 02:00.0 | 03:00.0 | 03:03.0");
    assert_eq!(finding_ids(&topology), ["impossible-port-type"]);
    assert!(topology[topology.find(at("02:00.0")).unwrap()].impossible_port);
}
