//! Methods that only return something count as its value.

use firmware::acpi::aml::Uid;

use crate::aml;
use crate::forge::*;

const END: [u8; 2] = [0x79, 0];

#[test]
fn a_method_that_returns_a_constant_is_one() {
    let memory = aml!([0x86, 9, 0, 1, 0, 0, 0, 0x0a, 0, 2, 0, 0], END);
    let (device, found) = only_device(aml!(
        method("_STA", 0, [0xa4, 0x0a, 0xb]),
        method("_HID", 0, aml!([0xa4], dword(0x080a_d041))),
        method("_CID", 0, aml!([0xa4], package(1, text("PNP0A03")))),
        method("_UID", 0, aml!([0xa4], text("x"))),
        method("_BBN", 8, aml!([0xa3, 0xa4], "NUMB")),
        method("_SEG", 0, aml!([0xa4], "METH")),
        method("METH", 0, aml!([0xa4, 0x01])),
        name("NUMB", [0x0a, 7]),
        method("_CRS", 0, aml!(name("RBUF", buffer(memory)), [0xa4], "RBUF")),
    ));
    assert_eq!(lines(&found), [""; 0]);
    assert_eq!((device.sta, device.bbn, device.seg), (Some(0xb), Some(7), Some(1)));
    assert_eq!(device.ids().collect::<Vec<_>>(), ["PNP0A08", "PNP0A03"]);
    assert_eq!(device.crs.len(), 1);
}

#[test]
fn a_name_of_the_method_hides_one_outside() {
    let (device, _) = only_device(aml!(
        name("NUMB", [0x01]),
        method("_ADR", 0, aml!(name("NUMB", [0x0a, 2]), [0xa4], "NUMB"))
    ));
    assert_eq!(device.adr, Some(2));
}

#[test]
fn a_method_without_a_value_is_a_finding_and_never_a_yes() {
    let field = aml!(
        [0x5b, 0x80],
        "REGN",
        [0, 0x0c, 0, 0, 0, 9, 0x0a, 4],
        [0x5b, 0x81],
        pkg(aml!("REGN", [0x00], "FLD0", [8]))
    );
    let cases: [(Vec<u8>, &str); 10] = [
        (method("_STA", 1, [0xa4, 1]), "a method with 1 arguments"),
        (method("_STA", 0, [0x70, 0x0a, 0xf, 0x60]), "a method returned nothing"),
        (method("_STA", 0, [0xa4, 0x60]), "or nothing was stored"),
        (method("_STA", 0, [0xa4]), "exceeds the enclosing object"),
        (method("_STA", 0, [0x02]), "0x02 is not an opcode"),
        (method("_STA", 0, aml!([0xa4], "_STA")), "nested deeper than 64"),
        (method("_STA", 0, [0xa4, 0x78, 1, 0, 0, 0]), "Divide by 0"),
        (method("_STA", 0, [0xa2, 2, 1]), "more than 65536 steps"),
        (aml!(field, method("_STA", 0, aml!([0xa4], "FLD0"))), "\\DEV0.FLD0, a field of an operation region"),
        (method("_STA", 0, aml!([0xa4, 0x5b, 0x33])), "depends on Timer, which is not evaluated"),
    ];
    for (terms, sentence) in cases {
        let (device, found) = only_device(terms);
        assert_eq!((device.sta, device.unread.as_slice()), (None, ["_STA"].as_slice()), "{sentence}");
        assert!(!device.is_reached);
        let found = lines(&found);
        assert!(found.len() == 1 && found[0].contains(sentence), "{sentence}: {found:?}");
    }
}

#[test]
fn an_object_that_ends_on_an_undefined_name_counts_as_missing_as_in_linux() {
    let ends = |object: &str| method(object, 0, aml!([0xa4], "NONE"));
    let (device, found) =
        only_device(aml!(ends("_STA"), ends("_SEG"), ends("_BBN"), name("_HID", text("PNP0A03"))));
    assert_eq!((device.sta, device.seg, device.bbn, device.is_reached), (None, None, None, true));
    assert_eq!(device.unread, [""; 0]);
    let found = lines(&found);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found.iter().all(|line| line.contains("NONE is not defined; it is treated as missing")),
        "{found:?}"
    );

    // Its _INI is run like that of a device without _STA.
    let init = method("_INI", 0, aml!([0x70, 0x0a, 7], "NUMB"));
    let (device, _) =
        only_device(aml!(name("NUMB", [0x01]), ends("_STA"), init, method("_UID", 0, aml!([0xa4], "NUMB"))));
    assert_eq!(device.uid, Some(Uid::Number(7)));

    let (device, _) = only_device(aml!(name("_HID", text("PNP0A03")), ends("_CRS")));
    assert_eq!(device.unread, ["_CRS"]);
}
