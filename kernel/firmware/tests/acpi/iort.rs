//! IORT: nodes, ID mappings and the ways through them.

use probe::{FirmwareMap, InputIds, Translation, Untranslated};

use crate::machine::{Machine, machine, table};
use crate::viot::{iommu, range, viot};

/// One ID mapping: first input, number of IDs minus one, first output, output node, flags.
type Mapping = (u32, u32, u32, u32, u32);

/// A node: type, revision, what is between its header and its mappings, and those.
fn node(kind: u8, revision: u8, body: &[u8], mappings: &[Mapping]) -> Vec<u8> {
    let length = 16 + body.len() + 20 * mappings.len();
    let mut node = vec![kind];
    node.extend((length as u16).to_le_bytes());
    node.extend([revision, 0, 0, 0, 0]);
    node.extend((mappings.len() as u32).to_le_bytes());
    node.extend((16 + body.len() as u32).to_le_bytes());
    node.extend(body);
    for (input, count, output, reference, flags) in mappings {
        for field in [input, count, output, reference, flags] {
            node.extend(field.to_le_bytes());
        }
    }
    node
}

fn its() -> Vec<u8> {
    node(0, 1, &[1, 0, 0, 0, 0, 0, 0, 0], &[])
}

fn root(segment: u32, mappings: &[Mapping]) -> Vec<u8> {
    let mut body = vec![0; 12];
    body.extend(segment.to_le_bytes());
    body.extend([64, 0, 0, 0]);
    node(2, 3, &body, mappings)
}

fn smmu_v3(revision: u8, mappings: &[Mapping]) -> Vec<u8> {
    let mut body = 0x905_0000u64.to_le_bytes().to_vec();
    body.resize(52, 0);
    node(4, revision, &body, mappings)
}

fn smmu(base: u64) -> Vec<u8> {
    let mut body = base.to_le_bytes().to_vec();
    body.resize(60, 0);
    node(3, 1, &body, &[])
}

fn named(path: &str, mappings: &[Mapping]) -> Vec<u8> {
    let mut body = vec![0; 13];
    body.extend(path.as_bytes());
    body.push(0);
    body.resize(body.len().next_multiple_of(4), 0);
    node(1, 2, &body, mappings)
}

fn iort(nodes: &[Vec<u8>]) -> Vec<u8> {
    let mut body = (nodes.len() as u32).to_le_bytes().to_vec();
    body.extend([48, 0, 0, 0, 0, 0, 0, 0]);
    body.extend(nodes.concat());
    table(b"IORT", &body)
}

fn with(nodes: &[Vec<u8>]) -> Machine {
    machine(&[0], &[iort(nodes)])
}

fn found(iommu: &str, endpoint: u32) -> Result<Vec<(String, u32)>, Translation> {
    Ok(vec![(iommu.into(), endpoint)])
}

fn nowhere<T>(why: Untranslated) -> Result<T, Translation> {
    Err(Translation::Nowhere(why))
}

/// Offset of the second node behind an ITS group.
const SECOND: u32 = 48 + 24;
const SMMU: &str = "SMMUv3 at 0x9050000 (IORT node at 0x48)";

#[test]
fn a_root_complex_leads_to_its_smmu() {
    let machine = with(&[its(), smmu_v3(4, &[]), root(0, &[(0, 0xffff, 0x1_0000, SECOND, 0)])]);
    assert_eq!(machine.finding_ids(), [] as [&str; 0]);
    assert_eq!(machine.function(0, &[0x10]), found(SMMU, 0x1_0010));
    assert_eq!(machine.function(0, &[0xffff]), found(SMMU, 0x1_ffff));
    let at = machine.bridge(0);
    let ids = InputIds::Requesters(vec![addr::RequesterId(1)]);
    let Ok(Translation::Endpoints(list)) = machine.map.translate(at, &ids) else { panic!() };
    assert_eq!((list[0].source, list[0].input), ("iort", Some(addr::RequesterId(1))));
}

