//! Host bridges and platform devices: the namespace and the small tables together.

use addr::{PciSpace, PhysAddr, Range};
use firmware::FunctionBus;
use firmware::{Description, LinuxView, PlatformBus};
use probe::{InputIds, Untranslated};

use crate::machine::{Machine, Node, RSDP, device, dsdt, host_bridge, mcfg, memory, read, seal, table};
use crate::viot::{iommu, range, viot};

fn with(nodes: &[Node], ecams: &[(u64, u16, u8, u8)]) -> Machine {
    read(&memory(&[mcfg(ecams)], &dsdt(nodes)), RSDP)
}

const ECAM: u64 = 0x40_1000_0000;

#[test]
fn ecam_begins_at_the_first_bus_of_the_bridge() {
    let nodes = [host_bridge("PC20", 0, (0x20, 0x2f)), host_bridge("PCI0", 0, (0, 0x1f))];
    let machine = with(&nodes, &[(ECAM, 0, 0, 0xff)]);
    assert_eq!(machine.finding_ids(), [] as [&str; 0]);
    let bridges = &machine.description.host_bridges;
    assert_eq!(bridges[0].ecam, Range::from_size(PhysAddr(ECAM + (0x20 << 20)), 16 << 20).unwrap());
    assert_eq!(bridges[1].ecam, Range::from_size(PhysAddr(ECAM), 32 << 20).unwrap());
    assert_eq!((bridges[0].name.as_str(), bridges[1].name.as_str()), ("PNP0A08:00", "PNP0A08:01"));
}

#[test]
fn the_base_of_an_mcfg_entry_is_that_of_bus_0() {
    let machine =
        with(&[host_bridge("PC20", 3, (0x20, 0x2f))], &[(ECAM, 0, 0, 0xff), (2 * ECAM, 3, 0x20, 0x2f)]);
    assert_eq!(machine.description.host_bridges[0].ecam.start(), PhysAddr(2 * ECAM + (0x20 << 20)));
}

#[test]
fn bus_numbers_come_from_crs_then_from_bbn() {
    let bbn = Node { buses: None, bbn: Some(0x40), ..host_bridge("PCI0", 0, (0, 0)) };
    let machine = with(&[bbn], &[(ECAM, 0, 0, 0xff)]);
    let bridge = &machine.description.host_bridges[0];
    assert_eq!((bridge.first_bus, bridge.last_bus), (0x40, 0xff));
    let neither = Node { buses: None, ..host_bridge("PCI0", 0, (0, 0)) };
    let bridge = &with(&[neither], &[(ECAM, 0, 0, 0x0f)]).description.host_bridges[0];
    assert_eq!((bridge.first_bus, bridge.last_bus), (0, 0x0f));
}

#[test]
fn bridges_that_cannot_be_are_left_out_with_a_finding() {
    let ecam = (ECAM, 0, 0, 0x7f);
    for (node, entry, id, count) in [
        (host_bridge("PCI0", 1, (0, 255)), ecam, "host-bridge-without-ecam", 0),
        (host_bridge("PCI0", 0, (0x80, 255)), ecam, "host-bridge-without-ecam", 0),
        (host_bridge("PCI0", 0, (0, 255)), (0, 0, 0, 255), "host-bridge-without-ecam", 0),
        (host_bridge("PCI0", 0, (0, 255)), (u64::MAX, 0, 0, 255), "host-bridge-without-ecam", 0),
        (
            Node { buses: None, bbn: Some(0x100), ..host_bridge("PCI0", 0, (0, 0)) },
            ecam,
            "host-bridge-buses",
            0,
        ),
        (host_bridge("PCI0", 0, (0, 255)), ecam, "host-bridge-ecam-short", 1),
    ] {
        let machine = with(&[node], &[entry]);
        assert_eq!(machine.finding_ids(), [id]);
        assert_eq!(machine.description.host_bridges.len(), count);
    }
    let machine = with(&[host_bridge("PCI0", 0, (0, 9)), host_bridge("PCI1", 0, (9, 12))], &[ecam]);
    assert_eq!(machine.finding_ids(), ["host-bridge-clash"]);
    assert_eq!(machine.description.host_bridges.len(), 1);
}

