//! PCI host bridges: segments, bus numbers, ECAM, windows, nodes of functions.

use addr::{DeviceFunction, PciSpace, PhysAddr, Range};
use firmware::HostBridge;

use crate::tree::{Machine, Node, host_bridge, machine, node};

/// A host bridge with an ECAM of `buses` buses at `address`.
fn ecam(name: &str, address: u32, buses: u32) -> Node {
    node(name)
        .text("compatible", "pci-host-ecam-generic")
        .cells("#address-cells", &[3])
        .cells("#size-cells", &[2])
        .cells("reg", &[0, address, 0, buses << 20])
        .flag("ranges")
}

fn only(machine: &Machine) -> &HostBridge {
    let [bridge] = &machine.description.host_bridges[..] else {
        panic!("{:?}", machine.description.host_bridges)
    };
    bridge
}

fn bytes(start: u64, size: u64) -> Range<PhysAddr> {
    Range::from_size(PhysAddr(start), size).unwrap()
}

#[test]
fn without_bus_range_all_buses_are_meant() {
    let machine = machine([host_bridge()]);
    let bridge = only(&machine);
    assert_eq!((bridge.first_bus, bridge.last_bus), (0, 0xff));
    assert_eq!(bridge.ecam, bytes(0x40_1000_0000, 256 << 20));
    assert_eq!(machine.findings(), []);
}

#[test]
fn the_ecam_begins_with_the_first_bus_and_is_as_long_as_the_buses() {
    let machine = machine([host_bridge().cells("bus-range", &[0x20, 0x2f])]);
    let bridge = only(&machine);
    assert_eq!((bridge.first_bus, bridge.last_bus), (0x20, 0x2f));
    assert_eq!(bridge.ecam, bytes(0x40_1000_0000, 16 << 20));
    assert_eq!(machine.findings(), []);
}

#[test]
fn an_ecam_that_is_too_small_shortens_the_buses() {
    let machine = machine([ecam("pcie@0", 0x3f00_0000, 3).cells("bus-range", &[0x10, 0x1f])]);
    let bridge = only(&machine);
    assert_eq!((bridge.first_bus, bridge.last_bus), (0x10, 0x12));
    assert_eq!(machine.findings(), [("ecam-too-small", "/pcie@0")]);
    let sentence = machine.sentence("ecam-too-small");
    assert!(sentence.contains("3 buses") && sentence.contains("0x12"), "{sentence}");
}

#[test]
fn a_host_bridge_without_room_for_a_bus_is_left_out() {
    let without = node("pcie@1").text("compatible", "pci-host-ecam-generic");
    let machine = machine([ecam("pcie@0", 0x3f00_0000, 0), without]);
    assert!(machine.description.host_bridges.is_empty());
    assert!(machine.findings().contains(&("ecam-missing", "/pcie@0")));
    assert!(machine.findings().contains(&("ecam-missing", "/pcie@1")));
}

#[test]
fn an_ecam_that_is_not_aligned_to_a_bus_is_left_out() {
    let machine = machine([ecam("pcie@0", 0x3f08_0000, 2)]);
    assert!(machine.description.host_bridges.is_empty());
    assert_eq!(machine.findings(), [("ecam-misaligned", "/pcie@0")]);
    let sentence = machine.sentence("ecam-misaligned");
    assert!(sentence.contains("0x3f080000") && !sentence.contains("/pcie@0"), "{sentence}");
}

#[test]
fn a_function_is_an_iommu_by_its_cells_or_by_its_ids() {
    let function = |name, slot: u32| node(name).cells("reg", &[slot << 11, 0, 0, 0, 0]);
    let machine = machine([host_bridge()
        .child(function("a@1,0", 1).cells("#iommu-cells", &[1]))
        .child(function("b@2,0", 2).text("compatible", "pci1af4,1057"))
        .child(function("c@3,0", 3).text("compatible", "pci1af4,1041"))]);
    let bridge = only(&machine);
    let found: Vec<bool> = bridge.functions.iter().map(|function| function.is_iommu).collect();
    assert_eq!(found, [true, true, false]);
}

#[test]
fn bus_numbers_that_cannot_be_are_named() {
    let of = |buses: &[u32]| {
        let machine = machine([ecam("pcie@0", 0x1000_0000, 256).cells("bus-range", buses)]);
        let findings = machine.findings();
        assert_eq!(findings, [("bus-range-malformed", "/pcie@0")]);
        machine.description.host_bridges.first().map(|bridge| (bridge.first_bus, bridge.last_bus))
    };
    assert_eq!(of(&[5]), Some((0, 0xff)));
    assert_eq!(of(&[0xfe, 0x1ff]), Some((0xfe, 0xff)));
    assert_eq!(of(&[2, 1]), None);
    assert_eq!(of(&[0x100, 0x101]), None);
}

