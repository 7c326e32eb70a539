//! Enumerating a model, and the results in short form.

extern crate std;

use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use addr::{PciAddress, PciSpace, PciWindow, PhysAddr, Range};

use super::Model;
use crate::{
    EnumerationPolicy, FunctionIndex, Numbering, Resources, RootBus, Topology, enable_acs, enumerate_with,
};

/// The root bus of QEMU's `virt`, with its windows and all bus numbers.
pub(crate) fn virt_root() -> RootBus {
    RootBus { segment: 0, first_bus: 0, last_bus: 255, windows: virt_windows() }
}

pub(crate) fn virt_windows() -> Vec<PciWindow> {
    vec![
        window(PciSpace::Io, 0, 0x3eff_0000, 0x1_0000),
        window(PciSpace::Memory32, 0x1000_0000, 0x1000_0000, 0x2eff_0000),
        window(PciSpace::Memory64, 0x80_0000_0000, 0x80_0000_0000, 0x80_0000_0000),
    ]
}

pub(crate) fn window(space: PciSpace, bus_start: u64, cpu: u64, size: u64) -> PciWindow {
    let cpu = Range::from_size(PhysAddr(cpu), size).unwrap();
    PciWindow { space, prefetchable: false, bus_start, cpu }
}

pub(crate) fn at(text: &str) -> PciAddress {
    format!("0000:{text}").parse().unwrap()
}

/// The policy for a machine on which firmware ran.
pub(crate) fn kept() -> EnumerationPolicy {
    EnumerationPolicy {
        numbering: Numbering::Keep,
        resources: Resources::Keep,
        ..EnumerationPolicy::default()
    }
}

/// Enumerates a machine and enables ACS.
pub(crate) fn isolated(model: &mut Model) -> Topology {
    isolated_with(model, &EnumerationPolicy::default())
}

/// Enumerates a machine by a policy and enables ACS.
pub(crate) fn isolated_with(model: &mut Model, policy: &EnumerationPolicy) -> Topology {
    let mut topology = enumerate_with(model, &[virt_root()], policy);
    enable_acs(model, &mut topology);
    topology
}

/// The IDs of all findings, in order.
pub(crate) fn finding_ids(topology: &Topology) -> Vec<&'static str> {
    topology.findings().iter().map(|finding| finding.id).collect()
}

/// The isolation classes, as in `00.0 | 02.0 01:00.0`; addresses on bus 0 without the bus.
pub(crate) fn partition(topology: &Topology) -> String {
    let classes = topology.isolation_classes();
    let mut groups: Vec<(FunctionIndex, Vec<String>)> = Vec::new();
    for (index, function) in topology.indexed() {
        let address = function.address;
        let name = if address.bus == 0 {
            format!("{}", address.devfn)
        } else {
            format!("{:02x}:{}", address.bus, address.devfn)
        };
        let leader = classes[index.place()].leader;
        match groups.iter_mut().find(|(other, _)| *other == leader) {
            Some((_, members)) => members.push(name),
            None => groups.push((leader, vec![name])),
        }
    }
    let groups: Vec<String> = groups.into_iter().map(|(_, members)| members.join(" ")).collect();
    groups.join(" | ")
}