/// What a DSDT compiled by hand has below `\\_SB`, with an MCFG of these entries.
fn with_terms(terms: &[u8], ecams: &[(u64, u16, u8, u8)]) -> Machine {
    let scope = acpi_tables::aml::Scope::raw("\\_SB_".into(), terms.to_vec());
    read(&memory(&[mcfg(ecams)], &table(b"DSDT", &scope)), RSDP)
}

/// A host bridge `BRDG` with these terms besides its IDs and `_CCA`.
fn bridge_with(terms: &[u8]) -> Vec<u8> {
    let ids = b"\x08_HID\x0dPNP0A08\0\x08_CID\x0dPNP0A03\0\x08_CCA\x01";
    let body = [b"BRDG", ids.as_slice(), terms].concat();
    let length = body.len() + 2;
    [&[0x5b, 0x82, 0x40 | (length & 0xf) as u8, (length >> 4) as u8], body.as_slice()].concat()
}

/// A `_CRS` with these ranges of bus numbers: minimum, maximum, length.
fn crs(ranges: &[(u16, u16, u16)]) -> Vec<u8> {
    let range = |(first, last, length): &(u16, u16, u16)| {
        let numbers = [0, *first, *last, 0, *length];
        [&[0x88, 13, 0, 2, 0xc, 0], numbers.map(u16::to_le_bytes).concat().as_slice()].concat()
    };
    let template = [ranges.iter().flat_map(range).collect(), vec![0x79, 0]].concat();
    let body = [&[0x0a, template.len() as u8], template.as_slice()].concat();
    let length = body.len() + 2;
    [b"\x08_CRS\x11", [0x40 | (length & 0xf) as u8, (length >> 4) as u8].as_slice(), &body].concat()
}

#[test]
fn the_last_range_of_bus_numbers_counts_and_its_length_does() {
    for (ranges, expected) in [
        (vec![(0x40, 0x4f, 0x10), (0, 0x1f, 0x20)], Some((0, 0x1f))),
        (vec![(0, 0x1f, 0x20), (0x40, 0x4f, 0x10)], Some((0x40, 0x4f))),
        (vec![(0, 0xff, 1)], Some((0, 0))),
        (vec![(0, 0, 0x100)], Some((0, 0xff))),
        (vec![(0x10, 0, 0x10)], Some((0x10, 0x1f))),
        (vec![(0, 0x1f, 0x20), (0x40, 0x4f, 0)], Some((0, 0x1f))),
        (vec![(0, 0xff, 0x101)], None),
    ] {
        let machine = with_terms(&bridge_with(&crs(&ranges)), &[(ECAM, 0, 0, 0xff)]);
        let bridges = &machine.description.host_bridges;
        let buses = bridges.first().map(|bridge| (bridge.first_bus, bridge.last_bus));
        assert_eq!(buses, expected, "{ranges:x?}");
    }
}

#[test]
fn cba_comes_before_the_mcfg_and_serves_without_it() {
    let cba = b"\x08_SEG\x01\x14\x0c_CBA\0\xa4\x0c\0\0\0\x50";
    for ecams in [vec![(ECAM, 1, 0, 0xff)], vec![]] {
        let machine = with_terms(&bridge_with(&[crs(&[(0, 0xf, 0x10)]), cba.to_vec()].concat()), &ecams);
        assert_eq!(machine.finding_ids(), [] as [&str; 0]);
        let bridge = &machine.description.host_bridges[0];
        assert_eq!(bridge.ecam, Range::from_size(PhysAddr(0x5000_0000), 16 << 20).unwrap());
        assert_eq!((bridge.segment, bridge.last_bus), (1, 15));
    }
}