#[test]
fn an_id_in_no_mapping_is_not_in_the_map_and_a_bus_without_any_bypasses() {
    let machine = with(&[its(), smmu_v3(4, &[]), root(0, &[(0x100, 0xff, 0, SECOND, 0)])]);
    assert_eq!(machine.function(0, &[0x10]), nowhere(Untranslated::NotInMap));
    let machine = crate::machine::machine(
        &[0, 1],
        &[iort(&[its(), smmu_v3(4, &[]), root(0, &[(0, 9, 0, SECOND, 0)])])],
    );
    assert_eq!(machine.function(1, &[0]), nowhere(Untranslated::BusBypasses));
}

#[test]
fn a_range_that_is_one_too_long_yields_to_the_one_behind() {
    // As QEMU 7.2 writes it: 0x100 is the last of the first range and the first of the second.
    let machine =
        with(&[its(), smmu_v3(4, &[]), root(0, &[(0, 0x100, 0, SECOND, 0), (0x100, 0xfeff, 0x100, 48, 0)])]);
    assert_eq!(machine.function(0, &[0xff]), found(SMMU, 0xff));
    assert_eq!(machine.function(0, &[0x100]), nowhere(Untranslated::NotInMap));
    // Without one behind it the last ID counts.
    let machine = with(&[its(), smmu_v3(4, &[]), root(0, &[(0, 0x100, 0, SECOND, 0)])]);
    assert_eq!(machine.function(0, &[0x100]), found(SMMU, 0x100));
    // One that does not begin there supersedes nothing.
    let machine =
        with(&[its(), smmu_v3(4, &[]), root(0, &[(0, 0x100, 0, SECOND, 0), (0xf0, 0xff, 0x900, SECOND, 0)])]);
    assert_eq!(machine.function(0, &[0x100]), found(SMMU, 0x100));
}

#[test]
fn a_single_mapping_ignores_the_input_id() {
    let machine = with(&[its(), smmu_v3(4, &[]), root(0, &[(0, 0, 0x42, SECOND, 1)])]);
    assert_eq!(machine.function(0, &[0x1234]), found(SMMU, 0x42));
}

#[test]
fn a_way_to_interrupts_alone_leaves_the_viot_its_turn() {
    let tables = [
        iort(&[its(), root(0, &[(0, 0xffff, 0, 48, 0)])]),
        viot(&[iommu(0, 8), range(0, (0, 0), (0, 0xff), 48)]),
    ];
    let machine = machine(&[0], &tables);
    assert_eq!(machine.finding_ids(), [] as [&str; 0]);
    assert_eq!(machine.function(0, &[0x10]), found("VIOT node at 0x30 (0000:00:01.0)", 0x10));
}

#[test]
fn a_way_to_an_smmu_goes_before_the_viot() {
    let tables = [
        iort(&[its(), smmu_v3(4, &[]), root(0, &[(0, 0x1f, 0, SECOND, 0)])]),
        viot(&[iommu(0, 8), range(0, (0, 0), (0, 0xff), 48)]),
    ];
    let machine = machine(&[0], &tables);
    assert_eq!(machine.function(0, &[0x10]), found(SMMU, 0x10));
    assert_eq!(machine.function(0, &[0x20]), found("VIOT node at 0x30 (0000:00:01.0)", 0x20));
}

#[test]
fn a_named_component_is_found_by_its_padded_path() {
    let machine = with(&[
        its(),
        smmu_v3(4, &[]),
        named("\\_SB_.DEV1", &[(0, 0, 7, SECOND, 1), (0, 0, 8, SECOND, 1)]),
        root(0, &[(0, 9, 0, SECOND, 0)]),
    ]);
    let at = |name| machine.endpoints(machine.device(name), &InputIds::Node);
    assert_eq!(at("LNRO0005:01"), Ok(vec![(SMMU.into(), 7), (SMMU.into(), 8)]));
    assert_eq!(at("LNRO0005:00"), nowhere(Untranslated::NotInMap));
}

#[test]
fn an_older_smmu_is_an_iommu_too() {
    let machine = with(&[its(), smmu(0x2b40_0000), root(0, &[(0, 0xff, 0, SECOND, 0)])]);
    assert_eq!(machine.function(0, &[1]), found("SMMU at 0x2b400000 (IORT node at 0x48)", 1));
}

#[test]
fn an_unused_smmu_is_a_finding() {
    let machine = with(&[its(), smmu_v3(4, &[]), root(0, &[(0, 0xffff, 0, 48, 0)])]);
    assert_eq!(machine.finding_ids(), ["iommu-unreferenced"]);
    assert_eq!(machine.function(0, &[1]), nowhere(Untranslated::BusBypasses));
}

