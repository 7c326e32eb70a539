//! What is said once about the tree as a whole.

use probe::Severity;

use crate::fixtures;
use crate::tree::{Machine, Node, host_bridge, iommu, machine, node, read};

/// A host bridge with a virtio-iommu at 00:01.0 (phandle 1) and this map.
fn with_own_iommu(map: &[u32]) -> Node {
    let child = iommu("virtio_iommu@1,0", 1, 1).cells("reg", &[0x800, 0, 0, 0, 0]);
    host_bridge().cells("iommu-map", map).child(child)
}

#[test]
fn a_map_that_covers_the_iommu_itself_is_named_with_both_nodes() {
    let machine = machine([with_own_iommu(&[0, 1, 0, 0x10000])]);
    assert_eq!(machine.findings(), [("map-covers-iommu", "/pcie@10000000:iommu-map")]);
    let sentence = machine.sentence("map-covers-iommu");
    assert!(sentence.contains("0x8") && sentence.contains("/pcie@10000000/virtio_iommu@1,0"), "{sentence}");
}

#[test]
fn a_map_that_leaves_out_the_iommu_is_good() {
    assert_eq!(machine([with_own_iommu(&[0, 1, 0, 8, 9, 1, 9, 0xfff7])]).findings(), []);
}

#[test]
fn the_iommus_own_id_counts_from_the_first_bus() {
    let on_bus_0x20 = |map: &[u32]| machine([with_own_iommu(map).cells("bus-range", &[0x20, 0x2f])]);
    assert_eq!(on_bus_0x20(&[8, 1, 8, 1]).findings(), []);
    assert_eq!(
        on_bus_0x20(&[0x2008, 1, 0x2008, 1]).findings(),
        [("map-covers-iommu", "/pcie@10000000:iommu-map")]
    );
}

#[test]
fn an_iommu_behind_another_ones_map_is_good() {
    let machine = machine([iommu("outer@0", 2, 1), with_own_iommu(&[8, 2, 8, 1, 0x10, 1, 0x10, 8])]);
    assert_eq!(machine.findings(), []);
}

#[test]
fn a_mask_can_make_the_map_cover_the_iommu() {
    let machine = machine([with_own_iommu(&[0, 1, 0, 8]).cells("iommu-map-mask", &[7])]);
    let expected = [
        ("map-mask-folds", "/pcie@10000000:iommu-map-mask"),
        ("map-covers-iommu", "/pcie@10000000:iommu-map"),
    ];
    assert_eq!(machine.findings(), expected);
}

#[test]
fn an_iommu_that_names_itself_is_said() {
    let machine = machine([iommu("iommu@0", 1, 1).cells("iommus", &[1, 1])]);
    assert_eq!(machine.findings(), [("map-covers-iommu", "/iommu@0:iommus")]);
}

fn with_mask(mask: u32, buses: [u32; 2]) -> Machine {
    let bridge = host_bridge().cells("iommu-map", &[0, 1, 0, 0x10000]).cells("bus-range", &buses);
    machine([iommu("iommu@0", 1, 1), bridge.cells("iommu-map-mask", &[mask])])
}

#[test]
fn a_mask_folds_only_if_two_functions_of_the_bus_numbers_differ_in_what_it_drops() {
    assert_eq!(with_mask(0xffff, [0, 0xff]).findings(), []);
    assert_eq!(with_mask(0xffff_ffff, [0, 0xff]).findings(), []);
    let folds = [("map-mask-folds", "/pcie@10000000:iommu-map-mask")];
    assert_eq!(with_mask(0xfff8, [0, 0]).findings(), folds);
    assert_eq!(with_mask(0x00ff, [0, 1]).findings(), folds);
    assert_eq!(with_mask(0x00ff, [0, 0]).findings(), [], "there is only one bus");
    assert_eq!(with_mask(0x0fff, [0, 0xf]).findings(), [], "no two buses below 16 differ only above");
    assert_eq!(with_mask(0x0fff, [0, 0x10]).findings(), folds);
}

fn unreached(map: &[u32]) -> Vec<(&'static str, String)> {
    let machine = machine([iommu("iommu@0", 1, 1), host_bridge().cells("iommu-map", map)]);
    let findings = machine.description.findings.into_iter();
    findings.map(|finding| (finding.id, finding.place)).collect()
}

