//! VIOT: ranges, IOMMU nodes, and what may be wrong with them.

use acpi_tables::Aml;
use acpi_tables::viot::{MmioEndpoint, PciDevice, PciRange, VIOT, VirtIoMmioIommu, VirtIoPciIommu};
use addr::{DeviceFunction, RequesterId};
use firmware::FunctionBus;
use probe::{FirmwareMap, InputIds, Severity, Translation, Untranslated};

use crate::machine::{Machine, machine, table};

/// A VIOT with these nodes, which begin at 48.
pub(crate) fn viot(nodes: &[Vec<u8>]) -> Vec<u8> {
    let mut body = (nodes.len() as u16).to_le_bytes().to_vec();
    body.extend(48u16.to_le_bytes());
    body.extend([0; 8]);
    body.extend(nodes.concat());
    table(b"VIOT", &body)
}

/// A node of type 1: endpoint, segments, requester IDs, output node.
pub(crate) fn range(endpoint: u32, segments: (u16, u16), ids: (u16, u16), output: u16) -> Vec<u8> {
    let mut node = vec![1, 0, 24, 0];
    node.extend(endpoint.to_le_bytes());
    for field in [segments.0, segments.1, ids.0, ids.1, output, 0, 0, 0] {
        node.extend(field.to_le_bytes());
    }
    node
}

/// A node of type 2.
fn endpoint(endpoint: u32, base: u64, output: u16) -> Vec<u8> {
    let mut node = vec![2, 0, 24, 0];
    node.extend(endpoint.to_le_bytes());
    node.extend(base.to_le_bytes());
    node.extend(output.to_le_bytes());
    node.extend([0; 6]);
    node
}

/// A node of type 3.
pub(crate) fn iommu(segment: u16, bdf: u16) -> Vec<u8> {
    let mut node = vec![3, 0, 16, 0];
    node.extend(segment.to_le_bytes());
    node.extend(bdf.to_le_bytes());
    node.extend([0; 8]);
    node
}

/// A node of type 4.
fn mmio_iommu(base: u64) -> Vec<u8> {
    let mut node = vec![4, 0, 16, 0, 0, 0, 0, 0];
    node.extend(base.to_le_bytes());
    node
}

fn with(nodes: &[Vec<u8>]) -> Machine {
    machine(&[0], &[viot(nodes)])
}

fn nowhere<T>(why: Untranslated) -> Result<T, Translation> {
    Err(Translation::Nowhere(why))
}

fn found(iommu: &str, endpoint: u32) -> Result<Vec<(String, u32)>, Translation> {
    Ok(vec![(iommu.into(), endpoint)])
}

const FIRST: &str = "VIOT node at 0x30 (0000:00:01.0)";

#[test]
fn a_range_is_translated_from_its_first_to_its_last_id() {
    let machine = with(&[iommu(0, 8), range(0x500, (0, 0), (0x10, 0x1f), 48)]);
    assert_eq!(machine.finding_ids(), [] as [&str; 0]);
    assert_eq!(machine.function(0, &[0x10]), found(FIRST, 0x500));
    assert_eq!(machine.function(0, &[0x1f]), found(FIRST, 0x50f));
    assert_eq!(machine.function(0, &[0x0f]), nowhere(Untranslated::NotInMap));
    assert_eq!(machine.function(0, &[0x20]), nowhere(Untranslated::NotInMap));
}

#[test]
fn the_function_that_a_type_3_node_names_has_that_node() {
    let machine = with(&[iommu(0, 0x0210), range(0, (0, 0), (0, 0xffff), 48)]);
    let bridge = &machine.description.host_bridges[0];
    let [function] = bridge.functions[..] else { panic!("{:?}", bridge.functions) };
    assert_eq!((function.bus, function.place), (FunctionBus::Number(2), DeviceFunction::new(2, 0).unwrap()));
    assert!(function.enabled);
    assert_eq!(machine.map.name(function.node), "VIOT node at 0x30 (0000:02:02.0)");
    // The range covers the IOMMU itself; that the core must sort out by the node.
    let ids = InputIds::Requesters(vec![RequesterId(0x0210)]);
    let translation = machine.map.translate(bridge.node, &ids).unwrap();
    let Translation::Endpoints(list) = translation else { panic!() };
    assert_eq!(list[0].iommu, function.node);
    assert_eq!(list[0].source, "viot");
}

