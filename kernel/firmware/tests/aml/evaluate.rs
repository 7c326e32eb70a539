//! Methods give what ACPICA's `acpiexec` says, and what is not known spoils what depends on it and nothing else.

use firmware::acpi::aml::{Namespace, Uid, read};

use crate::aml;
use crate::forge::*;

/// What `_UID` of each device gives, in the words of the `.expected` files.
fn values(namespace: &Namespace) -> Vec<String> {
    let value = |uid: &Option<Uid>| match uid {
        Some(Uid::Number(number)) => format!("{number:#x}"),
        Some(Uid::Text(text)) => format!("\"{text}\""),
        None => String::from("nothing"),
    };
    let devices = namespace.devices().iter();
    devices.map(|device| format!("{} {}", &device.name[1..], value(&device.uid))).collect()
}

#[test]
fn every_operator_gives_what_acpiexec_says() {
    for (aml, expected) in [
        (include_bytes!("fixtures/evaluate.aml").as_slice(), include_str!("fixtures/evaluate.expected")),
        (include_bytes!("fixtures/evaluate-32.aml"), include_str!("fixtures/evaluate-32.expected")),
    ] {
        let namespace = read(&[aml]);
        let expected: Vec<&str> = expected.lines().collect();
        assert!(expected.len() > 120);
        let ours = values(&namespace);
        for (ours, expected) in ours.iter().zip(&expected) {
            assert_eq!(ours, expected);
        }
        assert_eq!(ours.len(), expected.len());
    }
}

/// A region `REGN` in memory with a field `FLD0`, and the terms.
fn with_region(terms: impl AsRef<[u8]>) -> Vec<u8> {
    aml!(
        [0x5b, 0x80],
        "REGN",
        [0, 0x0c, 0, 0, 0, 9, 0x0a, 4],
        [0x5b, 0x81],
        pkg(aml!("REGN", [0x00], "FLD0", [8])),
        terms
    )
}

fn returns(terms: impl AsRef<[u8]>) -> Vec<u8> {
    method("_STA", 0, aml!([0xa4], terms))
}

#[test]
fn what_depends_on_a_region_is_unknown_and_absent() {
    let unknown: [Vec<u8>; 5] = [
        // Add (FLD0, 1), Local0 of it, a text of it, LAnd (FLD0, 1), a field of a buffer that it was written to.
        returns(aml!([0x72], "FLD0", [1, 0])),
        method("_STA", 0, aml!([0x70], "FLD0", [0x60, 0xa4, 0x60])),
        returns(aml!([0x98], "FLD0", [0])),
        returns(aml!([0x90], "FLD0", [1])),
        aml!(
            name("BUFF", buffer([0xff; 8])),
            method("_STA", 0, aml!([0x8c], "BUFF", [0], "BYT0", [0x70], "FLD0", "BYT0", [0xa4], "BUFF"))
        ),
    ];
    for terms in unknown {
        let (device, found) = only_device(with_region(&terms));
        assert_eq!((device.sta, device.is_reached), (None, false), "{terms:x?}");
        assert!(lines(&found)[0].contains("depends on \\DEV0.FLD0, a field of an operation region"));
    }
    // LAnd (FLD0, 0) is 0 and LOr (FLD0, 1) is true whatever the field is; what is written to it is lost.
    let known: [(Vec<u8>, u64); 3] = [
        (returns(aml!([0x90], "FLD0", [0])), 0),
        (returns(aml!([0x91], "FLD0", [1])), u64::MAX),
        (method("_STA", 0, aml!([0x70, 1], "FLD0", [0xa4, 0x0a, 9])), 9),
    ];
    for (terms, status) in known {
        let (device, found) = only_device(with_region(&terms));
        assert_eq!((device.sta, found.len()), (Some(status), 0), "{terms:x?}");
    }
}

