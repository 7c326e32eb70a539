//! Which nodes become devices, in which order, under which names, with which registers.

use addr::{PhysAddr, Range};
use firmware::PlatformBus;

use crate::tree::{Machine, Node, machine, node};

fn device(name: &str) -> Node {
    node(name).text("compatible", "some,device")
}

/// A bus with one-cell addresses and these `ranges`.
fn bus(name: &str, ranges: &[u32]) -> Node {
    let bus = node(name).texts("compatible", &["vendor,bus", "simple-bus"]);
    bus.cells("#address-cells", &[1]).cells("#size-cells", &[1]).cells("ranges", ranges)
}

fn registers<'m>(machine: &'m Machine, name: &str) -> &'m [Range<PhysAddr>] {
    let device = machine.description.platform_devices.iter().find(|device| device.name == name);
    &device.unwrap_or_else(|| panic!("no {name} in {:?}", machine.names())).registers
}

fn bytes(start: u64, size: u64) -> Range<PhysAddr> {
    Range::from_size(PhysAddr(start), size).unwrap()
}

#[test]
fn a_node_needs_compatible_and_an_open_status() {
    let machine = machine([
        device("a"),
        node("without"),
        device("off").text("status", "disabled"),
        device("on").text("status", "okay"),
        device("failed").text("status", "fail"),
    ]);
    assert_eq!(machine.names(), ["a", "on"]);
}

#[test]
fn buses_are_entered_in_order_and_only_simple_ones() {
    let inside = |name: &str, compatible: &str| {
        node(name).text("compatible", compatible).flag("ranges").child(device("inner"))
    };
    let machine = machine([
        inside("mfd", "simple-mfd"),
        inside("isa", "isa"),
        inside("amba", "arm,amba-bus"),
        inside("simple", "Simple-Bus"),
        inside("other", "vendor,bus"),
        inside("off", "simple-bus").text("status", "disabled"),
        node("plain").child(device("inner")),
    ]);
    let expected =
        ["mfd", "mfd:inner", "isa", "isa:inner", "amba", "amba:inner", "simple", "simple:inner", "other"];
    assert_eq!(machine.names(), expected);
}

#[test]
fn a_name_is_the_address_for_the_cpu_and_the_node() {
    let inner = device("uart@100").cells("reg", &[0x100, 0x10]);
    let nested = bus("inner-bus@0", &[0, 0x1000, 0x1000]).child(inner);
    let machine = machine([bus("soc", &[0, 0x90, 0, 0x10000]).child(nested)]);
    assert_eq!(machine.names(), ["soc", "soc:inner-bus@0", "9000001100.uart"]);
    assert_eq!(registers(&machine, "9000001100.uart"), [bytes(0x90_0000_1100, 0x10)]);
}

#[test]
fn a_node_that_the_cpu_cannot_address_is_named_by_its_way() {
    let closed = node("bus@1")
        .text("compatible", "simple-bus")
        .cells("#address-cells", &[1])
        .cells("#size-cells", &[1]);
    let machine = machine([closed.child(device("uart@100").cells("reg", &[0x100, 0x10]))]);
    assert_eq!(machine.names(), ["bus@1", "bus@1:uart@100"]);
    assert_eq!(registers(&machine, "bus@1:uart@100"), []);
    assert_eq!(machine.findings(), [], "so are the parts of a system controller");
}

#[test]
fn a_child_without_registers_is_named_behind_its_parents_address() {
    let parent = device("syscon@9000000").cells("reg", &[0, 0x900_0000, 0, 0x1000]);
    let mfd =
        node("mfd@9000000").texts("compatible", &["simple-mfd"]).cells("reg", &[0, 0x900_0000, 0, 0x1000]);
    let masked = device("led").cells("mask", &[0x10]);
    let machine = machine([parent, mfd.child(device("led")).child(device("bit").child(masked))]);
    assert_eq!(machine.names(), ["9000000.syscon", "9000000.mfd", "9000000.mfd:led", "9000000.mfd:bit"]);
}

#[test]
fn devices_that_share_a_register_are_told_apart_by_their_mask() {
    let led = |name: &str, mask| device(name).cells("reg", &[0, 8, 0, 4]).cells("mask", &[mask]);
    let machine = machine([led("led@8,0", 1), led("led@8,b", 0x800)]);
    assert_eq!(machine.names(), ["8.0.led", "8.b.led"]);
}

