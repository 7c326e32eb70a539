//! Devices that come and go after enumeration.

extern crate std;

use std::vec::Vec;

use super::addresses::check;
use super::model::{Model, On, at, finding_ids, partition, virt_root};
use crate::{
    EnumerationPolicy, FunctionIndex, FunctionKind, PciBus, Quirks, Resources, Slot, SlotState, Topology,
    WindowKind, enable_acs, enumerate_with, plug,
};

/// Offset of the PCIe capability of a port of the model, and of slot control in config space.
const EXPRESS: usize = 0x40;
const SLOT_CONTROL: usize = EXPRESS + 0x18;

/// Gives a port a slot with hot-plug, a power controller and an indicator; without power.
fn give_slot(model: &mut Model, port: usize) {
    let card = &mut model.cards[port];
    card.set32(EXPRESS, card.get32(EXPRESS) | 1 << 24);
    card.set32(EXPRESS + 0x14, 1 << 6 | 1 << 4 | 1 << 1);
    card.set32(SLOT_CONTROL, 0x07c0);
    card.mask32(SLOT_CONTROL, 0x07c0);
}

/// A machine with two root ports that have slots. The first slot has a device.
fn two_slots() -> (Model, [usize; 2]) {
    let mut model = Model::virt();
    let ports = [1, 2].map(|device| {
        let port = model.root_port(On::Root(0), device);
        give_slot(&mut model, port);
        port
    });
    model.device(On::Behind(ports[0]), 0, 0, FunctionKind::Endpoint);
    (model, ports)
}

fn with_room(resources: Resources) -> EnumerationPolicy {
    EnumerationPolicy { resources, room_for_hot_plug: true, ..EnumerationPolicy::default() }
}

fn enumerated(model: &mut Model, policy: &EnumerationPolicy) -> Topology {
    let mut topology = enumerate_with(model, &[virt_root()], policy);
    enable_acs(model, &mut topology);
    topology
}

fn sizes(topology: &Topology, port: &str) -> [Option<u64>; 3] {
    let bridge = topology[topology.find(at(port)).unwrap()].bridge.as_ref().unwrap();
    [WindowKind::Io, WindowKind::Memory, WindowKind::Prefetchable]
        .map(|kind| bridge.window(kind).map(|window| window.size()))
}

#[test]
fn slots_get_room_with_and_without_firmware() {
    for resources in [Resources::Assign, Resources::Keep] {
        let (mut model, _) = two_slots();
        let topology = enumerated(&mut model, &with_room(resources));
        assert_eq!(finding_ids(&topology), [""; 0]);
        for port in ["00:01.0", "00:02.0"] {
            assert_eq!(
                sizes(&topology, port),
                [Some(0x1000), Some(2 << 20), Some(2 << 20)],
                "{port} {resources:?}"
            );
        }
    }
}

/// A root port with a switch, whose two downstream ports have slots. The first has a device.
fn switch_with_slots() -> Model {
    let mut model = Model::virt();
    let root_port = model.root_port(On::Root(0), 1);
    give_slot(&mut model, root_port);
    let up = model.bridge(On::Behind(root_port), 0, 0, FunctionKind::UpstreamPort);
    for device in [0, 1] {
        let down = model.bridge(On::Behind(up), device, 0, FunctionKind::DownstreamPort);
        give_slot(&mut model, down);
        if device == 0 {
            let card = model.device(On::Behind(down), 0, 0, FunctionKind::Endpoint);
            model.cards[card].memory_bar(4, 0x4000, true, true);
        }
    }
    model
}

#[test]
fn slots_behind_a_switch_get_room_too() {
    for resources in [Resources::Assign, Resources::Keep] {
        let mut model = switch_with_slots();
        let topology = enumerated(&mut model, &with_room(resources));
        assert_eq!(finding_ids(&topology), [""; 0]);
        for (port, mib) in [("00:01.0", 4), ("01:00.0", 4), ("02:00.0", 2), ("02:01.0", 2)] {
            let [_, memory, prefetchable] = sizes(&topology, port);
            assert_eq!((memory, prefetchable), (Some(mib << 20), Some(mib << 20)), "{port} {resources:?}");
        }
    }
}

/// Puts a device with a BAR of each kind of memory into a slot.
fn put_device(model: &mut Model, port: usize) {
    let card = model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    model.cards[card].memory_bar(4, 0x4000, true, true);
    model.forget_routes();
}

fn plug_behind(model: &mut Model, topology: &mut Topology, port: &str) -> Vec<FunctionIndex> {
    let port = topology.find(at(port)).unwrap();
    plug(model, &[virt_root()], topology, port, &Quirks::default())
}

#[test]
fn a_device_that_is_plugged_in_gets_addresses_and_a_group_and_no_other_moves() {
    for policy in [EnumerationPolicy::default(), with_room(Resources::Assign)] {
        let (mut model, [_, port]) = two_slots();
        let mut topology = enumerated(&mut model, &policy);
        let before = topology.functions().to_vec();
        put_device(&mut model, port);
        let functions = plug_behind(&mut model, &mut topology, "00:02.0");
        assert_eq!(functions, [topology.find(at("02:00.0")).unwrap()]);
        assert_eq!(finding_ids(&topology), [""; 0]);
        check(&model, &topology);
        for bar in topology[functions[0]].bars() {
            assert!(bar.cpu.is_some(), "{bar:?}");
        }
        for (index, function) in topology.indexed().take(before.len()) {
            assert_eq!(function.all_bars, before[index.place()].all_bars);
        }
        assert_eq!(partition(&topology), "00.0 | 01.0 | 02.0 | 01:00.0 | 02:00.0");
    }
}

