//! `iommu-addresses` of reserved memory: what a device's IOMMU keeps for it.

use addr::{Iova, Range};
use probe::{FirmwareMap, ReservedKind, ReservedRegion};

use crate::tree::{Machine, Node, host_bridge, iommu, machine, node};

const DEVICE: u32 = 7;

fn device() -> Node {
    node("display@1000").text("compatible", "a,display").cells("phandle", &[DEVICE]).cells("iommus", &[1, 5])
}

fn memory(name: &str, phandle: u32) -> Node {
    node(name).cells("phandle", &[phandle])
}

/// A machine with the device, which names `regions` of these memories.
fn with(regions: &[u32], memories: impl IntoIterator<Item = Node>) -> Machine {
    let reserved =
        node("reserved-memory").cells("#address-cells", &[2]).cells("#size-cells", &[2]).flag("ranges");
    let reserved = memories.into_iter().fold(reserved, Node::child);
    machine([iommu("iommu@0", 1, 1), device().cells("memory-region", regions), reserved])
}

fn regions(machine: &Machine, path: &str) -> Vec<(u64, u64, ReservedKind)> {
    let of = |region: ReservedRegion| {
        let range: Range<Iova> = region.range;
        (range.start().0, range.end().0, region.kind)
    };
    machine.map.reserved(machine.at(path)).into_iter().map(of).collect()
}

#[test]
fn memory_at_its_own_address_is_direct_and_without_memory_it_is_reserved() {
    let direct = memory("framebuffer@50000000", 2)
        .cells("reg", &[0, 0x5000_0000, 0, 0x20_0000])
        .cells("iommu-addresses", &[DEVICE, 0, 0x5000_0000, 0, 0x20_0000]);
    let hole = memory("hole", 3).cells("iommu-addresses", &[DEVICE, 1, 0, 0, 0x1000]);
    let machine = with(&[2, 3], [direct, hole]);
    let expected = [
        (0x5000_0000, 0x501f_ffff, ReservedKind::Direct),
        (0x1_0000_0000, 0x1_0000_0fff, ReservedKind::Reserved),
    ];
    assert_eq!(regions(&machine, "/display@1000"), expected);
    assert_eq!(regions(&machine, "/iommu@0"), []);
    assert_eq!(machine.findings(), []);
}

#[test]
fn memory_at_another_address_is_kept_free_and_said() {
    let moved = memory("moved@50000000", 2)
        .cells("reg", &[0, 0x5000_0000, 0, 0x1000])
        .cells("iommu-addresses", &[DEVICE, 0, 0x6000_0000, 0, 0x1000]);
    let machine = with(&[2], [moved]);
    assert_eq!(regions(&machine, "/display@1000"), [(0x6000_0000, 0x6000_0fff, ReservedKind::Reserved)]);
    assert_eq!(
        machine.findings(),
        [("iommu-addresses-malformed", "/reserved-memory/moved@50000000:iommu-addresses")]
    );
}

#[test]
fn entries_of_other_devices_are_passed_over_and_memory_that_is_not_named_too() {
    let shared = memory("shared", 2).cells(
        "iommu-addresses",
        &[1, 0, 0x100_0000, 0, 0x1000, DEVICE, 0, 0x200_0000, 0, 0x1000, 0x99, 0, 0, 0, 0x1000],
    );
    let other = memory("other", 3).cells("iommu-addresses", &[DEVICE, 0, 0, 0, 0x1000]);
    let machine = with(&[0x88, 0, 2], [shared, other]);
    assert_eq!(regions(&machine, "/display@1000"), [(0x200_0000, 0x200_0fff, ReservedKind::Reserved)]);
    assert_eq!(machine.findings(), []);
}

#[test]
fn entries_that_are_not_ranges_cost_themselves() {
    let odd = memory("odd", 2).cells(
        "iommu-addresses",
        &[DEVICE, 0, 0, 0, 0, DEVICE, u32::MAX, u32::MAX, 0, 2, DEVICE, 0, 0x1000, 0, 0x1000, DEVICE, 0],
    );
    let machine = with(&[2], [odd]);
    assert_eq!(regions(&machine, "/display@1000"), [(0x1000, 0x1fff, ReservedKind::Reserved)]);
    assert_eq!(
        machine.findings(),
        [("iommu-addresses-malformed", "/reserved-memory/odd:iommu-addresses"); 3]
    );
}

#[test]
fn memory_whose_own_address_is_malformed_is_left_out() {
    let odd = memory("odd", 2).cells("reg", &[0]).cells("iommu-addresses", &[DEVICE, 0, 0, 0, 0x1000]);
    let machine = with(&[2], [odd]);
    assert_eq!(regions(&machine, "/display@1000"), []);
    assert!(machine.findings().contains(&("iommu-addresses-malformed", "/reserved-memory/odd:reg")));
}

#[test]
fn a_pci_functions_address_has_three_cells_whose_first_is_no_part_of_it() {
    let function = node("net@2,0").cells("reg", &[0x1000, 0, 0, 0, 0]).cells("phandle", &[DEVICE]);
    let bridge = host_bridge().child(function.cells("memory-region", &[2]));
    let hole = memory("hole", 2).cells("iommu-addresses", &[DEVICE, 0x200_0000, 1, 0, 0, 0x1000]);
    let machine = machine([node("reserved-memory").child(hole), bridge]);
    let expected = [(0x1_0000_0000, 0x1_0000_0fff, ReservedKind::Reserved)];
    assert_eq!(regions(&machine, "/pcie@10000000/net@2,0"), expected);
}

#[test]
fn addresses_go_through_the_dma_ranges_of_the_buses_above() {
    let bus = node("soc").text("compatible", "simple-bus").cells("#address-cells", &[1]);
    let bus = bus.cells("#size-cells", &[1]).flag("ranges").cells("dma-ranges", &[0, 1, 0, 0x1000_0000]);
    let bus = bus.child(device().cells("memory-region", &[2]));
    let hole =
        memory("hole", 2).cells("iommu-addresses", &[DEVICE, 0x1000, 0x1000, DEVICE, 0x2000_0000, 0x1000]);
    let machine = machine([iommu("iommu@0", 1, 1), bus, node("reserved-memory").child(hole)]);
    let expected = [(0x1_0000_1000, 0x1_0000_1fff, ReservedKind::Reserved)];
    assert_eq!(regions(&machine, "/soc/display@1000"), expected);
    assert_eq!(machine.findings(), [("iommu-addresses-malformed", "/reserved-memory/hole:iommu-addresses")]);
}
