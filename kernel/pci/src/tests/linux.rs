//! The machines in `linux.txt`, with the groups that Linux kernels had on them.

extern crate std;

use std::collections::HashMap;
use std::string::{String, ToString};
use std::vec::Vec;

use addr::PciAddress;

use super::model::{Model, On, virt_root};
use crate::{AcsFlags, FunctionKind, enable_acs, enumerate};

struct Line {
    address: PciAddress,
    id: u32,
    class: u32,
    kind: FunctionKind,
    bridge: bool,
    acs: Option<u16>,
    behind: Option<PciAddress>,
    group: String,
}

fn parse(line: &str) -> Line {
    let mut words = line.split_whitespace();
    let mut word = || words.next().unwrap();
    let address = word().parse().unwrap();
    let id = u32::from_str_radix(&word().replace(':', ""), 16).unwrap();
    let class = u32::from_str_radix(&word()[2..], 16).unwrap();
    let (kind, bridge) = match word() {
        "conventional" => (FunctionKind::Conventional, false),
        "conventional-bridge" => (FunctionKind::Conventional, true),
        "rciep" => (FunctionKind::RcEndpoint, false),
        "endpoint" => (FunctionKind::Endpoint, false),
        "root-port" => (FunctionKind::RootPort, true),
        "upstream-port" => (FunctionKind::UpstreamPort, true),
        "downstream-port" => (FunctionKind::DownstreamPort, true),
        "pcie-to-pci-bridge" => (FunctionKind::PcieToPciBridge, true),
        other => panic!("kind {other}"),
    };
    let fields: HashMap<&str, &str> = words.filter_map(|word| word.split_once('=')).collect();
    Line {
        address,
        id,
        class,
        kind,
        bridge,
        acs: fields.get("acs").map(|acs| u16::from_str_radix(&acs[2..], 16).unwrap()),
        behind: fields.get("behind").map(|address| address.parse().unwrap()),
        group: fields["group"].to_string(),
    }
}

fn build(lines: &[Line]) -> Model {
    let mut model = Model::new();
    let mut cards = HashMap::new();
    for line in lines {
        let on = line.behind.map_or(On::Root(0), |bridge| On::Behind(cards[&bridge]));
        let (device, function) = (line.address.devfn.device(), line.address.devfn.function());
        let card = if line.bridge {
            model.bridge(on, device, function, line.kind)
        } else {
            let card = model.add(on, device, function, line.id, line.class);
            model.cards[card].express(line.kind).memory_bar(0, 0x4000, true, true).io_bar(2, 0x20);
            card
        };
        model.cards[card].set32(0, line.id.rotate_left(16));
        if let Some(acs) = line.acs {
            model.cards[card].acs(acs);
        }
        cards.insert(line.address, card);
    }
    model
}

fn machines() -> Vec<(&'static str, Vec<Line>)> {
    let text = include_str!("linux.txt");
    let text = text.split_once("machine ").unwrap().1;
    text.split("machine ")
        .map(|machine| {
            let (name, lines) = machine.split_once('\n').unwrap();
            (name, lines.lines().map(parse).collect())
        })
        .collect()
}

#[test]
fn every_machine_has_the_numbers_kinds_and_acs_of_linux() {
    for (name, lines) in machines() {
        let mut model = build(&lines);
        let mut topology = enumerate(&mut model, &[virt_root()]);
        enable_acs(&mut model, &mut topology);
        assert_eq!(topology.findings(), [], "{name}");
        let mut found: Vec<_> = topology.functions().iter().collect();
        found.sort_by_key(|function| function.address);
        assert_eq!(found.len(), lines.len(), "{name}");
        for (function, line) in found.into_iter().zip(&lines) {
            assert_eq!(function.address, line.address, "{name}");
            assert_eq!((function.kind, function.class), (line.kind, line.class), "{name} {}", line.address);
            let id = u32::from(function.vendor) << 16 | u32::from(function.device);
            assert_eq!(id, line.id, "{name} {}", line.address);
            let acs = function.acs.map(|acs| (acs.capability.bits(), acs.control));
            assert_eq!(acs, line.acs.map(|acs| (acs, AcsFlags::ISOLATION)), "{name} {}", line.address);
            let parent = function.parent.map(|parent| topology[parent].address);
            assert_eq!(parent, line.behind, "{name} {}", line.address);
        }
    }
}

#[test]
fn every_machine_has_the_groups_of_linux() {
    for (name, lines) in machines() {
        let mut model = build(&lines);
        let mut topology = enumerate(&mut model, &[virt_root()]);
        enable_acs(&mut model, &mut topology);
        let classes = topology.isolation_classes();
        let class = |line: &Line| &classes[topology.find(line.address).unwrap().place()];
        for one in lines.iter().filter(|line| line.group.parse::<u32>().is_ok()) {
            for other in lines.iter().filter(|line| line.group.parse::<u32>().is_ok()) {
                assert_eq!(
                    one.group == other.group,
                    class(one).leader == class(other).leader,
                    "{name}: {} ({}) and {} ({})",
                    one.address,
                    class(one).why,
                    other.address,
                    class(other).why
                );
            }
        }
    }
}
