//! Damaged tables: a value, never a panic, never long.

use std::hint::black_box;

use firmware::acpi::aml::{Namespace, Resource, read};
use proptest::prelude::*;

use crate::fixtures::{DSDTS, HOTPLUG, NVDIMM_SSDT, PXB};
use crate::forge::{dsdt, paths, table};

/// What must hold of every namespace.
fn sound(namespace: &Namespace) {
    for (index, device) in namespace.devices().iter().enumerate() {
        assert!(device.parent.is_none_or(|parent| parent < index));
        assert!(device.path.starts_with('\\') && device.path.ends_with(&device.name));
        for resource in &device.crs {
            if let Resource::Space(space) = resource {
                assert!(space.cpu_range().is_some());
            }
        }
    }
    for finding in namespace.findings() {
        assert!(finding.id.starts_with("aml-") || finding.id == "findings-left-out");
        assert!(finding.place.contains(", byte 0x") || finding.id == "findings-left-out");
    }
    black_box(namespace);
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    let mut table = bytes.to_vec();
    if table.len() >= 8 {
        table[4..8].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    }
    table
}

#[test]
fn a_prefix_of_a_table_is_refused() {
    for length in 0..PXB.aml.len() {
        let namespace = read(&[&PXB.aml[..length]]);
        assert!(namespace.devices().is_empty() && namespace.findings().len() == 1, "{length:#x}");
        assert_eq!(namespace.findings()[0].id, "aml-table");
    }
}

#[test]
fn a_prefix_that_says_its_own_length_keeps_what_is_whole() {
    for fixture in [&PXB, &HOTPLUG] {
        for length in 36..fixture.aml.len() {
            let namespace = read(&[&with_length(&fixture.aml[..length])]);
            sound(&namespace);
            // The scope that encloses all is cut, so it is not read; that is said.
            assert!(length == 36 || !namespace.findings().is_empty(), "{length:#x}");
        }
    }
}

#[test]
fn what_is_cut_off_inside_a_scope_is_a_finding() {
    // The terms of `\_SB`, without the scope around them: here a cut leaves what comes before.
    let all = &PXB.aml[36..];
    let lead = 1
        + 1
        + usize::from(all[1] >> 6)
        + all[2 + usize::from(all[1] >> 6)..].iter().take_while(|&&byte| byte != b'_').count()
        + 4;
    let terms = &all[lead..];
    let whole = read(&[&dsdt(terms)]);
    assert!(whole.devices().len() > 35, "{:?}", paths(&whole));
    for length in (0..terms.len()).step_by(3) {
        let namespace = read(&[&dsdt(&terms[..length])]);
        sound(&namespace);
        let (ours, all) = (paths(&namespace), paths(&whole));
        assert!(all.starts_with(&ours), "{length:#x}");
    }
}

/// Every place of a real table but those that only repeat others: of 32 virtio-mmio devices the first two
/// and the last stand for all, of the 128 entries of a routing table the first two.
fn places(aml: &[u8]) -> Vec<usize> {
    let find = |needle: &[u8], from: usize| {
        aml[from..].windows(needle.len()).position(|window| window == needle).map(|at| from + at)
    };
    let mut alike = Vec::new();
    alike.push(find(b"VR02", 0).unwrap()..find(b"VR31", 0).unwrap());
    let mut from = 0;
    while let Some(start) = find(b"_PRT", from) {
        from = find(b"GSI0\x08", start).unwrap();
        alike.push(start + 40..from - 20);
    }
    (0..aml.len()).filter(|at| !alike.iter().any(|range| range.contains(at))).collect()
}

/// Every `step`th place, changed by each of the masks.
fn change_every_byte(aml: &[u8], step: usize, masks: &[u8]) {
    let places = places(aml);
    assert!(places.len() > 1_000, "{}", places.len());
    let mut table = aml.to_vec();
    for at in places.into_iter().step_by(step) {
        for mask in masks {
            table[at] = aml[at] ^ mask;
            sound(&read(&[&table]));
        }
        table[at] = aml[at];
    }
}

#[test]
fn every_changed_byte_of_a_real_table_gives_a_value() {
    change_every_byte(PXB.aml, 1, &[0xff]);
    change_every_byte(HOTPLUG.aml, 1, &[0xff]);
}

#[test]
fn changed_bits_of_the_other_real_tables_give_a_value() {
    for fixture in DSDTS.into_iter().filter(|fixture| !["pxb", "hotplug"].contains(&fixture.name)) {
        change_every_byte(fixture.aml, 5, &[0x01, 0x40]);
    }
}

#[test]
fn every_changed_byte_of_a_second_table_leaves_the_first() {
    let mut ssdt = NVDIMM_SSDT.aml.to_vec();
    let alone = read(&[HOTPLUG.aml]);
    for at in 0..ssdt.len() {
        let before = ssdt[at];
        ssdt[at] = !before;
        let namespace = read(&[HOTPLUG.aml, &ssdt]);
        sound(&namespace);
        assert!(paths(&alone).iter().all(|path| namespace.device(path).is_some()), "{at:#x}");
        ssdt[at] = before;
    }
}

/// Bytes that are more often AML than random ones are.
fn terms() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        4 => any::<u8>().prop_map(|byte| vec![byte]),
        2 => prop::sample::select(vec!["DEV0", "DEV1", "_SB_", "_CRS", "_HID", "_CID", "_STA", "^", "\\"]).prop_map(|name| name.into()),
        4 => prop::sample::select(vec![
            &[0x08_u8][..], &[0x10], &[0x14], &[0x11], &[0x12], &[0x5b, 0x82], &[0x5b, 0x80], &[0x5b, 0x81], &[0x06], &[0xa0],
            &[0xa1], &[0xa4], &[0x2e], &[0x2f], &[0x79, 0], &[0x86, 9, 0], &[0x70], &[0x0a], &[0x0c], &[0x20], &[0x3f],
        ]).prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec(word, 0..120).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_terms_give_a_value(terms in terms(), more in terms()) {
        sound(&read(&[&dsdt(&terms), &table("SSDT", 1, &more)]));
    }

    #[test]
    fn random_bytes_give_a_value(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        sound(&read(&[&bytes]));
        sound(&read(&[&dsdt(&bytes)]));
        let crs = crate::forge::device("DEV0", crate::forge::name("_CRS", crate::forge::buffer(&bytes)));
        sound(&read(&[&dsdt(crs)]));
    }
}