fn error(machine: &Machine) -> probe::Finding {
    let ids = InputIds::Requesters(vec![addr::RequesterId(1)]);
    machine.map.translate(machine.bridge(0), &ids).unwrap_err().finding
}

#[test]
fn circles_and_ways_that_never_end_are_errors() {
    // A root complex that leads to itself, and two that lead to each other.
    let itself = with(&[its(), root(0, &[(0, 0xffff, 0, SECOND, 0)]), smmu_v3(4, &[])]);
    assert_eq!(error(&itself).id, "iort-way-broken");
    let length = root(0, &[(0, 0, 0, 0, 0)]).len() as u32;
    let each_other = with(&[
        root(0, &[(0, 0xffff, 0, 48 + length, 0)]),
        root(1, &[(0, 0xffff, 0, 48, 0)]),
        smmu_v3(4, &[]),
    ]);
    assert!(error(&each_other).sentence.contains("loop"));
}

#[test]
fn a_mapping_to_no_node_is_an_error_for_its_devices_and_a_finding() {
    for reference in [0, 47, 49, 0xffff_fff0] {
        let machine =
            with(&[its(), smmu_v3(4, &[]), root(0, &[(0, 9, 0, reference, 0), (0x10, 9, 0, SECOND, 0)])]);
        assert_eq!(machine.finding_ids(), ["iort-output-invalid"]);
        assert_eq!(error(&machine).id, "iort-way-broken");
        assert_eq!(machine.function(0, &[0x10]), found(SMMU, 0));
    }
}

#[test]
fn a_broken_node_ends_the_table_and_what_was_read_counts() {
    let sound = [its(), smmu_v3(4, &[]), root(0, &[(0, 0xff, 0, SECOND, 0)])];
    let mut overfull = root(1, &[(0, 0xff, 0, SECOND, 0)]);
    overfull[8] = 2;
    for broken in [vec![0, 15, 0, 0], vec![2, 16, 0, 0], vec![0; 16], vec![1, 0xff, 0xff, 0], overfull] {
        let mut padded = broken.clone();
        padded.resize(padded.len().max(16), 0);
        let machine = with(&[&sound[..], &[padded, its()]].concat());
        assert_eq!(machine.finding_ids(), ["iort-node-broken"], "{broken:?}");
        assert_eq!(machine.function(0, &[1]), found(SMMU, 1));
    }
}

#[test]
fn findings_about_what_makes_no_sense() {
    let machine = with(&[
        its(),
        smmu_v3(4, &[]),
        root(0, &[(0, 0xff, 0, SECOND, 0)]),
        root(0, &[(0xffff_fff0, 0xff, 0, SECOND, 0)]),
        node(77, 0, &[], &[]),
        smmu_v3(0, &[(0, 0, 0, 48, 1)]),
    ]);
    let mut ids = machine.finding_ids();
    ids.sort_unstable();
    let expected = [
        "iommu-unreferenced",
        "iort-mapping-wraps",
        "iort-node-unknown",
        "iort-segment-repeated",
        "iort-single-mapping",
    ];
    assert_eq!(ids, expected);
}

#[test]
fn nodes_that_are_not_used_are_named() {
    let machine = with(&[
        its(),
        smmu_v3(4, &[]),
        root(0, &[(0, 0xff, 0, SECOND, 0)]),
        node(5, 2, &[0; 24], &[]),
        node(6, 3, &[0; 12], &[(0, 0, 0x10, SECOND, 1)]),
        node(7, 0, &[0; 8], &[]),
    ]);
    assert_eq!(machine.function(0, &[1]), found(SMMU, 1));
    let unused = machine.description.findings.iter().filter(|finding| finding.id == "iort-node-unused");
    let unused: Vec<_> = unused
        .map(|finding| (finding.severity, format!("{}: {}", finding.place, finding.sentence)))
        .collect();
    assert_eq!(unused.len(), 3, "{:?}", machine.finding_ids());
    for ((severity, sentence), name) in unused.iter().zip(["PMCG", "RMR", "IWB"]) {
        assert_eq!(*severity, probe::Severity::Info);
        assert!(sentence.contains(name) && sentence.contains("node at 0x"), "{sentence}");
    }
}
