//! Every construct of a definition block, one by one: what follows it is still read.

use crate::aml;
use crate::forge::*;
use firmware::acpi::aml::read;
use probe::Severity;

/// Reads `terms` between two devices, which must both be there, and returns what was found.
fn between(terms: impl AsRef<[u8]>) -> Vec<String> {
    let namespace = namespace(aml!(device("AAAA", []), terms, device("ZZZZ", [])));
    assert_eq!(paths(&namespace), ["\\AAAA", "\\ZZZZ"], "{:?}", namespace.findings());
    lines(namespace.findings())
}

#[test]
fn declarations_are_read_past_without_a_finding() {
    let region = aml!([0x5b, 0x80], "REGN", [0], dword(0x1000), [0x0a, 4]);
    let terms: [(&str, Vec<u8>); 21] = [
        ("integer", name("I000", [0x0e, 1, 2, 3, 4, 5, 6, 7, 8])),
        ("text", name("S000", text("x"))),
        ("buffer", name("B000", buffer([0; 100]))),
        ("package", name("P000", package(2, aml!([0x01], package(1, text("in")))))),
        ("variable package", name("V000", aml!([0x13], pkg([0x0a, 1, 0x01])))),
        ("reference", name("R000", "\\AAAA")),
        ("alias", aml!([0x06], "AAAA", "LIAS")),
        ("external", aml!([0x15], [b'\\', 0x2e], "_SB_", "XXXX", [8, 2])),
        ("mutex", aml!([0x5b, 0x01], "MUTX", [0])),
        ("event", aml!([0x5b, 0x02], "EVNT")),
        ("region", region.clone()),
        ("region with an expression", aml!([0x5b, 0x80], "REGN", [0, 0x72, 0x0a, 1, 0x0b, 2, 3, 0x00, 0x01])),
        (
            "field",
            aml!(
                region,
                [0x5b, 0x81],
                pkg(aml!("REGN", [0x10], "FLD0", [8, 0, 0x48, 1, 1, 0, 0], "FLD1", [8]))
            ),
        ),
        (
            "field with connection",
            aml!(
                region,
                [0x5b, 0x81],
                pkg(aml!("REGN", [0x10, 2, 0x11, 3, 0x0a, 0, 3, 0, 0, 0], "FLD1", [8]))
            ),
        ),
        ("index field", aml!([0x5b, 0x86], pkg(aml!("AAAA", "AAAA", [0], "FLD2", [8])))),
        ("bank field", aml!([0x5b, 0x87], pkg(aml!("AAAA", "AAAA", [0x0a, 1, 0], "FLD3", [8])))),
        ("data region", aml!([0x5b, 0x88], "DREG", text("OEM1"), text(""), text(""))),
        (
            "buffer fields",
            aml!(name("B000", buffer([0; 8])), [0x8a], "B000", [0x00], "DWRD", [0x8b], "B000", [1], "WRD0"),
        ),
        (
            "all buffer fields",
            aml!(
                name("B000", buffer([0; 8])),
                [0x8c],
                "B000",
                [0x0a, 4],
                "BYT0",
                [0x8d],
                "B000",
                [0],
                "BIT0",
                [0x8f],
                "B000",
                [0],
                "QWD0",
                [0x5b, 0x13],
                "B000",
                [0, 0x0a, 4],
                "CFLD"
            ),
        ),
        ("method", method("METH", 3, [0x70, 0x68, 0x60, 0xff, 0x5b])),
        ("noop", vec![0xa3]),
    ];
    for (what, terms) in terms {
        assert_eq!(between(terms), [""; 0], "{what}");
    }
}