#[test]
fn an_output_node_may_stand_before_and_behind() {
    // 48: range to 88, 72: range to 104 ..., IOMMUs behind.
    let machine = with(&[
        range(0, (0, 0), (0, 0xf), 96),
        range(1, (0, 0), (0x10, 0x1f), 112),
        iommu(0, 8),
        iommu(0, 0x18),
        range(2, (0, 0), (0x20, 0x2f), 96),
    ]);
    assert_eq!(machine.finding_ids(), [] as [&str; 0]);
    assert_eq!(machine.function(0, &[0]), found("VIOT node at 0x60 (0000:00:01.0)", 0));
    assert_eq!(machine.function(0, &[0x10]), found("VIOT node at 0x70 (0000:00:03.0)", 1));
    assert_eq!(machine.function(0, &[0x20]), found("VIOT node at 0x60 (0000:00:01.0)", 2));
}

#[test]
fn the_later_range_wins_and_the_overlap_is_a_finding() {
    let machine =
        with(&[iommu(0, 8), range(0, (0, 0), (0, 0xff), 48), range(0x1000, (0, 0), (0x80, 0x17f), 48)]);
    assert_eq!(machine.finding_ids(), ["viot-range-overlap"]);
    assert_eq!(machine.function(0, &[0x7f]), found(FIRST, 0x7f));
    assert_eq!(machine.function(0, &[0x80]), found(FIRST, 0x1000));
    let machine =
        with(&[iommu(0, 8), range(0, (0, 0), (0x80, 0x8f), 48), range(0x1000, (0, 0), (0, 0xff), 48)]);
    assert_eq!(machine.finding_ids(), ["viot-range-unreached"]);
    assert_eq!(machine.function(0, &[0x80]), found(FIRST, 0x1080));
}

#[test]
fn a_segment_is_16_bits_further_on_however_short_the_range() {
    let table = viot(&[iommu(0, 8), range(0x300, (1, 2), (0x10, 0x1f), 48)]);
    let machine = machine(&[0, 1, 2], &[table]);
    assert_eq!(machine.function(1, &[0x11]), found(FIRST, 0x301));
    assert_eq!(machine.function(2, &[0x11]), found(FIRST, 0x1_0301));
    assert_eq!(machine.function(0, &[0x11]), nowhere(Untranslated::BusBypasses));
}

#[test]
fn endpoints_wrap_at_32_bits_with_a_finding() {
    let machine = with(&[iommu(0, 8), range(u32::MAX, (0, 0), (0, 1), 48)]);
    assert_eq!(machine.finding_ids(), ["viot-range-wraps"]);
    assert_eq!(machine.function(0, &[1]), found(FIRST, 0));
}

#[test]
fn an_empty_range_has_nobody() {
    let machine = with(&[iommu(0, 8), range(0, (0, 0), (5, 4), 48)]);
    assert_eq!(machine.finding_ids(), ["viot-range-empty"]);
    assert_eq!(machine.function(0, &[4]), nowhere(Untranslated::BusBypasses));
}

#[test]
fn aliases_outside_of_the_ranges_leave_the_others_translated() {
    let machine = with(&[iommu(0, 8), range(0, (0, 0), (0, 0xff), 48)]);
    assert_eq!(machine.function(0, &[0x100, 0x10]), found(FIRST, 0x10));
    assert_eq!(machine.function(0, &[0x10, 0x100]), found(FIRST, 0x10));
    assert_eq!(machine.function(0, &[0x108, 0x100]), nowhere(Untranslated::NotInMap));
    let at = machine.bridge(0);
    let ids = |list: &[u16]| InputIds::Requesters(list.iter().copied().map(RequesterId).collect());
    let finding = machine.map.remark(at, &ids(&[0x108, 0x10])).unwrap();
    assert_eq!((finding.id, finding.place.as_str()), ("alias-not-in-map", "0000:01:01.0"));
    assert!(finding.sentence.contains("0x108"), "{finding:?}");
    assert_eq!(machine.map.remark(at, &ids(&[0x10, 0x11])), None);
    assert_eq!(machine.map.remark(at, &ids(&[0x108])), None);
}