#[test]
fn a_host_bridge_of_which_something_cannot_be_evaluated_is_left_out() {
    let uninitialized = (b"\xa4\x60".as_slice(), "or nothing was stored", ["_CBA"].as_slice());
    // Linux treats all of them but _CRS like objects that are not there.
    let undefined =
        (b"\xa4NONE".as_slice(), "NONE is not defined", ["_CBA", "_SEG", "_BBN", "_STA"].as_slice());
    for (body, sentence, missing) in [uninitialized, undefined] {
        for object in ["_SEG", "_BBN", "_CRS", "_STA", "_CBA"] {
            let length = [body.len() as u8 + 6];
            let method = [b"\x14".as_slice(), &length, object.as_bytes(), b"\0", body].concat();
            let needs_none = object == "_CRS" || object == "_BBN";
            let buses = if needs_none { Vec::new() } else { crs(&[(0, 0xff, 0x100)]) };
            let machine = with_terms(&bridge_with(&[buses, method].concat()), &[(ECAM, 0, 0, 0xff)]);
            let bridges = &machine.description.host_bridges;
            assert_eq!(
                bridges.len(),
                usize::from(missing.contains(&object)),
                "{object}: {:?}",
                machine.finding_ids()
            );
            let buses = bridges.first().map(|bridge| (bridge.segment, bridge.first_bus, bridge.last_bus));
            assert!(buses.is_none_or(|buses| buses == (0, 0, 0xff)), "{object}: {buses:?}");
            assert!(machine.finding("aml-value").sentence.contains(sentence), "{object}");
        }
    }
}

#[test]
fn of_several_entries_the_first_counts_that_has_all_buses() {
    let ecams = [(ECAM, 0, 0, 0xf), (2 * ECAM, 0, 0, 0xff), (3 * ECAM, 0, 0, 0xff)];
    let bridge = |ecams: &[_], buses| {
        let machine = with_terms(&bridge_with(&crs(&[buses])), ecams);
        let bridge = &machine.description.host_bridges[0];
        (bridge.ecam.start().0, bridge.last_bus, bridge.in_linux.clone())
    };
    assert_eq!(bridge(&ecams, (0, 0x1f, 0x20)), (2 * ECAM, 0x1f, LinuxView::Same));
    // With entries that have only some of them Linux has no host bridge.
    assert_eq!(bridge(&ecams[..1], (0, 0x1f, 0x20)), (ECAM, 0xf, LinuxView::Absent));
}

#[test]
fn a_pnp0a08_alone_is_no_host_bridge() {
    let terms = bridge_with(&crs(&[(0, 0xff, 0x100)]));
    let at = terms.windows(7).position(|window| window == b"PNP0A03").unwrap();
    let mut other = terms.clone();
    other[at + 6] = b'4';
    let machine = with_terms(&other, &[(ECAM, 0, 0, 0xff)]);
    assert!(machine.description.host_bridges.is_empty());
    assert_eq!(machine.finding_ids(), ["host-bridge-id"]);
}

#[test]
fn windows_are_translated_and_know_their_width() {
    let windows = vec![
        (0x1000_0000, 0x1fff_ffff, 0),
        (0x2000_0000, 0x2fff_ffff, 0x10_0000_0000),
        (0x80_0000_0000, 0x80_ffff_ffff, 0),
    ];
    let machine = with(&[Node { windows, ..host_bridge("PCI0", 0, (0, 255)) }], &[(ECAM, 0, 0, 255)]);
    let windows = &machine.description.host_bridges[0].windows;
    assert_eq!(windows[1].space, PciSpace::Memory32);
    assert_eq!(windows[1].bus_start, 0x2000_0000);
    assert_eq!(windows[1].cpu.start(), PhysAddr(0x10_2000_0000));
    assert_eq!(windows[2].space, PciSpace::Memory64);
}

