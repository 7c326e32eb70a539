//! Files of scenarios: what is written is read back, and errors contain their place.

use scenario::Expect;

use super::*;

const SMALL: &str = r#"
about = "one device behind one IOMMU"
steps = [
    "add iommu",
    "add 0000:00:02.0",
    "register virtio-iommu",
]
device = [
    { name = "iommu", iommu = { unknown = [7] }, driver = "virtio-iommu" },
    { name = "0000:00:02.0", kind = "endpoint" },
]
driver = [{ name = "virtio-iommu" }]
map = [{ ids = [0, 0xff], iommu = "iommu" }]

[expect.fixed]
groups = [["0000:00:02.0"]]
breaks = ["I2"]
events = ["grouped 0000:00:02.0"]
"#;

fn refused(change: (&str, &str)) -> String {
    assert!(SMALL.contains(change.0), "{change:?}");
    format!("{:#}", parse(&SMALL.replacen(change.0, change.1, 1)).unwrap_err())
}

#[test]
fn every_scenario_of_ours_is_read_and_written_as_the_same() {
    let all = Named::all().unwrap();
    assert!(all.len() > 20, "{}", all.len());
    for named in all {
        let text = to_text(&named.scenario, &[]).unwrap();
        assert_eq!(parse(&text).unwrap(), named.scenario, "{text}");
    }
}

#[test]
fn what_is_written_has_a_line_for_each_device_and_step_and_remarks_beside_steps() {
    let mut scenario = parse(SMALL).unwrap();
    // What looks like a list in a text is none.
    scenario.source = "a\nsteps = []\n\"quoted\" # no remark".into();
    scenario.expect.insert("legacy".into(), Expect { partitions: Some(3), ..Expect::default() });
    let remarks = ["".into(), "what it does".into()];
    let text = to_text(&scenario, &remarks).unwrap();
    assert_eq!(parse(&text).unwrap(), scenario, "{text}");
    for line in [
        r#"    "add iommu","#,
        r#"    "add 0000:00:02.0",      # what it does"#,
        r#"    { name = "0000:00:02.0", kind = "endpoint" },"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn a_wrong_name_is_an_error_that_names_it_and_its_line() {
    for (change, what) in [
        (("add 0000:00:02.0", "add 0000:00:03.0"), "line 5: unknown device `0000:00:03.0`"),
        (("register virtio-iommu", "register virtio-iomu"), "line 6: unknown driver `virtio-iomu`"),
        (("driver = \"virtio-iommu\"", "driver = \"virtio\""), "line 9: unknown driver `virtio`"),
        (
            ("kind = \"endpoint\"", "kind = \"end-point\""),
            "line 10: `end-point` is not a kind of PCI function",
        ),
        (
            ("name = \"0000:00:02.0\"", "name = \"0000:00:2.0.\""),
            "line 10: `0000:00:2.0.` is not a PCI address",
        ),
        (("name = \"0000:00:02.0\"", "name = \"iommu\""), "line 10: device `iommu` is defined twice"),
        (("iommu = \"iommu\"", "iommu = \"0000:00:02.0\""), "`0000:00:02.0` is referred to as an IOMMU"),
        (("expect.fixed", "expect.mended"), "line 15: unknown path `mended`"),
        (("\"I2\"", "\"I12\""), "line 17: unknown invariant `I12`"),
        (("[[\"0000:00:02.0\"]]", "[[\"0000:00:04.0\"]]"), "line 16: unknown device `0000:00:04.0`"),
        (("\"grouped 0", "\"group 0"), "line 18: unknown event `group 0000:00:02.0`"),
        (("grouped 0000:00:02.0", "grouped 02.0"), "line 18: unknown device `02.0`"),
    ] {
        let error = refused(change);
        assert!(error.contains(what), "{what}\n{error}");
    }
}

#[test]
fn what_is_no_scenario_says_line_and_column() {
    for (change, what) in [
        (("add iommu", "plug iommu"), "`plug iommu` is not a step"),
        (("about =", "abuot ="), "unknown field `abuot`"),
        (("kind =", "knd ="), "unknown field `knd`"),
    ] {
        let error = refused(change);
        assert!(error.contains(what) && error.contains("line "), "{what}\n{error}");
    }
}

#[test]
fn an_unknown_name_is_wrong_usage_and_says_where_we_looked() {
    let stop = Named::find("no-such").unwrap_err();
    assert_eq!(stop.kind, crate::outcome::Kind::Usage);
    assert!(stop.message.contains("xtask/scenarios"), "{}", stop.message);
}

#[test]
fn a_malformed_file_is_named() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("wrong.toml");
    fs::write(&file, SMALL.replacen("add iommu", "add iomu", 1)).unwrap();
    let stop = Named::find(&file.display().to_string()).unwrap_err();
    assert!(stop.message.contains("wrong.toml") && stop.message.contains("line 4"), "{}", stop.message);
}