#[test]
fn without_a_range_for_any_of_its_buses_a_bus_bypasses() {
    let machine = with(&[iommu(0, 8)]);
    assert_eq!(machine.finding_ids(), ["iommu-unreferenced"]);
    assert_eq!(machine.function(0, &[0]), nowhere(Untranslated::BusBypasses));
    // The IOMMU has its node though nothing leads there.
    assert_eq!(machine.description.host_bridges[0].functions.len(), 1);
}

#[test]
fn without_a_viot_there_is_no_iommu() {
    let machine = machine(&[0], &[]);
    assert_eq!(machine.finding_ids(), [] as [&str; 0]);
    assert_eq!(machine.function(0, &[0]), nowhere(Untranslated::NoIommu));
}

#[test]
fn platform_devices_and_their_iommu_are_found_by_address() {
    let machine = with(&[
        mmio_iommu(0x0a00_0210),
        endpoint(0x77, 0x0a00_0000, 48),
        endpoint(0x78, 0x0a00_0404, 48),
        range(9, (0, 0), (0, 0), 48),
    ]);
    // The second endpoint is not where a device's registers begin.
    assert_eq!(machine.finding_ids(), ["viot-endpoint-unused"]);
    let iommu = machine.device("LNRO0005:01");
    let at = |name| machine.endpoints(machine.device(name), &InputIds::Node);
    assert_eq!(at("LNRO0005:00"), found("\\_SB.DEV1", 0x77));
    assert_eq!(at("LNRO0005:01"), nowhere(Untranslated::NotInMap));
    assert_eq!(at("LNRO0005:02"), nowhere(Untranslated::NotInMap));
    assert_eq!(machine.map.name(iommu), "\\_SB.DEV1");
    assert_eq!(machine.function(0, &[0]), found("\\_SB.DEV1", 9));
}

#[test]
fn of_two_endpoints_for_one_device_the_later_one_counts() {
    let machine = with(&[iommu(0, 8), endpoint(1, 0x0a00_0000, 48), endpoint(2, 0x0a00_0000, 48)]);
    assert_eq!(machine.finding_ids(), ["viot-range-unreached"]);
    let at = machine.device("LNRO0005:00");
    assert_eq!(machine.endpoints(at, &InputIds::Node), found(FIRST, 2));
}

#[test]
fn an_mmio_iommu_without_a_device_translates_nobody() {
    let machine = with(&[mmio_iommu(0x0b00_0000), range(0, (0, 0), (0, 0xff), 48)]);
    assert_eq!(machine.finding_ids(), ["viot-iommu-missing"]);
    assert_eq!(machine.function(0, &[0]), nowhere(Untranslated::NotInMap));
}

#[test]
fn an_output_node_that_is_none_costs_its_endpoints_alone() {
    for (output, what) in [
        (47, "before the first node"),
        (0, "before the first node"),
        (64, "not an IOMMU node"),
        (0xfff0, "outside the table"),
        (88 + 24 - 2, "outside the table"),
    ] {
        let machine =
            with(&[iommu(0, 8), range(0, (0, 0), (0, 0xf), output), range(0x10, (0, 0), (0x10, 0x1f), 48)]);
        assert_eq!(machine.finding_ids(), ["viot-output-invalid"], "{output:#x}");
        let finding = machine.finding("viot-output-invalid");
        assert!(finding.sentence.contains(what), "{finding:?}");
        assert_eq!(finding.place, "VIOT node at 0x40");
        assert_eq!(machine.function(0, &[0]), nowhere(Untranslated::NotInMap));
        assert_eq!(machine.function(0, &[0x10]), found(FIRST, 0x10));
    }
}

#[test]
fn an_iommu_behind_the_counted_nodes_is_used_with_a_finding() {
    let mut table = viot(&[range(0, (0, 0), (0, 0xf), 72), iommu(0, 8)]);
    table[36] = 1;
    crate::machine::seal(&mut table, 9);
    let machine = machine(&[0], &[table]);
    assert_eq!(machine.finding_ids(), ["viot-output-uncounted"]);
    assert_eq!(machine.function(0, &[3]), found("VIOT node at 0x48 (0000:00:01.0)", 3));
}

#[test]
fn an_unknown_type_is_passed_over() {
    let machine = with(&[vec![9, 0, 8, 0, 1, 2, 3, 4], iommu(0, 8), range(0, (0, 0), (0, 0xf), 56)]);
    assert_eq!(machine.finding_ids(), ["viot-node-unknown"]);
    assert!(machine.function(0, &[0]).is_ok());
}