#[test]
fn names_count_devices_of_an_id_even_those_that_are_absent() {
    let nodes = [
        device("DEV0", "LNRO0005", 0xa00_0000),
        Node { status: Some(0), ..device("DEV1", "LNRO0005", 0xa00_0200) },
        device("DEV2", "LNRO0005", 0xa00_0400),
        device("GPO0", "ARMH0061", 0x903_0000),
        Node { memory: Vec::new(), ..device("GPO1", "ARMH0061", 0) },
        device("C000", "ACPI0007", 0),
        device("LNK0", "PNP0C0F", 0),
    ];
    let machine = with(&nodes, &[]);
    let devices = &machine.description.platform_devices;
    let names: Vec<_> = devices.iter().map(|device| (device.name.as_str(), device.bus)).collect();
    assert_eq!(
        names,
        [
            ("LNRO0005:00", PlatformBus::Platform),
            ("LNRO0005:02", PlatformBus::Platform),
            ("ARMH0061:00", PlatformBus::Amba)
        ]
    );
    assert_eq!(machine.finding_ids(), ["primecell-without-registers"]);
}

#[test]
fn what_somebody_else_takes_is_no_platform_device() {
    let names = |nodes: &[Node]| -> Vec<String> {
        let machine = with(nodes, &[]);
        machine.description.platform_devices.iter().map(|device| device.name.clone()).collect()
    };
    let taken = ["ACPI0007", "ACPI0010", "ACPI0004", "PNP0A05", "PNP0C80", "ACPI0009", "ACPI000A", "PNP0100"];
    let pnp = ["PNP0501", "PNP0B00", "PNP0C02", "PNP030b", "PNP0f13", "PNP0C31"];
    for id in taken.into_iter().chain(pnp) {
        assert_eq!(names(&[device("DEV0", id, 0xa00_0000)]), [""; 0], "{id}");
    }
    // Only with resources.
    assert_eq!(names(&[device("DEV0", "SMB0001", 0xa00_0000)]), [""; 0]);
    let without = Node { memory: Vec::new(), ..device("DEV0", "SMB0001", 0) };
    assert_eq!(names(&[without]), ["SMB0001:00"]);
    // Buttons are drivers' of the ACPI bus, and platform devices all the same.
    assert_eq!(names(&[device("PWRB", "PNP0C0C", 0xa00_0000)]), ["PNP0C0C:00"]);
}

#[test]
fn without_cca_there_is_no_dma_and_no_iommu() {
    let bridge = Node { without_cca: true, ..host_bridge("PCI0", 0, (0, 255)) };
    let other = host_bridge("PCI1", 1, (0, 255));
    let tables = [
        mcfg(&[(ECAM, 0, 0, 255), (2 * ECAM, 1, 0, 255)]),
        viot(&[iommu(0, 8), range(0, (0, 1), (0, 0xffff), 48)]),
    ];
    let machine = read(&memory(&tables, &dsdt(&[bridge, other])), RSDP);
    assert_eq!(machine.finding_ids(), ["cca-missing"]);
    let nowhere = Err(probe::Translation::Nowhere(Untranslated::NotInMap));
    assert_eq!(machine.function(0, &[0x10]), nowhere);
    assert!(machine.function(1, &[0x10]).is_ok());
}

#[test]
fn an_iommu_on_no_bridge_is_a_finding() {
    let tables = [mcfg(&[(ECAM, 0, 0, 255)]), viot(&[iommu(5, 8), range(0, (0, 0), (0, 0xffff), 48)])];
    let machine = read(&memory(&tables, &dsdt(&[host_bridge("PCI0", 0, (0, 255))])), RSDP);
    assert_eq!(machine.finding_ids(), ["viot-iommu-missing"]);
    assert!(machine.function(0, &[0x10]).is_ok());
}

