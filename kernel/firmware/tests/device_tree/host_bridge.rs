//! PCI host bridges: segments, bus numbers, ECAM, windows, nodes of functions.

use addr::{PciSpace, PhysAddr, Range};
use firmware::{HostBridge, LinuxView};

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
    assert_eq!(machine.findings(), [("ecam-too-small", "/pcie@0:reg")]);
    let sentence = machine.sentence("ecam-too-small");
    assert!(sentence.contains("3 buses") && sentence.contains("0x12"), "{sentence}");
}

#[test]
fn a_host_bridge_without_room_for_a_bus_is_left_out() {
    let without = node("pcie@1").text("compatible", "pci-host-ecam-generic");
    let machine = machine([ecam("pcie@0", 0x3f00_0000, 0), without]);
    assert!(machine.description.host_bridges.is_empty());
    assert!(machine.findings().contains(&("ecam-missing", "/pcie@0:reg")));
    assert!(machine.findings().contains(&("ecam-missing", "/pcie@1:reg")));
}

#[test]
fn an_ecam_that_is_not_aligned_to_a_bus_is_left_out() {
    let machine = machine([ecam("pcie@0", 0x3f08_0000, 2)]);
    assert!(machine.description.host_bridges.is_empty());
    assert_eq!(machine.findings(), [("ecam-misaligned", "/pcie@0:reg")]);
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
        assert_eq!(findings, [("bus-range-malformed", "/pcie@0:bus-range")]);
        machine.description.host_bridges.first().map(|bridge| (bridge.first_bus, bridge.last_bus))
    };
    assert_eq!(of(&[5]), Some((0, 0xff)));
    assert_eq!(of(&[0xfe, 0x1ff]), Some((0xfe, 0xff)));
    assert_eq!(of(&[2, 1]), None);
    assert_eq!(of(&[0x100, 0x101]), None);
}

fn segments(machine: &Machine) -> Vec<(&str, u16)> {
    let bridges = machine.description.host_bridges.iter();
    bridges.map(|bridge| (bridge.name.as_str(), bridge.segment)).collect()
}

#[test]
fn segments_are_given_or_the_lowest_free_numbers() {
    let pci = |name, address| ecam(name, address, 1).text("device_type", "pci");
    let machine = machine([
        pci("pcie@a", 0x1000_0000),
        pci("pcie@b", 0x1100_0000).cells("linux,pci-domain", &[0]),
        pci("pcie@c", 0x1200_0000),
        pci("pcie@d", 0x1300_0000).cells("linux,pci-domain", &[0x5_0004]),
        pci("pcie@e", 0x1400_0000).cells("linux,pci-domain", &[7, 8]),
        pci("pcie@f", 0x1500_0000).bytes("linux,pci-domain", &[0, 0]),
    ]);
    assert_eq!(
        segments(&machine),
        [
            ("10000000.pcie", 1),
            ("11000000.pcie", 0),
            ("12000000.pcie", 2),
            ("13000000.pcie", 4),
            ("14000000.pcie", 7),
            ("15000000.pcie", 3)
        ]
    );
    let named: Vec<_> =
        machine.findings().into_iter().filter(|(id, _)| *id == "property-malformed").collect();
    assert_eq!(
        named,
        ["/pcie@e:linux,pci-domain", "/pcie@f:linux,pci-domain"].map(|path| ("property-malformed", path)),
        "16 bits of a larger number are what Linux takes too"
    );
}

#[test]
fn every_node_for_pci_sets_its_number_aside_whatever_its_status() {
    let number = |node: Node| node.cells("linux,pci-domain", &[0]);
    let pci = |name| number(node(name).text("device_type", "pci"));
    let segment = |other: Node| only(&machine([ecam("pcie@a", 0x1000_0000, 1), other])).segment;
    assert_eq!(segment(pci("off").text("status", "disabled")), 1);
    assert_eq!(segment(node("soc").child(pci("inner"))), 1);
    assert_eq!(segment(number(node("no-type"))), 0);
}

#[test]
fn a_number_that_two_host_bridges_have_is_named_and_linux_leaves_the_second_out() {
    let of = |name, address, buses: &[u32]| {
        ecam(name, address, 16).cells("linux,pci-domain", &[3]).cells("bus-range", buses)
    };
    let machine = machine([of("pcie@a", 0x1000_0000, &[0, 0xf]), of("pcie@b", 0x1100_0000, &[0x10, 0x1f])]);
    let views: Vec<_> = machine.description.host_bridges.iter().map(|bridge| &bridge.in_linux).collect();
    assert_eq!(views, [&LinuxView::Same, &LinuxView::Absent]);
    assert_eq!(machine.findings(), [("pci-domain-shared", "/pcie@b:linux,pci-domain")]);
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
    let machine = machine([bus.cells("#address-cells", &[2]).cells("#size-cells", &[2])]);
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
        .cells("reg", &[0x60, 0, 0, 0x1000_0000])
        .cells("ranges", ranges);
    let machine = machine([bridge]);
    let windows = only(&machine).windows.iter();
    let windows =
        windows.map(|window| (window.space, window.prefetchable, window.bus_start, window.cpu)).collect();
    let findings = machine.description.findings.iter();
    let is_conflict = |finding: &&probe::Finding| finding.id == "host-bridge-conflict";
    let findings = findings.filter(|finding| !is_conflict(finding));
    assert!(findings.clone().all(|finding| finding.id == "pci-ranges-malformed"));
    (windows, findings.map(|finding| format!("{}: {}", finding.place, finding.sentence)).collect())
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
    let (windows, findings) = windows(
        &[
            [0x0000_0000, 0, 0, 0, 0x1000, 0, 0x1000],
            [0x0100_0000, 0, 0xffff_f000, 0, 0x1000, 0, 0x1001],
            [0x0300_0000, 0xffff_ffff, 0xffff_f000, 0, 0x1000, 0, 0x1001],
            [0x0300_0000, 0, 0, 0xffff_ffff, 0xffff_f000, 0, 0x1001],
            [0x0200_0000, 0, 0, 0, 0, 0, 0],
            [0x0200_0000, 0, 0xffff_f000, 0, 0x1000, 0, 0x1000],
        ]
        .concat(),
    );
    assert_eq!(windows, [(PciSpace::Memory32, false, 0xffff_f000, bytes(0x1000, 0x1000))]);
    assert_eq!(findings.len(), 4);
    for (number, finding) in findings.iter().enumerate() {
        assert!(finding.starts_with(&format!("/pcie@0:ranges[{number}]: ")), "{finding}");
    }
}

