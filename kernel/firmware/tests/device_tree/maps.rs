//! `iommu-map` and `iommus`: each rule with the smallest tree that shows it.

use addr::{EndpointId, RequesterId};
use firmware::device_tree::MapForm;
use probe::{FirmwareMap, InputIds, Severity, Translation, Untranslated};

use crate::tree::{Machine, Node, blob_of, host_bridge, iommu, machine, node, read_with};

/// A machine with IOMMU `/iommu@0` (phandle 1, one cell) and a host bridge with this map.
fn with_map(map: &[u32]) -> Machine {
    machine([iommu("iommu@0", 1, 1), host_bridge().cells("iommu-map", map)])
}

fn with_map_and_mask(map: &[u32], mask: u32) -> Machine {
    let bridge = host_bridge().cells("iommu-map", map).cells("iommu-map-mask", &[mask]);
    machine([iommu("iommu@0", 1, 1), bridge])
}

/// What the host bridge's map makes of these requester IDs: endpoints, or a word.
fn translate(machine: &Machine, requesters: &[u16]) -> Result<Vec<u32>, String> {
    let ids = InputIds::Requesters(requesters.iter().copied().map(RequesterId).collect());
    outcome(machine, "/pcie@10000000", &ids)
}

fn outcome(machine: &Machine, at: &str, ids: &InputIds) -> Result<Vec<u32>, String> {
    match machine.map.translate(machine.at(at), ids) {
        Ok(Translation::Endpoints(list)) => Ok(list.iter().map(|reference| reference.endpoint.0).collect()),
        Ok(Translation::Nowhere(Untranslated::Disabled(node))) => {
            Err(format!("disabled {}", machine.map.name(node)))
        }
        Ok(Translation::Nowhere(reason)) => Err(format!("{reason:?}")),
        Err(error) => {
            let listed = machine.description.findings.contains(&error.finding);
            assert!(listed, "the finding is in the description already, word for word: {error:?}");
            assert_eq!(error.finding.severity, Severity::Error);
            Err(error.finding.id.into())
        }
    }
}

fn word<T>(text: &str) -> Result<T, String> {
    Err(text.into())
}

#[test]
fn an_id_is_moved_by_the_distance_of_base_and_output() {
    let machine = with_map(&[0x100, 1, 0x8000, 0x10]);
    assert_eq!(translate(&machine, &[0x100]), Ok(vec![0x8000]));
    assert_eq!(translate(&machine, &[0x10f]), Ok(vec![0x800f]));
    assert_eq!(translate(&machine, &[0x110]), word("NotInMap"));
    assert_eq!(translate(&machine, &[0xff]), word("NotInMap"));
    assert_eq!(machine.findings(), []);
}

#[test]
fn all_ids_of_a_device_are_translated_in_their_order() {
    let machine = with_map(&[0, 1, 0, 0x10000]);
    assert_eq!(translate(&machine, &[0x208, 0x200]), Ok(vec![0x208, 0x200]));
}

#[test]
fn one_id_outside_of_the_map_makes_the_whole_device_untranslated() {
    let machine = with_map(&[0, 1, 0, 0x200]);
    assert_eq!(translate(&machine, &[0x108, 0x200]), word("NotInMap"));
    assert_eq!(translate(&machine, &[0x200, 0x108]), word("NotInMap"));
}

#[test]
fn of_overlapping_entries_the_first_decides() {
    let machine = with_map(&[8, 1, 0x1000, 8, 0, 1, 0x2000, 0x100]);
    assert_eq!(translate(&machine, &[8]), Ok(vec![0x1000]));
    assert_eq!(translate(&machine, &[7]), Ok(vec![0x2007]));
    assert_eq!(machine.findings(), [("iommu-map-overlap", "/pcie@10000000:iommu-map[1]")]);
    assert!(machine.sentence("iommu-map-overlap").contains("overlaps entry 0"));
}