#[test]
fn without_room_behind_a_switch_a_bar_is_a_finding_and_no_other_moves() {
    let mut model = switch_with_slots();
    // The root port's own BAR, and another device's, are beside the window.
    let beside = model.device(On::Root(0), 2, 0, FunctionKind::Endpoint);
    model.cards[beside].memory_bar(2, 0x2e00_0000, false, false);
    let mut topology = enumerated(&mut model, &EnumerationPolicy::default());
    let before = topology.functions().to_vec();
    let down = model.card(at("02:01.0")).unwrap();
    let card = model.device(On::Behind(down), 0, 0, FunctionKind::Endpoint);
    model.cards[card].memory_bar(2, 0x800_0000, false, false);
    model.forget_routes();
    plug_behind(&mut model, &mut topology, "02:01.0");
    assert!(finding_ids(&topology).contains(&"bar-does-not-fit"), "{:?}", finding_ids(&topology));
    for (index, function) in topology.indexed().take(before.len()) {
        assert_eq!(function.all_bars, before[index.place()].all_bars);
    }
}

#[test]
fn a_removed_device_leaves_its_addresses_to_the_next_one() {
    let (mut model, [_, port]) = two_slots();
    let mut topology = enumerated(&mut model, &with_room(Resources::Assign));
    put_device(&mut model, port);
    let [first] = plug_behind(&mut model, &mut topology, "00:02.0")[..] else { panic!() };
    let addresses = |topology: &Topology, index: FunctionIndex| {
        topology[index].bars().iter().map(|bar| bar.bus_address).collect::<Vec<_>>()
    };
    let then = addresses(&topology, first);
    assert!(plug_behind(&mut model, &mut topology, "00:02.0").is_empty(), "the slot is occupied");
    let above = topology.find(at("00:02.0")).unwrap();
    assert_eq!(topology.behind(above), [first]);
    topology.remove_behind(above);
    assert_eq!((topology.find(at("02:00.0")), topology.behind(above).len()), (None, 0));
    model.take_out(port);
    put_device(&mut model, port);
    let [second] = plug_behind(&mut model, &mut topology, "00:02.0")[..] else { panic!() };
    assert_ne!(first, second, "an index is not used again");
    assert_eq!(addresses(&topology, second), then);
}

#[test]
fn a_switch_gets_the_bus_numbers_of_the_one_that_was_in_the_slot() {
    let mut model = switch_with_slots();
    let mut topology = enumerated(&mut model, &with_room(Resources::Assign));
    let before = partition(&topology);
    let above = topology.find(at("00:01.0")).unwrap();
    let behind: Vec<_> = topology.behind(above).iter().map(|index| topology[*index].address).collect();
    assert_eq!(behind, ["03:00.0", "02:01.0", "02:00.0", "01:00.0"].map(at), "the leaves come first");
    topology.remove_behind(above);
    model.reset_behind(model.card(at("00:01.0")).unwrap());
    let functions = plug_behind(&mut model, &mut topology, "00:01.0");
    assert_eq!(functions.len(), 4);
    assert_eq!(finding_ids(&topology), [""; 0]);
    check(&model, &topology);
    let addresses: Vec<_> = functions.iter().map(|index| topology[*index].address).collect();
    assert_eq!(addresses, ["01:00.0", "02:00.0", "02:01.0", "03:00.0"].map(at));
    enable_acs(&mut model, &mut topology);
    let bus = PciBus::new(topology.clone(), Vec::new());
    for address in ["01:00.0", "03:00.0"] {
        let function = topology.find(at(address)).unwrap();
        let leader = probe::Bus::grouping(&bus, function.into()).leader;
        assert!(functions.iter().any(|index| leader == (*index).into()), "{address} in {before}");
    }
}

#[test]
fn a_slot_tells_what_happened_and_is_switched_by_one_command() {
    let (mut model, ports) = two_slots();
    let topology = enumerated(&mut model, &EnumerationPolicy::default());
    let slots = Slot::all(&model, &topology);
    let [first, second] = slots[..] else { panic!("{slots:?}") };
    assert_eq!(first.port(), topology.find(at("00:01.0")).unwrap());
    let off =
        SlotState { is_present: false, is_powered: false, button_pressed: false, presence_changed: false };
    assert_eq!(second.state(&model), off);
    assert!(first.answers(&model, &topology) && !second.answers(&model, &topology));
    model.cards[ports[1]].set32(SLOT_CONTROL, 0x0049_07c0);
    let state = SlotState { is_present: true, button_pressed: true, presence_changed: true, ..off };
    assert_eq!(second.state(&model), state);
    let writes = model.writes;
    second.power_on(&mut model);
    assert_eq!(model.writes - writes, 1);
    assert_eq!(model.cards[ports[1]].get32(SLOT_CONTROL) as u16, 0x01c0);
    assert!(second.state(&model).is_powered);
    second.power_off(&mut model);
    assert_eq!(model.cards[ports[1]].get32(SLOT_CONTROL) as u16, 0x07c0);
}

#[test]
fn ports_without_hot_plug_and_slots_whose_port_is_gone_have_no_slot() {
    let (mut model, [first, second]) = two_slots();
    let capabilities = model.cards[first].get32(EXPRESS + 0x14);
    model.cards[first].set32(EXPRESS + 0x14, capabilities & !(1 << 6));
    let topology = enumerated(&mut model, &EnumerationPolicy::default());
    let slots = Slot::all(&model, &topology);
    assert_eq!(slots.iter().map(Slot::port).collect::<Vec<_>>(), [topology.find(at("00:02.0")).unwrap()]);
    model.cards[second].set32(SLOT_CONTROL, u32::MAX);
    let state = slots[0].state(&model);
    assert!(!state.is_present && !state.button_pressed && !state.presence_changed);
}