#[test]
fn the_space_code_does_not_limit_where_a_memory_window_is() {
    let (windows, findings) = windows(
        &[
            [0x0200_0000, 0x80, 0, 0x80, 0, 0x1, 0],
            [0x0300_0000, 0, 0x1000_0000, 0, 0x1000_0000, 0, 0x1000],
            [0x4200_0000, 0, 0xf000_0000, 0, 0xf000_0000, 1, 0],
        ]
        .concat(),
    );
    assert_eq!(
        windows,
        [
            (PciSpace::Memory32, false, 0x80_0000_0000, bytes(0x80_0000_0000, 0x1_0000_0000)),
            (PciSpace::Memory64, false, 0x1000_0000, bytes(0x1000_0000, 0x1000)),
            (PciSpace::Memory32, true, 0xf000_0000, bytes(0xf000_0000, 0x1_0000_0000)),
        ]
    );
    assert_eq!(findings, [""; 0], "Juno and others are so");
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
fn what_follows_the_last_whole_entry_of_ranges_costs_itself() {
    let (short, findings) = windows(&[0x0200_0000, 0, 0]);
    assert!(short.is_empty() && findings[0].contains("the last 12 bytes"), "{findings:?}");
    let (one, findings) = windows(&[0x0200_0000, 0, 0x1000_0000, 0, 0x1000_0000, 0, 0x1000, 5]);
    assert_eq!((one.len(), findings.len()), (1, 1));
    assert!(findings[0].contains("the last 4 bytes"), "{findings:?}");
}

#[test]
fn a_pci_bus_has_three_cells_and_two_whatever_it_says_and_linux_reads_what_it_says() {
    let bridge = |cells: &[u32]| {
        node("pcie@0")
            .text("compatible", "pci-host-ecam-generic")
            .cells("#address-cells", cells)
            .cells("#size-cells", &[2])
            .cells("reg", &[0, 0x1000_0000, 0, 0x10_0000])
            .cells("bus-range", &[0, 0])
            .cells("ranges", &[0x0200_0000, 0, 0x2000_0000, 0, 0x2000_0000, 0, 0x1000])
    };
    let view = |cells: &[u32]| {
        let machine = machine([bridge(cells)]);
        assert_eq!(only(&machine).windows[0].cpu, bytes(0x2000_0000, 0x1000));
        let named = machine.findings().contains(&("pci-cells-malformed", "/pcie@0"));
        (named, only(&machine).in_linux.clone())
    };
    assert_eq!(view(&[3]), (false, LinuxView::Same));
    assert_eq!(view(&[7]), (true, LinuxView::Windows(vec![])));
    let (named, two) = view(&[2]);
    assert!(
        named
            && matches!(&two, LinuxView::Windows(windows) if windows[0].cpu.start().0 == 0x2000_0000_0000_0000),
        "{two:?}"
    );
}

#[test]
fn linux_leaves_out_a_host_bridge_whose_addresses_are_taken() {
    let window = |node: Node, start: u32| node.cells("ranges", &[0x0200_0000, 0, start, 0, start, 0, 0x1000]);
    let view = |nodes: Vec<Node>| {
        let bridges = machine(nodes).description.host_bridges;
        bridges.into_iter().map(|bridge| bridge.in_linux).collect::<Vec<_>>()
    };
    let bare = |name, address: u32| {
        let node = node(name).text("compatible", "pci-host-ecam-generic");
        let node = node.cells("#address-cells", &[3]).cells("#size-cells", &[2]);
        node.cells("reg", &[0, address, 0, 1 << 20])
    };
    let a = || bare("pcie@a", 0x1000_0000);
    let b = || bare("pcie@b", 0x1100_0000);
    assert_eq!(
        view(vec![window(a(), 0x2000_0000), window(b(), 0x2000_1000)]),
        [LinuxView::Same, LinuxView::Same]
    );
    assert_eq!(
        view(vec![window(a(), 0x2000_0000), window(b(), 0x2000_0000)]),
        [LinuxView::Same, LinuxView::Absent]
    );
    assert_eq!(view(vec![window(a(), 0x4000_0000)]), [LinuxView::Absent], "RAM is there");
    assert_eq!(view(vec![window(a(), 0x1000_0000)]), [LinuxView::Absent], "the ECAM is there");
}