#[test]
fn the_mask_is_applied_before_the_entries() {
    let machine = with_map_and_mask(&[0, 1, 0, 8], 7);
    assert_eq!(translate(&machine, &[0x13]), Ok(vec![3]));
    assert_eq!(machine.findings(), [("map-mask-folds", "/pcie@10000000:iommu-map-mask")]);
}

#[test]
fn a_base_outside_of_the_mask_is_an_error_for_the_ids_that_reach_it() {
    let machine = with_map_and_mask(&[0, 1, 0, 4, 0x10, 1, 0x10, 0xfff0, 5, 1, 5, 1], 0xf);
    assert_eq!(translate(&machine, &[3]), Ok(vec![3]));
    assert_eq!(translate(&machine, &[5]), word("iommu-map-outside-mask"), "even though a later entry has it");
    let sentence = machine.line("iommu-map-outside-mask");
    assert!(sentence.starts_with("/pcie@10000000:iommu-map[1]: "), "{sentence}");
}

#[test]
fn a_base_outside_of_the_mask_as_the_first_entry_stops_every_id() {
    let machine = with_map_and_mask(&[0x10, 1, 0x10, 0xfff0], 0xf);
    assert_eq!(translate(&machine, &[0x18]), word("iommu-map-outside-mask"));
    let ids: Vec<_> = machine.findings().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["iommu-map-outside-mask"], "the IOMMU is referred to all the same");
}

#[test]
fn a_mask_of_another_length_is_named() {
    let bridge = host_bridge().cells("iommu-map", &[0, 1, 0, 0x10000]).bytes("iommu-map-mask", &[0, 7]);
    let machine = machine([iommu("iommu@0", 1, 1), bridge]);
    assert_eq!(translate(&machine, &[0x13]), Ok(vec![0x13]));
    assert_eq!(machine.findings(), [("iommu-map-mask-malformed", "/pcie@10000000:iommu-map-mask")]);
}

#[test]
fn an_empty_map_has_nothing_in_it() {
    let machine = with_map(&[]);
    assert_eq!(translate(&machine, &[8]), word("NotInMap"));
    assert_eq!(
        machine.findings(),
        [("iommu-map-empty", "/pcie@10000000:iommu-map"), ("iommu-unreferenced", "/iommu@0")]
    );
}

#[test]
fn a_map_that_ends_inside_an_entry_is_an_error_for_the_ids_that_reach_the_end() {
    let machine = with_map(&[0, 1, 0, 8, 0x100, 1, 0x100]);
    assert_eq!(translate(&machine, &[7]), Ok(vec![7]));
    assert_eq!(translate(&machine, &[0x100]), word("iommu-map-malformed"));
    let sentence = machine.line("iommu-map-malformed");
    assert!(
        sentence.contains("iommu-map[1]: the value ends after 3 of 4 cells (/iommu@0 has #iommu-cells 1)"),
        "{sentence}"
    );
}

#[test]
fn a_map_that_is_not_a_whole_number_of_cells_is_an_error_for_all() {
    let bridge = host_bridge().bytes("iommu-map", &[0; 17]);
    let machine = machine([iommu("iommu@0", 1, 1), bridge]);
    assert_eq!(translate(&machine, &[0]), word("iommu-map-malformed"));
}

#[test]
fn a_phandle_that_no_node_has_is_named_with_its_entry() {
    let machine = with_map(&[0, 1, 0, 8, 0x100, 0x99, 0x100, 8, 0x200, 1, 0x200, 8]);
    assert_eq!(translate(&machine, &[7]), Ok(vec![7]));
    assert_eq!(translate(&machine, &[0x100]), word("iommu-map-dangling"));
    assert_eq!(translate(&machine, &[0x200]), word("iommu-map-dangling"), "its cells cannot be counted");
    let sentence = machine.line("iommu-map-dangling");
    for part in ["/pcie@10000000:iommu-map[1]: ", "0x99"] {
        assert!(sentence.contains(part), "{sentence}");
    }
}

