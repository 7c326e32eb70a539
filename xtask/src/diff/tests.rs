use clap::Parser as _;
use report::{Finding, GroupType, Severity};

use super::compare::{Subject, differences};
use super::*;
use crate::cli::{Cli, Command};
use crate::fixture::report_of;

const A: &str = "0000:00:02.0";
const B: &str = "0000:00:03.0";

fn subjects(a: &Report, b: &Report) -> Vec<(Subject, String)> {
    differences(a, b).into_iter().map(|one| (one.subject, one.place)).collect()
}

#[test]
fn numbers_of_groups_and_times_are_no_difference() {
    let (a, mut b) = (report_of(&[&[A], &[B]]), report_of(&[&[B], &[A]]));
    b.timing_us.total = 77;
    assert_eq!(differences(&a, &b), []);
}

#[test]
fn each_device_whose_peers_changed_is_named_with_both_places() {
    let (a, b) = (report_of(&[&[A], &[B]]), report_of(&[&[A, B]]));
    let found = differences(&a, &b);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].subject, &*found[0].place), (Subject::Group, A));
    assert_eq!(found[0].a, "group 0, alone (own group)");
    assert_eq!(found[0].b, "group 0, with 0000:00:03.0 (own group)");
}

#[test]
fn a_lost_group_has_the_reason_and_a_missing_device_is_absent() {
    let a = report_of(&[&[A], &[B]]);
    let mut b = report_of(&[&[A]]);
    let device = b.devices.iter_mut().find(|device| device.name == A).expect("it is in the report");
    (device.group, device.why) = (None, "refused by the IOMMU: NOENT".into());
    b.groups.clear();
    let found = differences(&a, &b);
    assert_eq!(found[0].b, "no group: refused by the IOMMU: NOENT");
    assert_eq!((&*found[1].place, &*found[1].b), (B, "absent"));
    assert_eq!(differences(&b, &a)[1].a, "absent");
}

#[test]
fn names_of_a_firmware_language_count_within_it_alone() {
    let a = report_of(&[&[A]]);
    let mut b = a.clone();
    let mut platform = crate::fixture::device("a000000.virtio_mmio", None, "not in the firmware's map");
    platform.bus = "platform".into();
    b.devices.push(platform);
    let function = b.devices.iter_mut().find(|device| device.name == A).expect("it is in the report");
    function.source = Some("viot".into());
    assert_eq!(differences(&a, &b).len(), 2);
    b.run.firmware = "uefi-acpi".into();
    assert_eq!(differences(&a, &b), []);
    b.devices.last_mut().expect("there is one").bus = "pci".into();
    assert_eq!(differences(&a, &b).len(), 1, "a function has its name from its address");
}

#[test]
fn every_subject_is_compared() {
    let a = report_of(&[&[A]]);
    let changed = |change: fn(&mut Report)| {
        let mut b = a.clone();
        change(&mut b);
        subjects(&a, &b)
    };
    let of_device = |subject| vec![(subject, A.to_string())];
    let device = |report: &mut Report, change: fn(&mut report::Device)| {
        change(report.devices.iter_mut().find(|device| device.name == A).expect("it is in the report"));
    };
    assert_eq!(changed(|b| b.groups[0].kind = GroupType::Identity), of_device(Subject::DomainType));
    assert_eq!(changed(|b| b.groups[0].reserved_regions.clear()), of_device(Subject::Reserved));
    let mut b = a.clone();
    device(&mut b, |device| device.driver = Some("edu".into()));
    assert_eq!(subjects(&a, &b), of_device(Subject::Driver));
    let mut b = a.clone();
    device(&mut b, |device| device.endpoints = vec!["0x18".into()]);
    assert_eq!(subjects(&a, &b), of_device(Subject::Translation));
    let mut b = a.clone();
    device(&mut b, |device| {
        device.acs = Some(report::Acs { capability: "0x1".into(), control: "0x1".into() });
    });
    assert_eq!(subjects(&a, &b), of_device(Subject::Acs));
    let iommu = vec![(Subject::Iommu, a.iommus[0].name.clone())];
    assert_eq!(changed(|b| b.iommus[0].bypass = !b.iommus[0].bypass), iommu);
    let of_word = |subject, word: &str| vec![(subject, word.to_string())];
    assert_eq!(changed(|b| b.warnings.push("late".into())), of_word(Subject::Warning, "late"));
    assert_eq!(changed(|b| b.invariants[0].holds = false), of_word(Subject::Invariant, "I1"));
    assert_eq!(changed(|b| b.result = report::Verdict::Fail), of_word(Subject::Verdict, ""));
    let finding = |b: &mut Report| {
        let (id, device, sentence) = ("x".into(), A.into(), "y".into());
        b.findings.push(Finding { id, severity: Severity::Info, device, sentence });
    };
    assert_eq!(changed(finding), of_word(Subject::Finding, "0000:00:02.0 x"));
}

#[test]
fn two_findings_of_one_kind_at_one_place_are_both_compared() {
    let mut a = report_of(&[&[A]]);
    let finding = |sentence: &str| Finding {
        id: "x".into(),
        severity: Severity::Info,
        device: A.into(),
        sentence: sentence.into(),
    };
    a.findings = vec![finding("one"), finding("two")];
    assert_eq!(differences(&a, &a.clone()), []);
    let mut b = a.clone();
    b.findings.remove(0);
    assert_eq!(subjects(&a, &b).len(), 1);
}

#[test]
fn a_side_that_is_neither_a_file_nor_options_says_what_is_expected() {
    let diff = |a: &str| {
        let Command::Diff(options) = Cli::try_parse_from(["xtask", "diff", a, "/dev/null"]).unwrap().command
        else {
            panic!("it is a diff")
        };
        command(&options).unwrap_err()
    };
    assert!(diff("no-such-file.json").message.contains("options of cargo xtask qemu in quotes"));
    assert_eq!(diff("--path nonsense").kind, Kind::Usage);
    assert_eq!(diff("--path 'fixed").message, "--path 'fixed: a quote is not closed");
    assert!(diff("--dry-run").message.ends_with("there is no report of this"));
}