#[test]
fn segments_are_given_or_the_lowest_free_numbers() {
    let machine = machine([
        ecam("pcie@a", 0x1000_0000, 1),
        ecam("pcie@b", 0x1100_0000, 1).cells("linux,pci-domain", &[0]),
        ecam("pcie@c", 0x1200_0000, 1),
        ecam("pcie@d", 0x1300_0000, 1).cells("linux,pci-domain", &[0x1_0000]),
    ]);
    let segments: Vec<_> = machine.description.host_bridges.iter().map(|bridge| bridge.segment).collect();
    assert_eq!(segments, [1, 0, 2]);
    assert!(machine.findings().contains(&("pci-domain-malformed", "/pcie@d")));
}

#[test]
fn two_host_bridges_on_one_segment_must_share_the_bus_numbers() {
    let of = |name: &str, address, buses| {
        ecam(name, address, 16).cells("linux,pci-domain", &[3]).cells("bus-range", buses)
    };
    let machine = machine([
        of("pcie@a", 0x1000_0000, &[0, 0xf]),
        of("pcie@b", 0x1100_0000, &[0x10, 0x1f]),
        of("pcie@c", 0x1200_0000, &[0xf, 0x10]),
    ]);
    let names: Vec<_> = machine.description.host_bridges.iter().map(|bridge| bridge.name.as_str()).collect();
    assert_eq!(names, ["10000000.pcie", "11000000.pcie"]);
    assert!(machine.findings().contains(&("host-bridge-clash", "/pcie@c")));
}

#[test]
fn host_bridges_are_platform_devices_and_disabled_ones_are_neither() {
    let machine = machine([ecam("pcie@0", 0x1000_0000, 1).text("status", "disabled")]);
    assert!(machine.description.host_bridges.is_empty() && machine.names().is_empty());
    assert_eq!(machine.findings(), [("host-bridge-disabled", "/pcie@0")]);
}

#[test]
fn a_host_bridge_on_a_bus_that_needs_a_driver_is_named() {
    let bus =
        node("bus").text("compatible", "vendor,bus").flag("ranges").child(ecam("pcie@0", 0x1000_0000, 1));
    let machine = machine([bus]);
    assert_eq!(machine.findings(), [("host-bridge-unreached", "/bus/pcie@0")]);
}

/// Space, prefetchable, start on the bus, and the same for the CPU.
type Window = (PciSpace, bool, u64, Range<PhysAddr>);

/// The windows of these `ranges`, and the sentences of the findings.
fn windows(ranges: &[u32]) -> (Vec<Window>, Vec<String>) {
    let bridge = node("pcie@0")
        .text("compatible", "pci-host-ecam-generic")
        .cells("#address-cells", &[3])
        .cells("#size-cells", &[2])
        .cells("reg", &[0, 0x1000_0000, 0, 0x1000_0000])
        .cells("ranges", ranges);
    let machine = machine([bridge]);
    let windows = only(&machine).windows.iter();
    let windows =
        windows.map(|window| (window.space, window.prefetchable, window.bus_start, window.cpu)).collect();
    let findings = machine.description.findings.iter();
    assert!(findings.clone().all(|finding| finding.id == "pci-ranges-malformed"));
    (windows, findings.map(|finding| finding.sentence.clone()).collect())
}

#[test]
fn each_space_and_prefetchable_memory_is_a_window() {
    let (windows, findings) = windows(&[
        0x0100_0000,
        0,
        0,
        0,
        0x3eff_0000,
        0,
        0x1_0000, //
        0x0200_0000,
        0,
        0x8000_0000,
        0,
        0x1000_0000,
        0,
        0x1000, //
        0x4200_0000,
        0,
        0x9000_0000,
        0,
        0x2000_0000,
        0,
        0x1000, //
        0x4300_0000,
        0x80,
        0,
        0x80,
        0,
        1,
        0,
    ]);
    let expected = [
        (PciSpace::Io, false, 0, bytes(0x3eff_0000, 0x1_0000)),
        (PciSpace::Memory32, false, 0x8000_0000, bytes(0x1000_0000, 0x1000)),
        (PciSpace::Memory32, true, 0x9000_0000, bytes(0x2000_0000, 0x1000)),
        (PciSpace::Memory64, true, 0x80_0000_0000, bytes(0x80_0000_0000, 1 << 32)),
    ];
    assert_eq!(windows, expected);
    assert_eq!(findings, Vec::<String>::new());
}

