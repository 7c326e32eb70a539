//! Values of a device's objects.

use crate::aml;
use crate::forge::*;
use firmware::acpi::aml::{Uid, read};

#[test]
fn numbers_of_each_size_are_read() {
    let cases: [(&[u8], u64); 7] = [
        (&[0x00], 0),
        (&[0x01], 1),
        (&[0xff], u64::MAX),
        (&[0x0a, 0xfe], 0xfe),
        (&[0x0b, 0x34, 0x12], 0x1234),
        (&[0x0c, 0x78, 0x56, 0x34, 0x12], 0x1234_5678),
        (&[0x0e, 8, 7, 6, 5, 4, 3, 2, 1], 0x0102_0304_0506_0708),
    ];
    for (data, number) in cases {
        let (device, found) = only_device(name("_ADR", data));
        assert_eq!((device.adr, found.len()), (Some(number), 0), "{data:x?}");
    }
}

#[test]
fn numbers_have_32_bits_where_the_dsdt_is_of_revision_1() {
    let terms = device("DEV0", aml!(name("_ADR", [0xff]), name("_BBN", [0x0e, 1, 0, 0, 0, 1, 0, 0, 0])));
    let (old, new) = (table("DSDT", 1, &terms), table("DSDT", 2, &terms));
    let old = read(&[&old]);
    assert_eq!((old.devices()[0].adr, old.devices()[0].bbn), (Some(0xffff_ffff), Some(1)));
    assert_eq!(read(&[&new]).devices()[0].adr, Some(u64::MAX));
    let empty = dsdt([]);
    let ssdt = table("SSDT", 1, &terms);
    assert_eq!(read(&[&empty, &ssdt]).devices()[0].adr, Some(u64::MAX));
}

#[test]
fn every_object_goes_to_its_field() {
    let (device, found) = only_device(aml!(
        name("_HID", dword(0x080a_d041)),
        name("_CID", package(3, aml!(dword(0x030a_d041), text("LNRO0005"), "CIDN"))),
        name("CIDN", text("ABCD1234")),
        name("_UID", text("seven")),
        name("_ADR", [0x0a, 2]),
        name("_BBN", [0x0a, 3]),
        name("_SEG", [0x0a, 4]),
        name("_CCA", [0x0a, 5]),
        name("_STA", [0x0a, 6]),
    ));
    assert_eq!(device.ids().collect::<Vec<_>>(), ["PNP0A08", "PNP0A03", "LNRO0005", "ABCD1234"]);
    assert!(device.has_id("PNP0A03") && !device.has_id("PNP0A0"));
    assert_eq!(device.uid, Some(Uid::Text(String::from("seven"))));
    let numbers = [device.adr, device.bbn, device.seg, device.cca, device.sta];
    assert_eq!(numbers, [Some(2), Some(3), Some(4), Some(5), Some(6)]);
    assert!(!device.is_reached);
    assert_eq!((device.name.as_str(), device.table.as_str(), device.offset), ("DEV0", "DSDT", 36));
    assert_eq!(lines(&found), [""; 0]);
    assert!(only_device([]).0.is_reached);
}

#[test]
fn a_name_may_lead_to_the_value() {
    let (device, found) =
        only_device(aml!(name("_BBN", "NUMB"), name("NUMB", [0x0a, 9]), aml!([0x06], "NUMB", "_SEG")));
    assert_eq!((device.bbn, device.seg), (Some(9), Some(9)));
    assert_eq!(lines(&found), [""; 0]);
}

#[test]
fn names_that_lead_in_a_circle_or_nowhere_are_no_value() {
    let cases = [
        (aml!(name("_BBN", "ROUN"), name("ROUN", "_BBN")), "nested deeper than 64"),
        (name("_BBN", "NONE"), "NONE is not defined"),
        (name("_BBN", "DEV0"), "found a reference, expected data"),
        (name("_BBN", aml!([0x13], pkg([0x01]))), "a package, expected an integer"),
        (name("_BBN", text("three")), "a string, expected an integer"),
    ];
    for (terms, sentence) in cases {
        let (device, found) = only_device(terms);
        assert_eq!((device.bbn, device.unread), (None, vec!["_BBN"]));
        let found = lines(&found);
        assert!(
            found.len() == 1 && found[0].starts_with("aml-value \\DEV0._BBN (DSDT, byte 0x"),
            "{found:?}"
        );
        assert!(found[0].contains(sentence), "{found:?}");
    }
}

#[test]
fn what_is_no_id_is_left_out_and_named() {
    for id in [
        text(""),
        text("A B"),
        vec![0x00],
        vec![0x0e, 0x41, 0xd0, 0x0a, 8, 1, 0, 0, 0],
        buffer([1]),
        package(0, []),
    ] {
        let (device, found) = only_device(name("_HID", &id));
        assert_eq!((device.hid, device.unread), (None, vec!["_HID"]));
        assert!(lines(&found)[0].contains("DEV0._HID (DSDT, byte 0x"), "{id:x?}");
    }
    let (device, found) =
        only_device(name("_CID", package(4, aml!(text("AAA0001"), [0x00], "GONE", text("BBB0002")))));
    assert_eq!(device.cids, ["AAA0001", "BBB0002"]);
    assert_eq!((device.unread, found.len()), (vec!["_CID"], 2));
    let (device, found) = only_device(name("_CID", package(200, text("AAA0001").repeat(60))));
    assert_eq!((device.cids.len(), found.len()), (32, 1));
    let (device, found) =
        only_device(name("_CID", package(5, aml!(text("AAA0001"), [0x77], text("BBB0002")))));
    assert_eq!((device.cids.len(), found.len()), (0, 1));
}

#[test]
fn one_long_text_that_many_use_is_bounded() {
    let long = text(&"x".repeat(100_000));
    let users: Vec<u8> = (0..1_000)
        .flat_map(|index| {
            device(
                &format!("D{index:03}"),
                aml!(name("_UID", "LONG"), method("_HID", 0, aml!([0xa4], "METH"))),
            )
        })
        .collect();
    let returns = method("METH", 0, aml!(name("UNUS", &long), [0xa4, 0x01]));
    let namespace = namespace(aml!(name("LONG", &long), returns, users));
    let read: usize = namespace.devices().iter().filter(|device| device.uid.is_some()).count();
    assert!((1..=10).contains(&read), "{read}");
    assert!(namespace.findings().iter().any(|finding| finding.sentence.contains("exceed 0x100000 bytes")));
}