#[test]
fn devices_in_every_kind_of_container_are_found() {
    let inner = || device("INNR", []);
    let terms = aml!(
        scope("\\_SB_", device("DEV0", device("DEV1", inner()))),
        aml!([0x5b, 0x83], pkg(aml!("CPU0", [1, 0, 0, 0, 0, 6], inner()))),
        aml!([0x5b, 0x84], pkg(aml!("PWR0", [0, 0, 0], inner()))),
        aml!([0x5b, 0x85], pkg(aml!("THRM", inner()))),
        scope("\\\0", inner()),
        device("\\ABS0", []),
    );
    let namespace = namespace(terms);
    assert_eq!(
        paths(&namespace),
        [
            "\\_SB.DEV0",
            "\\_SB.DEV0.DEV1",
            "\\_SB.DEV0.DEV1.INNR",
            "\\CPU0.INNR",
            "\\PWR0.INNR",
            "\\THRM.INNR",
            "\\INNR",
            "\\ABS0"
        ]
    );
    let parents: Vec<_> = namespace.devices().iter().map(|device| device.parent).collect();
    assert_eq!(parents, [None, Some(0), Some(1), None, None, None, None, None]);
    assert_eq!(lines(namespace.findings()), [""; 0]);
}

#[test]
fn names_are_looked_for_as_the_specification_says() {
    let terms = aml!(
        device("DEV0", device("SUB0", [])),
        // A lone name is looked for in the scopes around, a path is not.
        scope(
            "\\_SB_",
            aml!(scope("DEV0", device("FND0", [])), scope("\\DEV0", scope("SUB0", device("FND1", []))))
        ),
        scope("\\_SB_", aml!([0x10], pkg(aml!([0x2e], "DEV0", "SUB0", device("NOT0", []))))),
        device(
            "DEV1",
            aml!(
                [0x5b, 0x82],
                pkg(aml!("^UP00")),
                [0x5b, 0x82],
                pkg(aml!([b'\\', 0x2f, 3], "DEV0", "SUB0", "FAR0"))
            )
        ),
        aml!([0x06], "DEV0", "LIAS"),
        scope("LIAS", device("FND2", [])),
    );
    let namespace = namespace(terms);
    assert_eq!(
        paths(&namespace),
        [
            "\\DEV0",
            "\\DEV0.SUB0",
            "\\DEV0.SUB0.FND1",
            "\\DEV0.SUB0.FAR0",
            "\\DEV0.FND0",
            "\\DEV0.FND2",
            "\\DEV1",
            "\\UP00"
        ]
    );
    let lines = lines(namespace.findings());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("aml-name \\_SB (DSDT, byte 0x") && lines[0].contains("DEV0.SUB0 is not defined")
    );
}

#[test]
fn a_later_table_adds_to_the_devices_of_an_earlier_one() {
    let first = dsdt(scope("\\_SB_", aml!(device("DEV0", []), device("DEV1", []))));
    let terms = aml!(
        [0x10],
        pkg(aml!([b'\\', 0x2e], "_SB_", "DEV0", name("_HID", text("LNRO0005")), device("NEW0", [])))
    );
    let second = table("SSDT", 1, terms);
    let namespace = read(&[&first, &second]);
    assert_eq!(paths(&namespace), ["\\_SB.DEV0", "\\_SB.DEV0.NEW0", "\\_SB.DEV1"]);
    assert_eq!(namespace.devices()[0].hid.as_deref(), Some("LNRO0005"));
    assert_eq!(
        (namespace.devices()[1].table.as_str(), namespace.devices()[0].table.as_str()),
        ("SSDT 1", "DSDT")
    );
    assert_eq!(lines(namespace.findings()), [""; 0]);
}

#[test]
fn the_first_of_two_of_one_name_stays() {
    let terms = aml!(
        device("DEV0", aml!(name("_UID", [1]), name("_UID", [0]))),
        device("DEV0", device("LOST", [])),
        device("DEV1", []),
    );
    let namespace = namespace(terms);
    assert_eq!(paths(&namespace), ["\\DEV0", "\\DEV1"]);
    assert_eq!(namespace.devices()[0].uid, Some(firmware::acpi::aml::Uid::Number(1)));
    let lines = lines(namespace.findings());
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("aml-name \\DEV0 (DSDT, byte 0x31): _UID cannot be defined"), "{lines:?}");
}