#[test]
fn an_iommu_on_a_bus_of_an_extra_bridge_is_that_bridges_function() {
    let nodes = [host_bridge("PC20", 0, (0x20, 0x2f)), host_bridge("PCI0", 0, (0, 0x1f))];
    let tables = [mcfg(&[(ECAM, 0, 0, 255)]), viot(&[iommu(0, 0x2108), range(0, (0, 0), (0, 0xffff), 48)])];
    let machine = read(&memory(&tables, &dsdt(&nodes)), RSDP);
    let bridges = &machine.description.host_bridges;
    assert_eq!((bridges[0].functions.len(), bridges[1].functions.len()), (1, 0));
    assert_eq!(bridges[0].functions[0].bus, FunctionBus::Number(0x21));
}

#[test]
fn cpus_are_the_enabled_ones_of_the_madt() {
    let gicc = |flags: u8, mpidr: u64| {
        let mut entry = vec![0x0b, 80];
        entry.resize(80, 0);
        entry[12] = flags;
        entry[68..76].copy_from_slice(&mpidr.to_le_bytes());
        entry
    };
    let entries =
        [vec![0; 8], gicc(1, 0x100), gicc(0, 2), vec![0x0c, 24, 0, 0], vec![0; 20], gicc(1, 0x3_0000_0001)]
            .concat();
    let cpus = |entries: &[u8]| {
        let machine = read(&memory(&[table(b"APIC", entries), mcfg(&[])], &dsdt(&[])), RSDP);
        let Description { cpus, affinities, .. } = &machine.description;
        (*cpus, affinities.iter().map(|cpu| cpu.bits()).collect::<Vec<_>>(), machine.finding_ids())
    };
    assert_eq!(cpus(&entries), (2, vec![0x100, 0x3_0000_0001], vec![]));
    assert_eq!(cpus(&entries[..entries.len() - 1]), (1, vec![0x100], vec!["madt-entry-broken"]));
    assert_eq!(cpus(&[&[0; 8][..], &[0; 4]].concat()), (1, vec![], vec!["madt-entry-broken"]));
    // As ACPI 5.0 has it: without an MPIDR.
    let short = [&[0; 8][..], &[0x0b, 40, 0, 0], &[0; 8], &[1], &[0; 27]].concat();
    assert_eq!(cpus(&short), (1, vec![], vec![]));
}

#[test]
fn a_console_that_cannot_be_used_is_a_finding() {
    let console = |kind: u8, space: u8, base: u64| {
        let mut body = vec![kind, 0, 0, 0, space, 32, 0, 3];
        body.extend(base.to_le_bytes());
        body.resize(44, 0);
        let machine = read(&memory(&[table(b"SPCR", &body), mcfg(&[])], &dsdt(&[])), RSDP);
        (machine.description.console.is_some(), machine.finding_ids())
    };
    assert_eq!(console(3, 0, 0x900_0000), (true, vec![]));
    for (kind, space, base) in [(0, 0, 0x900_0000), (3, 1, 0x3f8), (3, 0, 0), (3, 0, u64::MAX)] {
        assert_eq!(console(kind, space, base), (false, vec!["console-unknown"]));
    }
}

#[test]
fn tables_that_are_missing_are_findings() {
    let mut memory = memory(&[], &dsdt(&[host_bridge("PCI0", 0, (0, 255))]));
    let without_mcfg = read(&memory, RSDP);
    assert_eq!(without_mcfg.finding_ids(), ["acpi-table-missing", "host-bridge-without-ecam"]);
    let fadt = memory.0.iter_mut().find(|(start, _)| *start == 0x10_0000).unwrap();
    fadt.1[0] = b'X';
    seal(&mut fadt.1, 9);
    let machine = read(&memory, RSDP);
    assert_eq!(machine.finding_ids(), ["acpi-table-missing"]);
    let ids = InputIds::Requesters(vec![addr::RequesterId(0)]);
    let answer = probe::FirmwareMap::translate(&machine.map, probe::FwNode(77), &ids).unwrap();
    assert_eq!(answer, probe::Translation::Nowhere(Untranslated::NoIommu));
}
