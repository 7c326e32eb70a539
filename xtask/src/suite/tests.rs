use std::fs;
use std::time::Duration;

use super::boots::run_difference;
use super::*;
use crate::case::Case;
use crate::results::BootTimes;
use crate::topology::Malformed;

fn checked(differences: &[&str]) -> Checked {
    let verdict = Verdict::of(differences.iter().map(|&text| text.into()).collect());
    let checked = Checked::of("simple", Layer::Boot, "qemu -M virt".into(), verdict);
    let repeat = "cargo xtask test --exact simple".into();
    Checked { took: Duration::from_millis(1200), repeat, ..checked }
}

fn skipped(reason: &str) -> Checked {
    let rocker = Case::usual(Topology::parse("rocker", "probes = \"x\"").unwrap());
    Checked::skipped("rocker".into(), rocker.facts(), reason.into())
}

#[test]
fn a_failure_shows_what_differs_and_the_commands() {
    assert_eq!(checked(&[]).text(Path::new("x")), "ok     boot simple (1.2 s)");
    assert_eq!(
        checked(&["missing group 1\nof two"]).text(Path::new("x")),
        "FAILED boot simple (1.2 s)\n       missing group 1\n       of two\n       again: cargo xtask test --exact simple\n\
         \x20      by hand: qemu -M virt"
    );
}

#[test]
fn the_summary_counts_each_kind_and_each_reason() {
    let results =
        [checked(&[]), checked(&["x"]), checked(&[]), skipped("no a"), skipped("no b"), skipped("no b")];
    assert_eq!(
        checked::Counts::of(&results).text(),
        "1 skipped: no a\n2 skipped: no b\n2 passed, 1 failed, 3 skipped"
    );
}

#[test]
fn the_junit_report_names_failures_and_why_a_boot_is_skipped() {
    let file = tempfile::NamedTempFile::new().unwrap();
    checked::write_junit(file.path(), &[checked(&[]), checked(&["missing group"]), skipped("no rocker")])
        .unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    assert!(text.contains("failures=\"1\"") && text.contains("missing group"), "{text}");
    assert!(text.contains("<skipped message=\"no rocker\""), "{text}");
}

#[test]
fn another_route_or_path_than_the_one_meant_is_a_difference() {
    assert_eq!(run_difference("firmware", "uefi-dt", "uefi-dt"), None);
    assert_eq!(run_difference("path", "legacy", "fixed").unwrap(), "path: expected legacy, is fixed");
    assert_eq!(run_difference("firmware", "uefi-dt", ""), None);
}

#[test]
fn a_malformed_topology_is_one_failed_test_and_the_others_go_on() {
    use clap::Parser as _;
    let options = |line: &str| match crate::cli::Cli::parse_from(line.split(' ')).command {
        crate::cli::Command::Test(options) => options,
        other => panic!("{other:?}"),
    };
    let found = || {
        let good = |name: &str| Topology::parse(name, "probes = \"\"").map_err(|_| unreachable!());
        let bad = Malformed { name: "broken".into(), why: "broken.toml is malformed: line 2".into() };
        vec![good("alpha"), Err(bad), good("beta")]
    };
    let paths = Paths::read().unwrap();
    let wanted = |all, options: &TestArgs| wanted(all, &Selection::of(options).unwrap(), &paths);
    let (topologies, malformed) = wanted(found(), &options("xtask test"));
    assert_eq!((topologies.len(), malformed.len()), (2, 1));
    let (topologies, malformed) = wanted(found(), &options("xtask test alpha"));
    assert_eq!((topologies.len(), malformed.len()), (1, 0));
    let (_, malformed) = wanted(found(), &options("xtask test --boot-only broken"));
    let checked = of_malformed(malformed.into_iter().next().unwrap());
    assert!(
        checked.verdict != Verdict::Passed
            && checked.text(Path::new("x")).contains("broken.toml is malformed: line 2")
    );
}

#[test]
fn boots_are_selected_by_name_route_and_path() {
    use clap::Parser as _;
    let paths = Paths::read().unwrap();
    let named = |line: &str| {
        let crate::cli::Command::Test(options) = crate::cli::Cli::parse_from(line.split(' ')).command else {
            panic!("it is a test")
        };
        let all = vec![Topology::find("switch").map_err(|_| unreachable!())];
        let selection = Selection::of(&options).unwrap();
        let cases = wanted(all, &selection, &paths).0;
        (cases, selection.has_check("budget"), selection.has_host_check("tests"))
    };
    let (all, with_check, with_host) = named("xtask test");
    assert!(with_check && with_host && all.len() > 4);
    let (by_tables, with_check, with_host) = named("xtask test --firmware acpi --path legacy");
    assert!(!by_tables.is_empty() && !with_check && !with_host);
    assert!(by_tables.iter().all(|case| case.id.ends_with("@legacy-acpi")));
    let (several, ..) = named("xtask test --firmware acpi --firmware uefi-acpi");
    assert!(several.len() > by_tables.len() && several.iter().all(|case| case.firmware.is_acpi()));
    let (off, with_check, with_host) = named("xtask test --iommu off");
    assert!(off.len() == 2 && !with_check && !with_host);
    assert!(off.iter().all(|case| case.id.ends_with("@no-iommu")));
    let (on, ..) = named("xtask test --iommu on");
    assert_eq!(on.len() + off.len(), all.len());
    let (one, with_check, _) = named("xtask test --exact switch@acpi");
    assert!(one.len() == 1 && one[0].id == "switch@acpi" && !with_check);
    let (_, with_check, with_host) = named("xtask test --boot-only budget");
    assert!(with_check && !with_host);
}