#[test]
fn what_code_might_have_written_that_did_not_run_to_its_end_is_unknown() {
    // _INI { If (FLD0) { Store (Zero, FLAG); HELP () } }, where HELP writes OTHR; KEPT is not written.
    let flags = aml!(name("FLAG", [0x0a, 0xf]), name("OTHR", [0x0a, 0xf]), name("KEPT", [0x0a, 0xf]));
    let help = method("HELP", 0, aml!([0x70, 0x00], "OTHR"));
    let branch = aml!([0xa0], pkg(aml!("FLD0", [0x70, 0x00], "FLAG", "HELP")));
    let status = |flag: &str| method("_STA", 0, aml!([0xa4], flag));
    let terms = with_region(aml!(
        flags,
        help,
        method("_INI", 0, branch),
        device("DEV1", status("FLAG")),
        device("DEV2", status("OTHR")),
        device("DEV3", status("KEPT")),
    ));
    let namespace = namespace(device("DEV0", terms));
    let reached: Vec<bool> = namespace.devices().iter().map(|device| device.is_reached).collect();
    assert_eq!(reached, [true, false, false, true]);
    let found = lines(namespace.findings());
    assert!(found[0].starts_with("aml-init \\DEV0._INI"), "{found:?}");
}

#[test]
fn objects_of_a_method_go_when_it_returns() {
    // Each call defines LOCL anew, and what one of them stored is not there for the next one.
    let body = aml!(name("LOCL", [0x0a, 9]), [0x75], "LOCL", [0xa4], "LOCL");
    let namespace = namespace(aml!(
        method("CALL", 8, body),
        device("DEV0", method("_UID", 0, aml!([0xa4, 0x72], "CALL", "CALL", [0]))),
        device("DEV1", method("_UID", 0, aml!([0xa4], "LOCL"))),
    ));
    assert_eq!(values(&namespace), ["EV0 0x14", "EV1 nothing"]);
}

#[test]
fn what_is_stored_to_a_name_stays() {
    let namespace = namespace(aml!(
        name("COUN", [0x00]),
        name("BUFF", buffer([0; 4])),
        aml!([0x8a], "BUFF", [0x00], "FLDD"),
        method("NEXT", 0, aml!([0x75], "COUN", [0x70], "COUN", "FLDD", [0xa4], "COUN")),
        device("DEV0", method("_UID", 0, aml!([0xa4], "NEXT"))),
        device("DEV1", method("_UID", 0, aml!([0xa4], "NEXT"))),
        device("DEV2", method("_UID", 0, aml!([0xa4, 0x99], "BUFF", [0x00]))),
    ));
    assert_eq!(values(&namespace), ["EV0 0x1", "EV1 0x2", "EV2 0x2"]);
    assert_eq!(lines(namespace.findings()), [""; 0]);
}

#[test]
fn memory_and_time_are_bounded() {
    let endless: [Vec<u8>; 5] = [
        // While (One) {}, and one that joins a text with itself, makes large buffers, calls itself twice, goes on for ever.
        [0xa2, 2, 1].into(),
        aml!([0x70], text("abcdefgh"), [0x60], [0xa2], pkg([1, 0x73, 0x60, 0x60, 0x60])),
        aml!([0xa2], pkg(aml!([1, 0x70, 0x11], pkg([0x0c, 0, 0, 0x3f, 0]), [0x60]))),
        aml!("_STA", "_STA"),
        aml!([0x11], pkg([0x0c, 0xff, 0xff, 0xff, 0xff])),
    ];
    for body in endless {
        let (device, found) = only_device(method("_STA", 0, &body));
        assert!(!device.is_reached, "{body:x?}");
        let found = lines(&found);
        assert!(
            found[0].contains("steps") || found[0].contains("memory") || found[0].contains("deeper"),
            "{found:?}"
        );
    }
    let many: Vec<u8> = (0..2_000)
        .flat_map(|index| device(&format!("D{:03X}", index), method("_STA", 0, [0xa2, 2, 1])))
        .collect();
    assert!(namespace(many).devices().iter().all(|device| !device.is_reached));
}

#[test]
fn a_cca_counts_for_all_that_it_encloses_and_a_status_too() {
    let namespace = namespace(aml!(
        scope("\\_SB_", aml!(name("_CCA", [0x01]), device("DEV0", name("_CCA", [0x00])))),
        device("DEV1", device("DEV2", [])),
        device("DEV3", aml!(name("_CCA", [0x01]), device("DEV4", []))),
        aml!([0x5b, 0x83], pkg(aml!("CPU0", [0; 6], name("_STA", [0x00]), device("DEV5", [])))),
    ));
    let of = |path: &str| {
        let device = namespace.device(path).unwrap();
        (device.coherency, device.is_reached)
    };
    assert_eq!(of("\\_SB.DEV0"), (Some(1), true));
    assert_eq!(of("\\DEV1.DEV2"), (None, true));
    assert_eq!(of("\\DEV3.DEV4"), (Some(1), true));
    assert_eq!(of("\\CPU0.DEV5"), (None, false));
}