#[test]
fn all_entries_of_reg_are_registers_and_empty_ranges_change_nothing() {
    let inner = device("gic@8000000").cells("reg", &[0x800_0000, 0x1000, 0x801_0000, 0x2000]);
    let machine = machine([bus("soc", &[]).child(inner)]);
    assert_eq!(registers(&machine, "8000000.gic"), [bytes(0x800_0000, 0x1000), bytes(0x801_0000, 0x2000)]);
}

#[test]
fn registers_that_reach_out_of_a_window_are_left_out() {
    let inner = device("uart@ff0").cells("reg", &[0xff0, 0x10, 0xff8, 0x10, 0x1000, 0x10, 0, 0]);
    let machine = machine([bus("soc", &[0, 0, 0x10000, 0x1000]).child(inner)]);
    assert_eq!(registers(&machine, "10ff0.uart"), [bytes(0x10ff0, 0x10)]);
    let places = [1, 2, 3].map(|entry| format!("/soc/uart@ff0:reg[{entry}]"));
    assert_eq!(machine.findings(), places.each_ref().map(|place| ("reg-malformed", place.as_str())));
}

#[test]
fn registers_that_leave_the_address_space_are_left_out() {
    let reg = [u32::MAX, 0xffff_f000, 0, 0x1000, u32::MAX, 0xffff_f000, 0, 0x1001];
    let machine = machine([device("top").cells("reg", &reg)]);
    assert_eq!(registers(&machine, "fffffffffffff000.top"), [bytes(0xffff_ffff_ffff_f000, 0x1000)]);
    assert_eq!(machine.findings(), [("reg-malformed", "/top:reg[1]")]);
}

#[test]
fn a_reg_of_a_wrong_length_costs_the_registers() {
    let machine = machine([device("odd").cells("reg", &[0, 0x1000, 0])]);
    assert_eq!(registers(&machine, "1000.odd"), []);
    assert_eq!(machine.findings(), [("reg-malformed", "/odd:reg[0]")]);
}

#[test]
fn a_window_of_three_cells_is_compared_with_its_flags() {
    let soc =
        node("soc").text("compatible", "simple-bus").cells("#address-cells", &[3]).cells("#size-cells", &[1]);
    let soc = soc.cells("ranges", &[1, 0, 0, 0, 0x1000, 0x100, 2, 0, 0, 0, 0x2000, 0x100]);
    let machine = machine([soc.child(device("x").cells("reg", &[2, 0, 0x10, 4]))]);
    assert_eq!(machine.names(), ["soc", "2010.x"]);
}

#[test]
fn prime_cells_are_on_the_amba_bus_and_are_no_buses() {
    let cell = node("pl011@9000000").texts("compatible", &["arm,pl011", "arm,primecell", "simple-bus"]);
    let cell =
        cell.cells("reg", &[0, 0x900_0000, 0, 0x1000]).flag("interrupt-controller").child(device("inner"));
    let bare = node("pl031").texts("compatible", &["arm,pl031", "arm,primecell"]);
    let machine = machine([cell, bare]);
    assert_eq!(machine.names(), ["9000000.pl011"]);
    assert_eq!(machine.description.platform_devices[0].bus, PlatformBus::Amba);
    assert_eq!(machine.findings(), [("primecell-without-registers", "/pl031")]);
}

#[test]
fn root_interrupt_controllers_and_fixed_clocks_are_no_devices() {
    let machine = machine([
        device("intc").flag("interrupt-controller"),
        node("clock").text("compatible", "fixed-clock"),
        node("half").text("compatible", "fixed-factor-clock"),
        node("opp").text("compatible", "operating-points-v2"),
        device("gpio").flag("interrupt-controller").flag("gpio-controller"),
        device("timer"),
    ]);
    assert_eq!(machine.names(), ["gpio", "timer"]);
}

#[test]
fn children_of_firmware_come_first() {
    let machine = machine([device("a"), node("firmware").child(device("scmi")).child(node("nothing"))]);
    assert_eq!(machine.names(), ["firmware:scmi", "a"]);
}

#[test]
fn a_name_that_is_taken_costs_the_second_device() {
    let twice = |name: &str| device(name).cells("reg", &[0, 0x1000, 0, 0x100]);
    let machine = machine([twice("x@1000"), twice("x@1000,0")]);
    assert_eq!(machine.names(), ["1000.x"]);
    assert_eq!(machine.findings(), [("device-name-taken", "/x@1000,0")]);
}
