//! Invalid config space, and the cost of a large machine.

extern crate std;

use std::cell::Cell;
use std::vec::Vec;

use addr::PciAddress;
use proptest::prelude::*;

use super::model::{Model, On, finding_ids, partition, virt_root};
use crate::{
    ConfigAccess, EnumerationPolicy, FunctionKind, Numbering, Resources, enable_acs, enumerate,
    enumerate_with,
};

#[test]
fn a_cyclic_capability_list_ends_with_a_finding() {
    let mut model = Model::virt();
    let card = model.device(On::Root(0), 1, 0, FunctionKind::RcEndpoint);
    let first = model.cards[card].capability(0x11, 0);
    model.cards[card].set8(usize::from(first) + 1, 0x40);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(finding_ids(&topology), ["capability-list-broken"]);
    assert_eq!(topology.functions()[1].kind, FunctionKind::RcEndpoint);
    assert_eq!(topology.functions()[1].capability(0x11), Some(first));
}

#[test]
fn a_cyclic_extended_list_ends_with_a_finding_and_acs_before_it_is_used() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    let second = model.cards[port].extended(0x01);
    model.cards[port].set32(second.into(), 0x1001_0001);
    model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    let mut topology = enumerate(&mut model, &[virt_root()]);
    enable_acs(&mut model, &mut topology);
    assert_eq!(finding_ids(&topology), ["capability-list-broken"]);
    assert_eq!(partition(&topology), "00.0 | 01.0 | 01:00.0");
}

#[test]
fn capability_lists_with_invalid_pointers_are_findings() {
    for (offset, value) in [(0x34, 0x10), (0x34, 0xfc)] {
        let mut model = Model::virt();
        let card = model.device(On::Root(0), 1, 0, FunctionKind::RcEndpoint);
        model.cards[card].set8(offset, value);
        model.cards[card].set32(0xfc, u32::MAX);
        let topology = enumerate(&mut model, &[virt_root()]);
        assert_eq!(finding_ids(&topology), ["capability-list-broken"], "{value:#x}");
    }
}

#[test]
fn functions_that_cannot_be_used_are_findings() {
    let mut model = Model::virt();
    let card = model.device(On::Root(0), 1, 0, FunctionKind::RcEndpoint);
    model.cards[card].set8(0x0e, 0x05);
    let card = model.device(On::Root(0), 2, 0, FunctionKind::RcEndpoint);
    model.cards[card].set32(0, 0xffff_0001);
    let card = model.device(On::Root(0), 3, 0, FunctionKind::RcEndpoint);
    model.cards[card].set8(0x0e, 2);
    let card = model.device(On::Root(0), 4, 0, FunctionKind::RcEndpoint);
    model.cards[card].set32(8, 0x06_0400 << 8);
    let topology = enumerate(&mut model, &[virt_root()]);
    let expected =
        ["unknown-header-type", "function-not-ready", "cardbus-bridge", "class-contradicts-header"];
    assert_eq!(finding_ids(&topology), expected);
    assert_eq!(topology.functions().len(), 3);
}

#[test]
fn functions_that_only_ari_reaches_are_findings() {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    let card = model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    let ari = usize::from(model.cards[card].extended(0x0e));
    model.cards[card].set32(ari + 4, 0x0000_0800);
    let topology = enumerate(&mut model, &[virt_root()]);
    assert_eq!(finding_ids(&topology), ["ari-functions-not-scanned"]);
}

/// Config space with pseudo-random content, the same at each address until it is written.
struct Noise {
    seed: u64,
    /// How many out of 256 functions answer.
    density: u8,
    writes: Vec<(PciAddress, u16, u32)>,
    accesses: Cell<usize>,
}

impl Noise {
    fn mix(&self, at: PciAddress, offset: u16) -> u64 {
        let place = u64::from(at.requester_id().0) << 16 | u64::from(offset);
        fastrand::Rng::with_seed(self.seed << 32 ^ place).u64(..)
    }
}