#[test]
fn phandle_0_is_not_that_of_any_node() {
    let target = node("iommu@0").cells("phandle", &[0]).cells("#iommu-cells", &[1]);
    let machine = machine([target, host_bridge().cells("iommu-map", &[0, 0, 0, 8])]);
    assert_eq!(translate(&machine, &[0]), word("iommu-map-dangling"));
}

#[test]
fn the_old_name_of_phandle_is_known() {
    let target = node("iommu@0").cells("linux,phandle", &[7]).cells("#iommu-cells", &[1]);
    let machine = machine([target, host_bridge().cells("iommu-map", &[0, 7, 0, 8])]);
    assert_eq!(translate(&machine, &[2]), Ok(vec![2]));
}

#[test]
fn of_two_nodes_with_one_phandle_the_first_is_meant_and_it_is_said() {
    let second = node("zz@1").cells("linux,phandle", &[1]).cells("#iommu-cells", &[2]);
    let machine = machine([iommu("iommu@0", 1, 1), second, host_bridge().cells("iommu-map", &[0, 1, 0, 8])]);
    assert_eq!(translate(&machine, &[2]), Ok(vec![2]));
    assert!(machine.findings().contains(&("phandle-shared", "/zz@1")));
}

#[test]
fn a_disabled_iommu_is_recognised_as_the_target() {
    for status in ["disabled", "fail", "reserved", ""] {
        let target = iommu("iommu@0", 1, 1).text("status", status);
        let machine = machine([target, host_bridge().cells("iommu-map", &[0, 1, 0, 0x10000])]);
        assert_eq!(translate(&machine, &[8]), word("disabled /iommu@0"));
        assert_eq!(machine.findings(), [("iommu-disabled", "/iommu@0")]);
        assert_eq!(machine.severity("iommu-disabled"), Severity::Warning);
        assert!(
            machine.map.is_iommu(machine.at("/iommu@0")) && !machine.map.is_available(machine.at("/iommu@0"))
        );
    }
}

#[test]
fn an_iommu_that_is_okay_or_ok_is_used() {
    for status in ["okay", "ok"] {
        let target = iommu("iommu@0", 1, 1).text("status", status);
        let machine = machine([target, host_bridge().cells("iommu-map", &[0, 1, 0, 0x10000])]);
        assert_eq!(translate(&machine, &[8]), Ok(vec![8]));
    }
}

#[test]
fn the_first_id_that_ends_the_search_decides_the_reason() {
    let disabled = iommu("off@0", 2, 1).text("status", "disabled");
    let bridge = host_bridge().cells("iommu-map", &[0, 2, 0, 0x100, 0x100, 0x99, 0, 1]);
    let machine = machine([disabled, bridge]);
    assert_eq!(translate(&machine, &[0x100, 0]), word("iommu-map-dangling"));
    assert_eq!(translate(&machine, &[0, 0x100]), word("disabled /off@0"));
}

#[test]
fn a_bus_without_a_map_bypasses_the_iommu_that_others_have() {
    let machine = machine([iommu("iommu@0", 1, 1), host_bridge()]);
    assert_eq!(translate(&machine, &[8]), word("BusBypasses"));
    assert_eq!(machine.findings(), [("iommu-unreferenced", "/iommu@0")]);
}

#[test]
fn a_disabled_iommu_that_nobody_names_is_still_an_iommu() {
    let machine = machine([iommu("iommu@0", 1, 1).text("status", "disabled"), host_bridge()]);
    assert_eq!(translate(&machine, &[8]), word("BusBypasses"));
    assert_eq!(machine.severity("iommu-disabled"), Severity::Info);
}

#[test]
fn without_any_iommu_there_is_none() {
    let machine = machine([host_bridge(), node("device").text("compatible", "x")]);
    assert_eq!(translate(&machine, &[8]), word("NoIommu"));
    assert_eq!(outcome(&machine, "/device", &InputIds::Node), word("NoIommu"));
}