#[test]
fn a_broken_node_ends_the_table_and_what_was_read_counts() {
    let short = |kind, length| vec![kind, 0, length, 0];
    for broken in [
        short(1, 3),
        short(1, 0),
        short(1, 23),
        short(2, 4),
        short(3, 15),
        short(9, 3),
        short(9, 0),
        short(9, 200),
    ] {
        let machine = with(&[
            iommu(0, 8),
            range(0, (0, 0), (0, 0xf), 48),
            broken.clone(),
            range(0, (0, 0), (0x20, 0x2f), 48),
        ]);
        assert_eq!(machine.finding_ids(), ["viot-node-broken"], "{broken:?}");
        let finding = machine.finding("viot-node-broken");
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(finding.place, "VIOT node at 0x58");
        assert!(finding.sentence.starts_with("node 2 of 4: "), "{finding:?}");
        assert!(machine.function(0, &[0]).is_ok());
        assert_eq!(machine.function(0, &[0x20]), nowhere(Untranslated::NotInMap));
    }
}

#[test]
fn a_node_count_beyond_the_table_is_a_finding() {
    let mut table = viot(&[iommu(0, 8), range(0, (0, 0), (0, 0xf), 48)]);
    table[36] = 3;
    crate::machine::seal(&mut table, 9);
    let machine = machine(&[0], &[table]);
    assert_eq!(machine.finding_ids(), ["viot-node-broken"]);
    assert!(machine.function(0, &[0]).is_ok());
}

#[test]
fn two_nodes_for_one_function_are_one_iommu() {
    let machine =
        with(&[iommu(0, 8), iommu(0, 8), range(0, (0, 0), (0, 0xf), 48), range(0, (0, 0), (0x20, 0x2f), 64)]);
    assert_eq!(machine.finding_ids(), ["viot-iommu-repeated"]);
    assert_eq!(machine.description.host_bridges[0].functions.len(), 1);
    assert_eq!(machine.function(0, &[0x20]), found(FIRST, 0));
}

#[test]
fn what_another_writer_of_the_table_means_is_what_is_read() {
    let mut table = VIOT::new(*b"TEST  ", *b"TESTTEST", 1);
    let first = table.add_virtio_pci_iommu(VirtIoPciIommu::new(PciDevice::new(0, 0, 1, 0)));
    let second = table.add_virtio_mmio_iommu(VirtIoMmioIommu::new(0x0a00_0200));
    table.add_pci_range(PciRange::new(PciDevice::new(0, 0, 0, 0), PciDevice::new(0, 0, 31, 7), &first));
    table.add_pci_range(PciRange::new(PciDevice::new(0, 1, 0, 0), PciDevice::new(0, 1, 31, 7), &second));
    table.add_mmio_endpoint(MmioEndpoint::new(0x1234, 0x0a00_0000, &second));
    let mut bytes = Vec::new();
    table.to_aml_bytes(&mut bytes);
    let machine = machine(&[0], &[bytes]);
    assert_eq!(machine.finding_ids(), [] as [&str; 0]);
    assert_eq!(machine.function(0, &[0x10]).unwrap()[0].0, FIRST);
    assert_eq!(machine.function(0, &[0x110]).unwrap()[0].0, "\\_SB.DEV1");
    let at = machine.device("LNRO0005:00");
    assert_eq!(machine.endpoints(at, &InputIds::Node), found("\\_SB.DEV1", 0x1234));
}

#[test]
fn an_iommu_may_be_an_endpoint_of_another_one() {
    let machine = with(&[
        iommu(0, 8),
        mmio_iommu(0x0a00_0200),
        range(0x2000, (0, 0), (0x2000, 0x3fff), 64),
        endpoint(0x2_0000, 0x0a00_0200, 48),
    ]);
    assert_eq!(machine.finding_ids(), [] as [&str; 0]);
    assert_eq!(machine.function(0, &[0x2100]), found("\\_SB.DEV1", 0x2100));
    let (at, plain) = (machine.device("LNRO0005:01"), machine.device("LNRO0005:00"));
    assert_eq!(machine.endpoints(at, &InputIds::Node), found(FIRST, 0x2_0000));
    assert!(machine.map.is_iommu(at), "the node of a device that a type 4 node names");
    assert!(machine.map.is_iommu(machine.description.host_bridges[0].functions[0].node));
    assert!(!machine.map.is_iommu(plain));
}