/// A port with a device behind it, in which the list of steps is to be filled in.
const PORT: &str = r#"
about = "a port and what is behind it"
steps = [
STEPS
]
device = [
    { name = "0000:00:02.0", kind = "root-port", buses = [1, 1] },
    { name = "0000:01:00.0", kind = "endpoint", multifunction = true },
    { name = "0000:01:00.1", kind = "endpoint" },
]
driver = [{ name = "nvme" }]
"#;

/// What is wrong with these steps, which begin in line 4.
fn wrong_order(steps: &[&str]) -> String {
    let steps: Vec<String> = steps.iter().map(|step| format!("    {step:?},")).collect();
    format!("{:#}", parse(&PORT.replace("STEPS", &steps.join("\n"))).unwrap_err())
}

#[test]
fn what_hardware_cannot_do_is_refused_with_its_line() {
    let boot = ["add 0000:00:02.0", "add 0000:01:00.0", "add 0000:01:00.1"];
    let then = |more: &[&'static str]| wrong_order(&[&boot[..], more].concat());
    for (found, expected) in [
        (
            wrong_order(&["add 0000:01:00.0"]),
            "line 4: `add 0000:01:00.0` is not possible: 0000:00:02.0, the bridge above it",
        ),
        (
            wrong_order(&["add 0000:00:02.0", "add 0000:01:00.1"]),
            "line 5: `add 0000:01:00.1` is not possible: 0000:01:00.0, function 0 of its slot",
        ),
        (
            then(&["remove 0000:00:02.0"]),
            "line 7: `remove 0000:00:02.0` is not possible: 0000:01:00.0, 0000:01:00.1 must be removed before it",
        ),
        (
            then(&["add 0000:00:02.0"]),
            "line 7: `add 0000:00:02.0` is not possible: the device is already present",
        ),
        (
            then(&["remove 0000:01:00.1", "unbind 0000:01:00.1"]),
            "line 8: `unbind 0000:01:00.1` is not possible: the device is not present",
        ),
        (
            then(&["remove 0000:01:00.1", "remove 0000:01:00.1"]),
            "line 8: `remove 0000:01:00.1` is not possible: the device is not present",
        ),
        (
            then(&["register nvme", "register nvme"]),
            "line 8: `register nvme` is not possible: the driver is already registered",
        ),
        (then(&["override 0000:01:00.0 vfio-pci"]), "unknown driver `vfio-pci`"),
    ] {
        assert!(found.contains(expected), "{found}\nexpected: {expected}");
    }
}

#[test]
fn of_several_steps_with_the_same_text_the_line_is_that_of_the_wrong_one() {
    let child = "add 0000:01:00.0";
    let found =
        wrong_order(&["add 0000:00:02.0", child, "remove 0000:01:00.0", "remove 0000:00:02.0", child, child]);
    assert!(found.starts_with("line 8: "), "{found}");
}

#[test]
fn a_function_that_cannot_be_is_refused() {
    for (from, to, why) in [
        (r#"kind = "root-port", buses = [1, 1]"#, r#"kind = "root-port""#, "a port has at least one bus"),
        (
            r#"kind = "root-port", buses = [1, 1]"#,
            r#"kind = "endpoint", buses = [1, 1]"#,
            "only a bridge or a port",
        ),
        ("buses = [1, 1]", "buses = [2, 1]", "must come after its own"),
        ("buses = [1, 1]", "buses = [0, 1]", "must come after its own"),
    ] {
        let text = PORT.replace("STEPS", "").replace(from, to);
        let found = format!("{:#}", parse(&text).unwrap_err());
        assert!(found.contains(why) && found.contains("line 7"), "{found}\nexpected: {why}");
    }
}

#[test]
fn removing_function_0_and_bringing_it_back_is_possible() {
    let steps = [
        "add 0000:00:02.0",
        "add 0000:01:00.0",
        "add 0000:01:00.1",
        "remove 0000:01:00.0",
        "add 0000:01:00.0",
    ];
    let steps: Vec<String> = steps.iter().map(|step| format!("{step:?},")).collect();
    parse(&PORT.replace("STEPS", &steps.join("\n"))).unwrap();
}