#[test]
fn windows_that_go_on_where_the_last_ended_are_one() {
    let (windows, _) = windows(&[
        0x0200_0000,
        0,
        0x1000,
        0,
        0x1000,
        0,
        0x1000, //
        0x0200_0000,
        0,
        0x2000,
        0,
        0x2000,
        0,
        0x1000, //
        0x4200_0000,
        0,
        0x3000,
        0,
        0x3000,
        0,
        0x1000, //
        0x0200_0000,
        0,
        0x4000,
        0,
        0x5000,
        0,
        0x1000,
    ]);
    let starts: Vec<_> = windows.iter().map(|window| window.3).collect();
    assert_eq!(starts, [bytes(0x1000, 0x2000), bytes(0x3000, 0x1000), bytes(0x5000, 0x1000)]);
}

#[test]
fn an_entry_that_is_no_window_is_left_out_with_its_number() {
    let (windows, findings) = windows(&[
        0x0000_0000,
        0,
        0,
        0,
        0x1000,
        0,
        0x1000, //
        0x0200_0000,
        0,
        0xffff_f000,
        0,
        0x1000,
        0,
        0x1001, //
        0x0300_0000,
        0xffff_ffff,
        0xffff_f000,
        0,
        0x1000,
        0,
        0x1001, //
        0x0300_0000,
        0,
        0,
        0xffff_ffff,
        0xffff_f000,
        0,
        0x1001, //
        0x0200_0000,
        0,
        0,
        0,
        0,
        0,
        0, //
        0x0200_0000,
        0,
        0xffff_f000,
        0,
        0x1000,
        0,
        0x1000,
    ]);
    assert_eq!(windows, [(PciSpace::Memory32, false, 0xffff_f000, bytes(0x1000, 0x1000))]);
    assert_eq!(findings.len(), 4);
    for (number, finding) in findings.iter().enumerate() {
        assert!(finding.contains(&format!("ranges, entry {number}:")), "{finding}");
    }
}

#[test]
fn windows_are_seen_through_the_buses_above() {
    let inner = node("pcie@0")
        .text("compatible", "pci-host-ecam-generic")
        .cells("#address-cells", &[3])
        .cells("#size-cells", &[2])
        .cells("reg", &[0x100_0000, 0x100_0000])
        .cells("ranges", &[0x0200_0000, 0, 0x8000_0000, 0x200_0000, 0, 0x10_0000]);
    let soc =
        node("soc").text("compatible", "simple-bus").cells("#address-cells", &[1]).cells("#size-cells", &[1]);
    let machine = machine([soc.cells("ranges", &[0, 0x70, 0, 0x1000_0000]).child(inner)]);
    let bridge = only(&machine);
    assert_eq!(bridge.name, "7001000000.pcie");
    assert_eq!(bridge.ecam, bytes(0x70_0100_0000, 16 << 20));
    assert_eq!(bridge.windows[0].cpu, bytes(0x70_0200_0000, 0x10_0000));
    assert_eq!(bridge.windows[0].bus_start, 0x8000_0000);
}

#[test]
fn ranges_of_another_shape_are_named_and_not_read() {
    assert!(windows(&[0x0200_0000, 0, 0]).1[0].contains("12 bytes"));
    let two_cells = node("pcie@0").text("compatible", "pci-host-ecam-generic").cells("#address-cells", &[2]);
    let two_cells = two_cells.cells("reg", &[0, 0x1000_0000, 0, 0x10_0000]).flag("ranges");
    let machine = machine([two_cells.cells("bus-range", &[0, 0])]);
    assert_eq!(machine.findings(), [("pci-ranges-malformed", "/pcie@0")]);
}

#[test]
fn functions_are_found_by_the_device_and_function_of_reg_alone() {
    let child = |name: &str, first: u32| node(name).cells("reg", &[first, 0, 0, 0, 0]);
    let bridge = host_bridge()
        .child(child("a@1,2", 0x0a00))
        .child(child("b@1f,7", 0x8305_ff00).text("status", "disabled"))
        .child(node("none"))
        .child(child("twice@1,2", 0x0a10))
        .child(node("short").bytes("reg", &[0, 0]));
    let machine = machine([bridge]);
    let functions: Vec<_> = only(&machine)
        .functions
        .iter()
        .map(|entry| (entry.place, probe::FirmwareMap::name(&machine.map, entry.node), entry.enabled))
        .collect();
    let place = |device, function| DeviceFunction::new(device, function).unwrap();
    let expected =
        [(place(1, 2), "/pcie@10000000/a@1,2", true), (place(31, 7), "/pcie@10000000/b@1f,7", false)];
    assert_eq!(functions, expected.map(|(place, path, enabled)| (place, path.to_string(), enabled)));
    let expected =
        ["/pcie@10000000/twice@1,2", "/pcie@10000000/short"].map(|path| ("pci-child-malformed", path));
    assert_eq!(machine.findings(), expected);
}
