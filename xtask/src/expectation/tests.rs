use clap::Parser as _;
use report::{Device, Finding, Firmware, GroupType};

use super::*;
use crate::cli::{Cli, Command};
use crate::fixture::{device, outcome, report_of};

/// The IOMMU and one device in a group.
fn report() -> Report {
    let mut report = report_of(&[&["0000:00:02.0"]]);
    report.devices[1].driver = Some("virtio-pci".into());
    report
}

/// The same machine when its IOMMU refuses the device.
fn refused() -> Report {
    let mut report = report();
    let why = "refused by the IOMMU: PROBE of endpoint 0x10: NOENT";
    report.devices[1] = Device { isolation_lost: true, ..device("0000:00:02.0", None, why) };
    report.groups.clear();
    report.iommus[0].devices.clear();
    report.judge();
    report
}

/// What `options` want of a boot of `report` on the usual route: its end, or why they make no sense.
fn applied(options: &[&str], report: Report) -> Result<Outcome, Stop> {
    let words = ["cargo xtask", "qemu"].iter().chain(options);
    let Command::Qemu(options) = Cli::try_parse_from(words).unwrap().command else { unreachable!() };
    let mut outcome = outcome(report);
    let start = KernelStart::default();
    if let Some(expectation) = Expectation::of_options(&options, &start)? {
        resolved(expectation, &start).apply(&mut outcome);
    }
    Ok(outcome)
}

/// What is wanted of a QEMU about which nothing is known.
fn resolved(expectation: Expectation, start: &KernelStart) -> Resolved {
    let no_tree = || anyhow::bail!("QEMU is not asked for its tree");
    expectation.resolve(start, |_| Ok(Capabilities::default()), no_tree).unwrap()
}

/// As [`applied`], for a file with this text.
fn by_file(text: &str, report: Report) -> Result<Outcome, Stop> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    applied(&["--expect", file.path().to_str().unwrap()], report)
}

fn saved(report: Report) -> String {
    outcome(report).to_json().unwrap()
}

fn last_line(outcome: &Outcome) -> String {
    outcome.report.to_string().lines().last().unwrap().to_owned()
}

#[test]
fn the_number_of_groups_decides() {
    let right = applied(&["--expect-groups", "1"], report()).unwrap();
    assert_eq!(right.kind, Kind::Pass);
    let wrong = applied(&["--expect-groups", "2"], report()).unwrap();
    assert_eq!((wrong.kind, wrong.report.result), (Kind::Fail, Verdict::Fail));
    assert!(last_line(&wrong).starts_with("FAIL: expected 2 groups, there are 1; 1 group, "));
    let json: serde_json::Value = serde_json::from_str(&wrong.to_json().unwrap()).unwrap();
    assert_eq!(json["expectation"]["groups"], 2);
    assert_eq!(json["expectation"]["differences"][0], "expected 2 groups, there are 1");
    assert_eq!(json["exit_status"], 1);
}

#[test]
fn the_right_number_of_groups_does_not_excuse_lost_isolation() {
    assert_eq!(applied(&["--expect-groups", "0"], refused()).unwrap().kind, Kind::Fail);
}

#[test]
fn nothing_is_compared_where_nothing_is_expected() {
    let outcome = applied(&[], report()).unwrap();
    assert_eq!(outcome.compared, None);
    assert!(!outcome.to_json().unwrap().contains("expectation"));
}

#[test]
fn a_saved_report_expects_itself() {
    let outcome = by_file(&saved(report()), report()).unwrap();
    assert_eq!(outcome.kind, Kind::Pass, "{:?}", outcome.report.failed_because);
}

#[test]
fn what_differs_from_a_saved_report_is_a_reason_to_fail() {
    let seen = |words: &str, change: fn(&mut Report)| {
        let mut is = report();
        change(&mut is);
        is.judge();
        let outcome = by_file(&saved(report()), is).unwrap();
        let reasons = &outcome.report.failed_because;
        assert_eq!(outcome.kind, Kind::Fail);
        assert!(
            reasons.iter().any(|one| one.starts_with("not as ") && one.contains(words)),
            "{words}: {reasons:?}"
        );
    };
    seen("0000:00:02.0: expected in group 0 {0000:00:02.0}, is in no group", |is| *is = refused());
    seen("expected type DMA, is identity", |is| is.groups[0].kind = GroupType::Identity);
    seen("expected reserved regions", |is| is.groups[0].reserved_regions.clear());
    seen("driver of 0000:00:02.0: expected virtio-pci, is -", |is| is.devices[1].driver = None);
    seen("IOMMUs: expected", |is| is.iommus[0].name = "0000:00:05.0".into());
    seen("unexpected warning: late", |is| is.warnings.push("late".into()));
    seen("invariant I3", |is| is.invariants[2].holds = false);
    seen("unexpected finding (warning): odd", |is| {
        let [id, device, sentence] = ["odd", "/pcie@0", "it is odd"].map(String::from);
        is.findings.push(Finding { id, severity: Severity::Warning, device, sentence });
    });
}