impl ConfigAccess for Noise {
    fn read8(&self, at: PciAddress, offset: u16) -> u8 {
        (self.read32(at, offset & !3) >> (8 * (offset & 3))) as u8
    }
    fn read16(&self, at: PciAddress, offset: u16) -> u16 {
        (self.read32(at, offset & !3) >> (8 * (offset & 2))) as u16
    }
    fn read32(&self, at: PciAddress, offset: u16) -> u32 {
        self.accesses.set(self.accesses.get() + 1);
        if self.mix(at, 0x7777) as u8 >= self.density {
            return u32::MAX;
        }
        // Every third word keeps the latest value that was written.
        let remembers = self.mix(at, offset ^ 0x5000).is_multiple_of(3);
        let written = self.writes.iter().rev().take(8).find(|write| (write.0, write.1) == (at, offset));
        match written {
            Some((_, _, value)) if remembers => *value,
            // In random content, few headers would be valid.
            _ if offset == 0x0c => (self.mix(at, offset) as u32 & 0x81) << 16,
            _ => self.mix(at, offset) as u32,
        }
    }
    fn write8(&mut self, at: PciAddress, offset: u16, value: u8) {
        self.write32(at, offset & !3, value.into());
    }
    fn write16(&mut self, at: PciAddress, offset: u16, value: u16) {
        self.write32(at, offset & !3, value.into());
    }
    fn write32(&mut self, at: PciAddress, offset: u16, value: u32) {
        self.writes.push((at, offset, value));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn random_config_space_never_panics_and_costs_no_more_than_its_functions(
        seed in any::<u64>(),
        density in 0u8..24,
        keep_numbers in any::<bool>(),
        keep_resources in any::<bool>(),
    ) {
        let mut noise = Noise { seed, density, writes: Vec::new(), accesses: Cell::new(0) };
        let policy = EnumerationPolicy {
            numbering: if keep_numbers { Numbering::Keep } else { Numbering::Assign },
            resources: if keep_resources { Resources::Keep } else { Resources::Assign },
            ..EnumerationPolicy::default()
        };
        let mut topology = enumerate_with(&mut noise, &[virt_root()], &policy);
        enable_acs(&mut noise, &mut topology);
        prop_assert_eq!(topology.isolation_classes().len(), topology.functions().len());
        prop_assert!(topology.findings().len() <= crate::findings::MAX_FINDINGS + 1);
        prop_assert!(noise.accesses.get() < 256 * 256 * 32 + 65_536 * 600);
    }
}

/// A switch with `slots` slots of eight downstream ports, and eight endpoints behind each port.
fn large(slots: u8) -> (usize, usize, usize) {
    let mut model = Model::virt();
    let port = model.root_port(On::Root(0), 1);
    let up = model.bridge(On::Behind(port), 0, 0, FunctionKind::UpstreamPort);
    for device in 0..slots {
        for function in 0..8 {
            let down = model.bridge(On::Behind(up), device, function, FunctionKind::DownstreamPort);
            model.cards[down].acs(0x1d);
            if function == 0 {
                model.cards[down].multifunction();
            }
            for function in 0..8 {
                let end = model.device(On::Behind(down), 0, function, FunctionKind::Endpoint);
                model.cards[end].memory_bar(2, 0x4000, true, true);
            }
        }
    }
    let mut topology = enumerate(&mut model, &[virt_root()]);
    enable_acs(&mut model, &mut topology);
    assert_eq!(topology.findings(), []);
    let asked = Cell::new(0);
    for (index, _) in topology.indexed() {
        topology.group(index, &|_| {
            asked.set(asked.get() + 1);
            None::<()>
        });
    }
    (topology.functions().len(), model.reads.get() + model.writes, asked.get())
}

#[test]
fn cost_grows_linearly_with_functions() {
    let (few, few_accesses, few_asked) = large(7);
    let (many, many_accesses, many_asked) = large(28);
    let each = |accesses: usize, functions: usize| accesses as f64 / functions as f64;
    assert!(many > 2000 && few > 500);
    assert!(each(many_accesses, many) < 1.1 * each(few_accesses, few));
    assert!(each(many_accesses, many) < 48.0, "{}", each(many_accesses, many));
    assert!(few_asked < 12 * few && many_asked < 12 * many, "{many_asked} lookups for {many} functions");
}