#[test]
fn an_if_that_is_decided_is_followed_and_any_other_is_a_finding() {
    let branch = |head: &[u8], name: &str| aml!([head[0]], pkg(aml!(head[1..], device(name, []))));
    let terms = aml!(
        branch(&[0xa0, 0x00], "NO00"),
        branch(&[0xa1], "YES0"),
        branch(&[0xa0, 0x01], "YES1"),
        branch(&[0xa1], "NO01"),
        branch(&[0xa2, 0x00], "NO02"),
    );
    let decided = namespace(terms);
    assert_eq!(paths(&decided), ["\\YES0", "\\YES1"]);
    assert_eq!(lines(decided.findings()), [""; 0]);

    let open = namespace(aml!(branch(b"\xa0NONE", "UNKN"), branch(&[0xa1], "UNK1"), device("NEXT", [])));
    assert_eq!(paths(&open), ["\\NEXT"]);
    let found = lines(open.findings());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("aml-name \\ (DSDT, byte 0x26): NONE is not defined; the If ("),
        "{found:?}"
    );
    for (terms, start) in [
        (branch(&[0xa1], "STRY"), "an Else without an If"),
        (aml!([0xa2], pkg([1, 0xa3])), "more than 65536 steps"),
    ] {
        let found = between(terms);
        assert!(found.len() == 1 && found[0].contains(start), "{found:?}");
    }
}

#[test]
fn statements_run_while_a_table_is_loaded() {
    let statements: [Vec<u8>; 5] = [
        aml!([0x86], "AAAA", [0x0a, 0x81]),
        aml!([0x5b, 0x01], "MUTX", [0], [0x5b, 0x23], "MUTX", [0xff, 0xff]),
        aml!([0x5b, 0x21, 0x0a, 3]),
        aml!(method("CALL", 2, [0x70, 1, 0x60]), "CALL", [0x01], text("two")),
        aml!([0x5b, 0x20, 0x5c], "AAAA", [0x60]),
    ];
    for statement in statements {
        assert_eq!(between(&statement), [""; 0], "{statement:x?}");
    }
}

#[test]
fn a_statement_that_fails_costs_only_itself() {
    let statements: [(Vec<u8>, &str); 5] = [
        (aml!([0x70, 0x01], "AAAA"), "found an object that is not data, expected a store target; the Store"),
        (aml!([0x72, 0x0a, 7, 0x88], "AAAA", [0x00, 0x00, 0x00]), "found a reference, expected a package"),
        (aml!("NONE", [0x01]), "NONE is not defined; the call is skipped"),
        (aml!("NONE", [0x0d, 0xff, 0]), "NONE is not defined; the call is skipped"),
        (aml!([0x70], "NONE", "AAAA"), "NONE is not defined; the Store is skipped"),
    ];
    for (statement, sentence) in statements {
        let found = between(&statement);
        assert!(found.len() == 1 && found[0].contains(sentence), "{statement:x?}: {found:?}");
    }
}

#[test]
fn what_has_a_length_costs_only_itself() {
    let broken: [Vec<u8>; 5] = [
        scope("5BAD", device("LOST", [])),
        device("bad!", device("LOST", [])),
        aml!([0x5b, 0x83], pkg(aml!("CPU0", [1, 0]))),
        method("0NO_", 0, []),
        aml!([0x5b, 0x81], pkg(aml!("REGN", [0, 0x20, 0x20]))),
    ];
    for broken in broken {
        let found = between(&broken);
        assert!(
            found.len() == 1 && found[0].starts_with("aml-term \\ (DSDT, byte 0x"),
            "{broken:x?}: {found:?}"
        );
    }
}

#[test]
fn what_has_no_length_costs_the_rest_of_what_encloses_it() {
    let broken: [Vec<u8>; 5] =
        [vec![0x02], vec![0x5b, 0xff], name("BAD0", [0x02]), aml!([0x10, 0x7f, 0xff]), vec![0x5b]];
    for broken in broken {
        let terms =
            aml!(device("DEV0", aml!(device("SUB0", []), broken, device("LOST", []))), device("NEXT", []),);
        let namespace = namespace(terms);
        assert_eq!(paths(&namespace), ["\\DEV0", "\\DEV0.SUB0", "\\NEXT"], "{broken:x?}");
        let found = lines(namespace.findings());
        assert_eq!(found.len(), 1, "{broken:x?}: {found:?}");
        assert!(found[0].starts_with("aml-term \\DEV0 (DSDT, byte 0x"), "{found:?}");
        assert!(found[0].ends_with(" bytes are not read"), "{found:?}");
        assert_eq!(namespace.findings()[0].severity, Severity::Error);
    }
}

