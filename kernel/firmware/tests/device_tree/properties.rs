//! Properties that are longer, shorter, empty, unterminated or missing: each costs itself.

use probe::{InputIds, Severity};

use crate::fixtures::PLAIN;
use crate::tree::{Machine, Node, blob, host_bridge, iommu, machine, node, ram, read, root};

/// Endpoints of requester ID 8 behind a host bridge whose whole map leads to `target`, which has phandle 1.
fn translated(machine: &Machine) -> Option<u32> {
    let ids = InputIds::Requesters(vec![addr::RequesterId(8)]);
    match probe::FirmwareMap::translate(&machine.map, machine.at("/pcie@10000000"), &ids) {
        Ok(probe::Translation::Endpoints(list)) => Some(list[0].endpoint.0),
        _ => None,
    }
}

fn behind(target: Node) -> Machine {
    machine([target, host_bridge().cells("iommu-map", &[0, 1, 0x100, 0x10000])])
}

#[test]
fn one_cell_is_the_first_of_a_longer_value() {
    let target = node("iommu@0").cells("phandle", &[1, 2]).cells("#iommu-cells", &[1, 9]);
    let machine = behind(target);
    assert_eq!(translated(&machine), Some(0x108));
    let places = ["/iommu@0:phandle", "/iommu@0:#iommu-cells"];
    assert_eq!(machine.findings(), places.map(|place| ("property-malformed", place)));
    assert_eq!(machine.severity("property-malformed"), Severity::Warning);
    let sentence = &machine.description.findings[0].sentence;
    assert_eq!(sentence, "8 bytes long, expected 4; the first cell (0x1) is used");
}

#[test]
fn one_cell_that_is_cut_short_is_missing() {
    for value in [&[][..], &[1], &[0, 1], &[0, 0, 1]] {
        let cells = behind(node("iommu@0").cells("phandle", &[1]).bytes("#iommu-cells", value));
        assert_eq!(translated(&cells), Some(0x108), "a map takes one cell for granted");
        assert_eq!(cells.findings(), [("property-malformed", "/iommu@0:#iommu-cells")]);

        let phandle = behind(node("iommu@0").bytes("phandle", value).cells("#iommu-cells", &[1]));
        assert_eq!(translated(&phandle), None);
        let findings = [
            ("property-malformed", "/iommu@0:phandle"),
            ("iommu-map-dangling", "/pcie@10000000:iommu-map[0]"),
        ];
        assert_eq!(phandle.findings(), findings);
    }
}

#[test]
fn the_first_phandle_that_is_not_0_counts_under_either_name() {
    let phandles = |first, second| {
        node("iommu@0")
            .cells("linux,phandle", &[first])
            .cells("phandle", &[second])
            .cells("#iommu-cells", &[1])
    };
    assert_eq!(translated(&behind(phandles(1, 7))), Some(0x108));
    assert_eq!(translated(&behind(phandles(7, 1))), None);
    assert_eq!(translated(&behind(phandles(0, 1))), Some(0x108));
}

#[test]
fn an_iommu_without_cells_is_one_endpoint_for_all() {
    let bridge = host_bridge().cells("iommu-map", &[0, 1, 0x10000]);
    let machine = machine([iommu("iommu@0", 1, 0), bridge]);
    assert_eq!(translated(&machine), Some(0));
    assert_eq!(machine.findings(), []);
}

#[test]
fn cells_matter_only_to_what_is_read_by_them() {
    let odd = node("psci").cells("#address-cells", &[7]).cells("#size-cells", &[9]);
    assert_eq!(machine([odd]).findings(), []);

    let bus = node("soc").text("compatible", "simple-bus").cells("#address-cells", &[7]);
    let bus = bus.cells("#size-cells", &[1]).flag("ranges");
    let device = node("uart").text("compatible", "a,b").cells("reg", &[0, 0, 0, 0, 0, 0, 0x900_0000, 4]);
    let machine = machine([bus.child(device)]);
    assert_eq!(machine.names(), ["soc", "soc:uart"]);
    assert_eq!(machine.findings(), [("reg-malformed", "/soc/uart:reg")]);
    assert!(machine.sentence("reg-malformed").contains("#address-cells 7 and #size-cells 1"));
}