#[test]
fn the_words_after_the_kind_of_a_reason_and_the_time_may_differ() {
    let mut is = refused();
    is.devices[1].why = "refused by the IOMMU: ATTACH of endpoint 0x10: INVAL".into();
    is.timing_us.total = 7;
    is.judge();
    assert_eq!(by_file(&saved(refused()), is).unwrap().kind, Kind::Pass);
}

#[test]
fn a_failure_that_is_expected_passes_and_says_so() {
    let outcome = by_file(&saved(refused()), refused()).unwrap();
    assert_eq!((outcome.kind, outcome.report.result), (Kind::Pass, Verdict::Pass));
    assert!(
        outcome.report.warnings[0].starts_with("the verdict is fail, as "),
        "{:?}",
        outcome.report.warnings
    );
    assert!(outcome.report.warnings[0].contains("isolation lost for 0000:00:02.0"));
    let better = by_file(&saved(refused()), report()).unwrap();
    assert_eq!(better.kind, Kind::Fail);
}

#[test]
fn what_was_expected_of_the_saved_run_is_not_expected_of_this_one() {
    let wrong = applied(&["--expect-groups", "2"], report()).unwrap();
    assert_eq!(by_file(&wrong.to_json().unwrap(), report()).unwrap().kind, Kind::Pass);
}

#[test]
fn a_topology_or_its_expectation_alone_is_compared_too() {
    let expect = "[expect]\ngroups = [[\"0000:00:02.0\"]]\niommus = [\"0000:00:01.0\"]\n\
                  without = { \"0000:00:01.0\" = \"is the IOMMU\" }\n";
    let both = [expect.to_owned(), format!("probes = \"x\"\n{expect}")];
    for text in both {
        assert_eq!(by_file(&text, report()).unwrap().kind, Kind::Pass);
        let outcome = by_file(&text, refused()).unwrap();
        assert!(outcome.report.failed_because[1].contains("verdict: expected pass, is FAIL"));
    }
}

#[test]
fn a_topology_is_found_by_its_name_with_the_answer_of_linux() {
    let start = |firmware, path| KernelStart { firmware, path, ..KernelStart::default() };
    let read = |start: KernelStart| {
        let file = File::read(Path::new("flat"), &start).unwrap_or_else(|stop| panic!("{}", stop.message));
        let (_, expect, answers) =
            resolved(Expectation { groups: None, file: Some(file) }, &start).file.unwrap();
        (expect.result, answers.len())
    };
    assert_eq!(read(start(Firmware::Dt, probe::Path::Fixed)), (Kind::Pass, 1));
    assert_eq!(read(start(Firmware::Acpi, probe::Path::Legacy)), (Kind::Fail, 1));
}

#[test]
fn a_file_that_expects_nothing_sensible_is_wrong_usage() {
    for (text, words) in [
        ("", "missing field `expect`"),
        ("[expect]\ngroup = []\n", "unknown field `group`"),
        ("[expect]\nlinux = \"flat\"\n", "only a topology"),
        ("probes = \"x\"\nbogus = 1\n", "bogus"),
        ("not toml", "line 1"),
        ("{\"schema\":\"iogroups/1\"}", "not a report"),
    ] {
        let stop = by_file(text, report()).unwrap_err();
        assert_eq!(stop.kind, Kind::Usage);
        assert!(stop.message.starts_with("--expect: ") && stop.message.contains(words), "{}", stop.message);
    }
    let never = Outcome::without_report(Kind::Unable, "no QEMU".into()).to_json().unwrap();
    assert!(by_file(&never, report()).unwrap_err().message.contains("never started"));
    let absent = applied(&["--expect", "no/such.json"], report()).unwrap_err();
    assert!(absent.message.starts_with("--expect: no/such.json: cannot be read"), "{}", absent.message);
}