#[test]
fn ktap_has_a_line_for_each_check_and_diagnostics_before_a_failure() {
    let mut odd = checked(&["one\ntwo"]);
    odd.name = "a#b".into();
    let text = checked::ktap(&[checked(&[]), odd, skipped("no rocker")]);
    assert_eq!(
        text,
        "KTAP version 1\n1..3\nok 1 boot simple\n# one\n# two\n# again: cargo xtask test --exact simple\nnot ok 2 boot a_b\n\
         ok 3 boot rocker # SKIP no rocker\n"
    );
}

#[test]
fn a_check_that_failed_on_one_of_several_qemus_is_repeated_by_its_own_name() {
    let mut on_qemu = checked(&["x"]);
    on_qemu.name += " (QEMU 10.0.2)";
    assert_eq!(on_qemu.base_name(), "simple");
    assert_eq!(checked(&[]).base_name(), "simple");
}

#[test]
fn what_failed_and_did_not_run_again_stays_failed() {
    let results = [checked(&["x"]), skipped("no rocker")];
    let names = |everything| {
        let names = progress::still_failed("rocker\nother\n", &results, everything);
        names.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(names(false), ["other", "simple"]);
    assert_eq!(names(true), ["simple"]);
}

#[test]
fn the_boots_are_compared_with_their_qemus_alone() {
    let mut times = BootTimes::default();
    times.add(BootTimes { count: 2, seconds: 3.0, qemu_seconds: 2.0, overhead_ms: 10.0 });
    times.add(BootTimes { count: 1, seconds: 1.0, qemu_seconds: 2.0, overhead_ms: 40.0 });
    assert_eq!(times, BootTimes { count: 3, seconds: 4.0, qemu_seconds: 4.0, overhead_ms: 20.0 });
    assert!((times.ratio() - 1.0).abs() < 1e-9);
}

#[test]
fn ktap_of_a_run_is_read_back() {
    let mut odd = checked(&["ok 1 one\n1..2\nKTAP version 1"]);
    odd.name = "a # SKIP b".into();
    let results = crate::ktap::parse(&checked::ktap(&[checked(&[]), odd, skipped("no rocker")])).unwrap();
    let seen: Vec<_> = results.iter().map(|result| (result.ok, &*result.name, result.directive)).collect();
    assert_eq!(
        seen,
        [(true, "boot simple", None), (false, "boot a _ SKIP b", None), (true, "boot rocker", Some("SKIP"))]
    );
}

/// Names of elements or attributes.
type Names = &'static [&'static str];

/// An element of a JUnit report, as junit-10.xsd of Jenkins' xUnit plugin has it: required attributes, further ones, and
/// the elements in it.
const JUNIT: [(&str, Names, Names, Names); 5] = [
    ("testsuites", &[], &["name", "time", "tests", "failures", "errors"], &["testsuite"]),
    (
        "testsuite",
        &["name", "tests", "failures", "errors"],
        &["time", "skipped", "timestamp", "hostname", "id", "package"],
        &["testcase", "properties", "system-out", "system-err"],
    ),
    ("testcase", &["name"], &["time", "classname", "group"], &["skipped", "error", "failure", "system-out"]),
    ("failure", &[], &["type", "message"], &[]),
    ("skipped", &[], &["type", "message"], &[]),
];

#[test]
fn the_junit_report_has_the_elements_and_attributes_of_its_schema() {
    use quick_xml::events::Event;
    let file = tempfile::NamedTempFile::new().unwrap();
    let odd = checked(&["<&\"'>\u{1}\n]]>"]);
    checked::write_junit(file.path(), &[checked(&[]), odd, skipped("no <rocker>")]).unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    let mut reader = quick_xml::Reader::from_str(&text);
    let (mut open, mut count): (Vec<String>, usize) = (Vec::new(), 0);
    loop {
        let event = reader.read_event().unwrap();
        let (element, stays) = match &event {
            Event::Eof => break,
            Event::End(_) => {
                open.pop();
                continue;
            }
            Event::Start(element) => (element, true),
            Event::Empty(element) => (element, false),
            _ => continue,
        };
        let name = String::from_utf8_lossy(element.name().as_ref()).into_owned();
        let rule = |name: &str| JUNIT.iter().find(|(element, ..)| *element == name);
        let (_, required, further, _) = rule(&name).unwrap_or_else(|| panic!("{name} is not of the schema"));
        if let Some(outer) = open.last() {
            assert!(rule(outer).unwrap().3.contains(&&*name), "{name} in {outer}");
        }
        let attributes: Vec<String> = element
            .attributes()
            .map(|attribute| String::from_utf8_lossy(attribute.unwrap().key.as_ref()).into_owned())
            .collect();
        for attribute in &attributes {
            assert!(required.iter().chain(*further).any(|known| known == attribute), "{name}: {attribute}");
        }
        assert!(required.iter().all(|one| attributes.iter().any(|is| is == one)), "{name}: {attributes:?}");
        count += 1;
        if stays {
            open.push(name);
        }
    }
    // The whole, two suites, three checks, one failure and one skip.
    assert_eq!((count, open.len()), (8, 0), "{text}");
}