#[test]
fn entries_that_are_never_reached_are_said() {
    // Covered by one, covered by two together, empty, beyond all requester IDs.
    for map in [
        &[0, 1, 0, 0x100, 8, 1, 8, 8][..],
        &[0x10, 1, 0, 0x10, 0, 1, 0x100, 0x10, 8, 1, 8, 0x18],
        &[0, 1, 0, 8, 8, 1, 8, 0],
        &[0, 1, 0, 8, 0x10000, 1, 0, 8],
    ] {
        let found = unreached(map);
        assert_eq!(found.len(), 1, "{found:?}");
        let last = map.len() / 4 - 1;
        assert!(
            found[0].0 == "iommu-map-unreached" && found[0].1.ends_with(&format!(":iommu-map[{last}]")),
            "{found:?}"
        );
    }
}

#[test]
fn an_entry_with_an_id_of_its_own_only_overlaps() {
    let found = unreached(&[0x10, 1, 0, 0x10, 0, 1, 0x100, 0x10, 8, 1, 8, 0x19]);
    assert_eq!(found[0].0, "iommu-map-overlap");
}

#[test]
fn neighbouring_entries_do_not_overlap() {
    assert_eq!(unreached(&[0, 1, 0, 8, 8, 1, 8, 8]), []);
}

#[test]
fn an_iommu_that_nobody_refers_to_is_said() {
    let machine = machine([iommu("iommu@0", 1, 1)]);
    assert_eq!(machine.findings(), [("iommu-unreferenced", "/iommu@0")]);
    assert_eq!(machine.severity("iommu-unreferenced"), Severity::Warning);
}

#[test]
fn an_iommu_on_a_host_bridge_that_is_disabled_is_not_missed_by_anyone() {
    let machine = machine([with_own_iommu(&[0, 1, 0, 8]).text("status", "disabled")]);
    assert_eq!(machine.findings(), [("host-bridge-disabled", "/pcie@10000000")]);
}

#[test]
fn what_a_disabled_node_says_counts_for_nothing() {
    let off = node("off").text("compatible", "x").text("status", "disabled").cells("iommus", &[0x99, 1]);
    let below = node("bus").text("status", "disabled").child(node("on").cells("iommus", &[0x99, 1]));
    let used_by_nobody = node("also-off").text("status", "disabled").cells("iommus", &[1, 1]);
    let machine = machine([iommu("iommu@0", 1, 1), off, below, used_by_nobody]);
    assert_eq!(machine.findings(), []);
}

#[test]
fn many_faults_do_not_make_many_findings() {
    let devices = (0..400).map(|number| node(&format!("device-{number}")).cells("iommus", &[0x99, 1]));
    let machine = machine(devices);
    assert_eq!(machine.description.findings.len(), 257);
    let last = machine.description.findings.last().unwrap();
    assert_eq!(last.id, "findings-left-out");
    assert!(last.sentence.starts_with("144 more"), "{last:?}");
}

#[test]
fn the_trees_of_qemu_have_no_phandle_twice() {
    for (name, blob) in fixtures::ALL {
        assert!(!read(blob).findings().iter().any(|(id, _)| *id == "phandle-shared"), "{name}");
    }
}

#[test]
fn an_iommu_is_not_called_unreferenced_if_a_disabled_device_or_an_unread_entry_refers_to_it() {
    let unreferenced = |device: Node| {
        let findings = machine([iommu("iommu@0", 1, 1), iommu("iommu@1", 2, 1), device]).description.findings;
        let named = findings.iter().filter(|finding| finding.id == "iommu-unreferenced");
        named.map(|finding| finding.place.clone()).collect::<Vec<_>>()
    };
    let device = || node("device").text("compatible", "a,b");
    assert_eq!(unreferenced(device().cells("iommus", &[1, 0])), ["/iommu@1"]);
    assert_eq!(unreferenced(device().cells("iommus", &[1, 0, 2, 0]).text("status", "disabled")), [""; 0]);
    assert_eq!(unreferenced(device().cells("iommus", &[0x99, 0, 1, 0, 2, 0])), [""; 0]);
    assert_eq!(unreferenced(host_bridge().cells("iommu-map", &[0, 1, 0, 8, 8, 2])), [""; 0]);
}