#[test]
fn nesting_names_and_numbers_have_bounds() {
    let mut deep = device("LAST", []);
    for _ in 0..200 {
        deep = device("DEEP", deep);
    }
    let namespace_deep = namespace(aml!(deep, device("NEXT", [])));
    // 64 inside one another, and the one behind them.
    assert_eq!(namespace_deep.devices().len(), 65);
    assert_eq!(namespace_deep.devices().last().unwrap().path, "\\NEXT");
    let found = lines(namespace_deep.findings());
    assert!(found.len() == 1 && found[0].contains("deeper than 64"), "{found:?}");

    let up = aml!([0x10], pkg(vec![b'^'; 100]));
    assert!(between(up)[0].contains("more than 64 parent prefixes"));
    let expression = aml!([0x5b, 0x80], "REGN", [0], vec![0x92; 5000], [0, 0]);
    let bounded = namespace(expression);
    assert!(lines(bounded.findings())[0].contains("more than 1024 terms"));
    let many: Vec<u8> = (0..70_000).flat_map(|_| [0xa1, 0x01]).collect();
    assert_eq!(namespace(many).findings().len(), 257);
}

#[test]
fn more_objects_than_fit_are_a_finding() {
    let names: Vec<u8> = (0..70_000_u32)
        .flat_map(|index| {
            let letters: Vec<u8> =
                (0..4).map(|digit| b'A' + (index / 26_u32.pow(digit) % 26) as u8).collect();
            aml!([0x5b, 0x02], letters)
        })
        .collect();
    let full = namespace(names);
    assert!(lines(full.findings())[0].contains("more than 65536 objects"));
}

#[test]
fn what_is_no_definition_block_is_refused() {
    let good = dsdt(device("DEV0", []));
    let long = {
        let mut table = good.clone();
        table[4] = 0xff;
        table
    };
    let short = {
        let mut table = good.clone();
        table[4] = 35;
        table
    };
    let cases: [(&[u8], &str); 5] = [
        (&[], "0x0 bytes long"),
        (&good[..35], "0x23 bytes long"),
        (&table("FACP", 1, []), "the signature is \"FACP\""),
        (&long, "the length is 0xff"),
        (&short, "the length is 0x23"),
    ];
    for (table, sentence) in cases {
        let namespace = read(&[&good, table]);
        assert_eq!(paths(&namespace), ["\\DEV0"]);
        let found = lines(namespace.findings());
        assert!(
            found.len() == 1 && found[0].starts_with("aml-table") && found[0].contains(sentence),
            "{found:?}"
        );
    }
    let behind = aml!(good, device("MORE", []));
    assert_eq!(paths(&read(&[&behind])), ["\\DEV0"]);
    assert_eq!(paths(&read(&[])), [""; 0]);
    let many = vec![good.as_slice(); 300];
    assert!(lines(read(&many).findings()).iter().any(|line| line.starts_with("aml-limit")));
}

#[test]
fn a_package_that_is_one_byte_longer_than_what_encloses_it_is_refused() {
    let inner = |length: u8| aml!([0x5b, 0x82, length], "IN00");
    for (length, count) in [(5, 3), (6, 2), (4, 2), (0, 2)] {
        let namespace = namespace(aml!(device("DEV0", inner(length)), device("NEXT", [])));
        assert_eq!(namespace.devices().len(), count, "{length}");
        assert_eq!(namespace.findings().is_empty(), length == 5, "{length}");
    }
}

#[test]
fn packages_inside_one_another_have_a_bound() {
    let mut deep = device("LOST", []);
    for _ in 0..100 {
        deep = aml!([0xa0], pkg(aml!([0x01], deep)));
    }
    let found = between(deep);
    assert!(
        found.len() == 1 && found[0].starts_with("aml-limit") && found[0].contains("deeper than 64"),
        "{found:?}"
    );
}
