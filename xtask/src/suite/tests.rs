use std::time::Duration;

use super::boots::run_difference;
use super::*;
use crate::topology::Malformed;

fn checked(differences: &[&str]) -> Checked {
    Checked {
        name: "simple".into(),
        layer: Layer::Boot,
        took: Duration::from_millis(1200),
        command: "qemu -M virt".into(),
        verdict: Verdict::of(differences.iter().map(|&text| text.into()).collect()),
    }
}

fn skipped(reason: &str) -> Checked {
    Checked::skipped("rocker".into(), reason.into())
}

#[test]
fn a_failure_shows_what_differs_and_the_command() {
    assert_eq!(checked(&[]).text(), "ok     boot simple (1.2 s)");
    assert_eq!(
        checked(&["missing group 1\nof two"]).text(),
        "FAILED boot simple (1.2 s)\n       missing group 1\n       of two\n       qemu -M virt"
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
    let summary = checked::summary(&results, Some("9.1.0"), Kind::Fail);
    assert_eq!(summary["qemu"], "9.1.0");
    assert_eq!(summary["skipped"], 3);
    assert_eq!(summary["skipped_reasons"]["no b"], 2);
    assert_eq!(
        (&summary["tests"][3]["result"], &summary["tests"][3]["reason"]),
        (&"skip".into(), &"no a".into())
    );
    assert_eq!(summary["passed"], 2);
    assert_eq!(summary["failed"], 1);
    assert_eq!(summary["exit_status"], 1);
    assert_eq!(summary["tests"][1]["differences"][0], "x");
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
    let wanted = |all, options: &TestArgs| wanted(all, options, &paths);
    let (topologies, malformed) = wanted(found(), &options("xtask test"));
    assert_eq!((topologies.len(), malformed.len()), (2, 1));
    let (topologies, malformed) = wanted(found(), &options("xtask test alpha"));
    assert_eq!((topologies.len(), malformed.len()), (1, 0));
    let (_, malformed) = wanted(found(), &options("xtask test --boot-only broken"));
    let checked = of_malformed(malformed.into_iter().next().unwrap());
    assert!(
        checked.verdict != Verdict::Passed && checked.text().contains("broken.toml is malformed: line 2")
    );
}