#[test]
fn cells_that_a_bus_does_not_have_are_those_of_the_next_bus_around_it() {
    let device = node("uart@9000000").text("compatible", "a,b").cells("reg", &[0, 0x900_0000, 0, 0x1000]);
    let bus = node("soc").text("compatible", "simple-bus").flag("ranges").cells("#address-cells", &[2]);
    let machine = machine([bus.child(device)]);
    assert_eq!(machine.names(), ["soc", "9000000.uart"]);
    assert_eq!(machine.description.platform_devices[1].registers.len(), 1);
    assert_eq!(machine.findings(), [("property-malformed", "/soc")]);
    let sentence = machine.sentence("property-malformed");
    assert!(sentence.starts_with("#size-cells missing;"), "{sentence}");
}

#[test]
fn a_status_without_its_end_counts_as_disabled() {
    for (value, enabled, malformed) in [
        (&b"okay\0"[..], true, false),
        (b"ok\0", true, false),
        (b"okay\0disabled\0", true, false),
        (b"okay", false, true),
        (b"", false, true),
        (b"\0", false, false),
        (b"Okay\0", false, false),
    ] {
        let machine = machine([node("uart").text("compatible", "a,b").bytes("status", value)]);
        assert_eq!(machine.names().contains(&"uart"), enabled, "{value:?}");
        assert_eq!(!machine.findings().is_empty(), malformed, "{value:?}");
    }
}

#[test]
fn texts_without_their_end_are_not_texts() {
    let memory = node("memory@0").bytes("device_type", b"memory").cells("reg", &[0, 0, 0, 0x1000]);
    assert_eq!(machine([memory]).description.memory.len(), 1, "the one that every machine here has");
    let console = |path: &[u8]| {
        let uart =
            node("uart@9000000").text("compatible", "arm,pl011").cells("reg", &[0, 0x900_0000, 0, 0x1000]);
        machine([node("chosen").bytes("stdout-path", path), uart]).description.console
    };
    assert!(console(b"/uart@9000000\0").is_some() && console(b"/uart@9000000").is_none());
}

#[test]
fn a_reg_costs_what_follows_its_last_whole_entry() {
    let device = node("uart@9000000").text("compatible", "a,b").cells("reg", &[0, 0x900_0000, 0, 0x1000, 5]);
    let machine = machine([device]);
    assert_eq!(machine.names(), ["9000000.uart"]);
    assert_eq!(machine.description.platform_devices[0].registers.len(), 1);
    assert_eq!(machine.findings(), [("reg-malformed", "/uart@9000000:reg[1]")]);
    let sentence = machine.sentence("reg-malformed");
    assert!(sentence.contains("the last 4 bytes"), "{sentence}");
}

/// Whatever one property of QEMU's tree is, there is a description; what does not concern the property stays.
#[test]
fn any_property_of_any_length_leaves_the_tree_readable() {
    for name in
        ["#address-cells", "#size-cells", "#iommu-cells", "phandle", "reg", "ranges", "status", "compatible"]
    {
        for value in [&[][..], &[0], &[0, 0, 0], &[0; 4], &[0xff; 4], &[0, 0, 0, 7], &[0; 5], &[1; 40]] {
            let odd = node("odd").bytes(name, value).child(node("child@0").cells("reg", &[0, 0, 0, 1]));
            let machine = read(&blob(&root([ram(), node("cpus").child(node("cpu@0")), odd, host_bridge()])));
            assert_eq!(machine.description.host_bridges.len(), 1, "{name} {value:?}");
        }
    }
    assert_eq!(read(PLAIN).findings(), []);
}