#[test]
fn a_target_without_cells_counts_as_one_cell_and_as_an_iommu() {
    let target = node("thing").cells("phandle", &[1]);
    let machine = machine([target, host_bridge().cells("iommu-map", &[0, 1, 0x40, 8])]);
    assert_eq!(translate(&machine, &[1]), Ok(vec![0x41]));
    assert_eq!(translate(&machine, &[9]), word("NotInMap"));
    assert_eq!(machine.findings(), [("target-not-iommu", "/thing")]);
}

#[test]
fn entries_have_as_many_cells_as_their_targets_ask_for() {
    let targets = [iommu("none@0", 1, 0), iommu("one@1", 2, 1), iommu("two@2", 3, 2)];
    let map = host_bridge().cells("iommu-map", &[0, 1, 4, 0x10, 2, 0x30, 4, 0x20, 3, 0x50, 0x51, 1]);
    let machine = machine(targets.into_iter().chain([map]));
    let at = |name: &str, requester| {
        let ids = InputIds::Requesters(vec![RequesterId(requester)]);
        match machine.map.translate(machine.at("/pcie@10000000"), &ids) {
            Ok(Translation::Endpoints(list)) => {
                assert_eq!(machine.map.name(list[0].iommu), name);
                list[0].endpoint
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(at("/none@0", 0), EndpointId(0));
    assert_eq!(at("/one@1", 0x12), EndpointId(0x32));
    assert_eq!(at("/two@2", 0x20), EndpointId(0x50));
    assert_eq!(machine.findings(), []);
}

#[test]
fn a_range_with_outputs_of_two_cells_is_invalid_for_what_falls_into_it() {
    let map = host_bridge().cells("iommu-map", &[0, 1, 0x50, 0x51, 2, 8, 1, 0x60, 0x61, 1]);
    let machine = machine([iommu("two@0", 1, 2), map]);
    assert_eq!(translate(&machine, &[0]), word("iommu-map-wide-range"));
    assert_eq!(translate(&machine, &[8]), Ok(vec![0x60]));
}

#[test]
fn an_old_map_with_one_cell_for_a_target_with_two_is_understood() {
    let map = host_bridge().cells("iommu-map", &[0, 1, 0x50, 1, 0x100, 1, 0x60, 1]);
    let machine = machine([iommu("two@0", 1, 2), map]);
    assert_eq!(translate(&machine, &[0]), Ok(vec![0x50]));
    assert_eq!(translate(&machine, &[0x100]), Ok(vec![0x60]));
}

#[test]
fn a_map_is_not_old_if_one_length_is_not_1() {
    let map = host_bridge().cells("iommu-map", &[0, 1, 0x50, 1, 0x100, 1, 0x60, 2]);
    let machine = machine([iommu("two@0", 1, 2), map]);
    // As entries of five cells: <0 &two 0x50 1 0x100>, a wide range, and three cells too few.
    assert_eq!(translate(&machine, &[0]), word("iommu-map-wide-range"));
}

#[test]
fn more_cells_than_a_specifier_can_have_are_refused() {
    let machine = machine([iommu("big@0", 1, 17), host_bridge().cells("iommu-map", &[0; 32].map(|_| 1))]);
    assert_eq!(translate(&machine, &[1]), word("iommu-map-malformed"));
    assert!(machine.sentence("iommu-map-malformed").contains("#iommu-cells 17"));
}

#[test]
fn outputs_beyond_32_bits_wrap_and_it_is_said() {
    let machine = with_map(&[0, 1, 0xffff_fff8, 0x10]);
    assert_eq!(translate(&machine, &[7]), Ok(vec![0xffff_ffff]));
    assert_eq!(translate(&machine, &[8]), Ok(vec![0]));
    assert_eq!(machine.findings(), [("iommu-map-wraps", "/pcie@10000000:iommu-map[0]")]);
}

#[test]
fn a_length_that_reaches_beyond_all_ids_is_no_fault() {
    let machine = with_map(&[8, 1, 8, 0xffff_fff0]);
    assert_eq!(translate(&machine, &[0xffff]), Ok(vec![0xffff]));
    assert_eq!(translate(&machine, &[7]), word("NotInMap"));
    assert_eq!(machine.findings(), []);
}

/// A machine with two IOMMUs and a device that names them like this.
fn with_iommus(device: Node) -> Machine {
    machine([iommu("a@0", 1, 1), iommu("b@1", 2, 2), device])
}

fn device() -> Node {
    node("device").text("compatible", "some,device")
}

#[test]
fn a_platform_device_names_its_endpoints_and_duplicates_are_kept() {
    let machine = with_iommus(device().cells("iommus", &[1, 0x20000, 2, 5, 6, 1, 0x20000]));
    let answer = machine.map.translate(machine.at("/device"), &InputIds::Node).unwrap();
    let Translation::Endpoints(list) = answer else { panic!("{answer:?}") };
    let list: Vec<_> =
        list.iter().map(|it| (machine.map.name(it.iommu), it.endpoint.0, it.input, it.source)).collect();
    let expected = [("/a@0", 0x20000), ("/b@1", 5), ("/a@0", 0x20000)];
    assert_eq!(list, expected.map(|(path, endpoint)| (path.to_string(), endpoint, None, "iommus")));
}

#[test]
fn iommus_of_a_host_bridge_are_its_own_and_not_its_functions() {
    let machine = machine([iommu("iommu@0", 1, 1), host_bridge().cells("iommus", &[1, 9])]);
    assert_eq!(outcome(&machine, "/pcie@10000000", &InputIds::Node), Ok(vec![9]));
    assert_eq!(translate(&machine, &[8]), word("BusBypasses"));
}

#[test]
fn iommus_are_not_inherited() {
    let bus = node("bus").text("compatible", "simple-bus").cells("iommus", &[1, 9]).flag("ranges");
    let machine = with_iommus(bus.child(device()));
    assert_eq!(outcome(&machine, "/bus/device", &InputIds::Node), word("NotInMap"));
}

#[test]
fn iommus_that_lead_nowhere_are_errors_with_their_entry() {
    let machine = with_iommus(device().cells("iommus", &[0x99, 4, 1, 3]));
    assert_eq!(outcome(&machine, "/device", &InputIds::Node), word("iommus-dangling"));
    let sentence = machine.line("iommus-dangling");
    assert!(sentence.starts_with("/device:iommus[0]: ") && sentence.contains("0x99"), "{sentence}");
    assert_eq!(machine.severity("iommus-dangling"), Severity::Error);
}

#[test]
fn the_entries_before_one_that_cannot_be_read_count() {
    for (id, rest) in [
        ("iommus-dangling", &[0x99, 4, 1, 5][..]),
        ("iommus-dangling", &[0, 1, 5]),
        ("iommus-malformed", &[1]),
        ("target-not-iommu", &[9, 1]),
    ] {
        let list = [&[1, 3], rest].concat();
        let machine = machine([
            iommu("a@0", 1, 1),
            node("thing").cells("phandle", &[9]),
            device().cells("iommus", &list),
        ]);
        assert_eq!(outcome(&machine, "/device", &InputIds::Node), Ok(vec![3]), "{rest:?}");
        let sentence = machine.line(id);
        assert!(
            sentence.contains(":iommus[1]: ") && sentence.contains("only the entries before it are used"),
            "{sentence}"
        );
        assert_eq!(machine.severity(id), Severity::Warning);
    }
    let odd = machine([iommu("a@0", 1, 1), device().bytes("iommus", &[0, 0, 0, 1, 0, 0, 0, 3, 0])]);
    assert_eq!(outcome(&odd, "/device", &InputIds::Node), Ok(vec![3]));
    assert!(odd.sentence("iommus-malformed").contains("9 bytes"));
}

#[test]
fn iommus_that_end_inside_a_specifier_are_an_error() {
    let machine = with_iommus(device().cells("iommus", &[2, 4]));
    assert_eq!(outcome(&machine, "/device", &InputIds::Node), word("iommus-malformed"));
}

#[test]
fn iommus_that_lead_to_no_iommu_are_an_error() {
    let target = node("thing").cells("phandle", &[3]);
    let machine = machine([target, device().cells("iommus", &[3, 4])]);
    assert_eq!(outcome(&machine, "/device", &InputIds::Node), word("target-not-iommu"));
}

#[test]
fn a_disabled_iommu_in_the_list_ends_it_before_what_is_behind() {
    let off = iommu("off@2", 3, 1).text("status", "disabled");
    let machine = machine([iommu("a@0", 1, 1), off, device().cells("iommus", &[1, 1, 3, 1, 0x99, 1])]);
    assert_eq!(outcome(&machine, "/device", &InputIds::Node), word("disabled /off@2"));
}

#[test]
fn empty_iommus_are_like_none_and_said() {
    let machine = with_iommus(device().flag("iommus"));
    assert_eq!(outcome(&machine, "/device", &InputIds::Node), word("NotInMap"));
    assert!(machine.findings().contains(&("iommus-malformed", "/device:iommus")));
}

#[test]
fn an_unknown_node_has_a_name_and_no_iommu() {
    let machine = with_map(&[0, 1, 0, 8]);
    let unknown = probe::FwNode(u32::MAX);
    assert_eq!(machine.map.name(unknown), "unknown node 4294967295");
    assert_eq!(
        machine.map.translate(unknown, &InputIds::Node),
        Ok(Translation::Nowhere(Untranslated::NotInMap))
    );
    assert!(!machine.map.is_iommu(unknown) && machine.map.compatible(unknown).next().is_none());
}

/// The same machine as Linux 7.1 and older reads its maps.
fn with_four_cells(iommu_cells: u32, map: &[u32]) -> Machine {
    let nodes = [iommu("iommu@0", 1, iommu_cells), host_bridge().cells("iommu-map", map)];
    read_with(&blob_of(nodes), MapForm::FourCells)
}

#[test]
fn linux_before_7_2_reads_entries_of_four_cells_whatever_the_target_says() {
    for cells in [0, 1, 2] {
        let machine = with_four_cells(cells, &[0, 1, 0x8000, 8, 9, 1, 0x8009, 0xfff7]);
        assert_eq!(translate(&machine, &[0, 9]), Ok(vec![0x8000, 0x8009]), "#iommu-cells {cells}");
        assert_eq!(translate(&machine, &[8]), word("NotInMap"));
        assert_eq!(machine.findings(), []);
    }
}

#[test]
fn linux_before_7_2_reads_no_entry_of_a_map_that_is_not_a_whole_number_of_them() {
    let machine = with_four_cells(2, &[0, 1, 0, 0, 1, 0x10, 1, 0x10, 0, 1]);
    assert_eq!(translate(&machine, &[0]), word("iommu-map-malformed"));
    assert!(machine.sentence("iommu-map-malformed").contains("40 bytes"));
}

#[test]
fn for_linux_before_7_2_an_unknown_phandle_costs_the_ids_of_its_entry_alone() {
    let machine = with_four_cells(1, &[0, 1, 0, 8, 4, 7, 0, 0x10, 0x10, 1, 0x10, 8]);
    assert_eq!(translate(&machine, &[7]), Ok(vec![7]), "an entry before it decides");
    assert_eq!(translate(&machine, &[8]), word("iommu-map-dangling"));
    assert_eq!(translate(&machine, &[0x17]), Ok(vec![0x17]), "and so does one behind it");
}

#[test]
fn for_linux_before_7_2_a_base_outside_of_the_mask_ends_the_map() {
    let bridge = host_bridge().cells("iommu-map", &[0, 1, 0, 8, 0x100, 1, 0, 8, 0x10, 1, 0, 8]);
    let nodes = [iommu("iommu@0", 1, 1), bridge.cells("iommu-map-mask", &[0xff])];
    let machine = read_with(&blob_of(nodes), MapForm::FourCells);
    assert_eq!(translate(&machine, &[7]), Ok(vec![7]));
    assert_eq!(translate(&machine, &[0x10]), word("iommu-map-outside-mask"));
}
