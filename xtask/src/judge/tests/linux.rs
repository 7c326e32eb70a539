//! Answers of Linux.

use super::*;
use crate::answer::{Function, LATE_PROBE};
use crate::outcome::UNTRANSLATED;

/// Breaks one thing of a device.
type Break = fn(&mut Device);

/// A report that says what Linux says.
fn as_linux(answer: &LinuxAnswer) -> Report {
    let mut report = right();
    report.devices.clear();
    report.groups.clear();
    let is_iommu = |name: &str| answer.iommus.iter().any(|iommu| iommu.name == name);
    let of = |function: &Function, group: Option<u32>| {
        let driver = if is_iommu(&function.bdf) { "virtio-iommu" } else { &function.driver };
        let why = match group {
            Some(_) => "own group",
            None if is_iommu(&function.bdf) => "is the IOMMU",
            None => "refused by the IOMMU",
        };
        Device {
            id: function.id.clone(),
            class: Some(function.class.clone()),
            kind: function.report_kind().into(),
            driver: Some(driver.to_owned()).filter(|driver| driver != "-"),
            secondary_bus: None,
            physfn: None,
            vfs: None,
            untrusted: false,
            acs: function.acs_cap.as_ref().zip(function.acs_ctrl.as_ref()).map(|(capability, control)| {
                report::Acs { capability: capability.clone(), control: control.clone() }
            }),
            ..device(&function.bdf, group, why)
        }
    };
    for (id, linux) in (0..).zip(&answer.groups) {
        report.devices.extend(linux.devices.iter().map(|function| of(function, Some(id))));
        let members: Vec<&str> = linux.devices.iter().map(|function| function.bdf.as_str()).collect();
        report.groups.push(Group { kind: linux.kind, ..group(id, &members) });
    }
    report.devices.extend(answer.without_group.iter().map(|function| of(function, None)));
    report.iommus[0].devices.clone_from(&answer.iommus[0].devices);
    report.warnings = answer.lines(LATE_PROBE).map(String::from).collect();
    report
}

/// Judges a report by the answers of one Linux, as the path that it is compared with.
fn judge_by_linux(report: Report, machine: &str, by_tables: bool, version: &str) -> Vec<String> {
    let answers = LinuxAnswer::read(machine, by_tables, version).unwrap().alternatives();
    let log = answers[0].lines(UNTRANSLATED).map(String::from).collect();
    differences_from_any(&Outcome { log, ..outcome(report) }, &Expect::default(), &answers)
}

#[test]
fn linux_answers_are_compared_function_by_function() {
    let answer = LinuxAnswer::read("simple", false, "7.3.4").unwrap();
    let judge = |report: Report| judge_by_linux(report, "simple", false, "7.3.4");
    assert_eq!(judge(as_linux(&answer)), [""; 0]);
    let breaks: [(&str, Break); 6] = [
        ("expected ID", |device| device.id = "1:2".into()),
        ("expected class", |device| device.class = None),
        ("expected kind", |device| device.kind = "endpoint".into()),
        ("expected driver pcieport, is none", |device| device.driver = None),
        ("expected driver", |device| device.driver = Some("shpchp".into())),
        ("expected ACS control", |device| {
            device.acs = Some(report::Acs { capability: "0x5f".into(), control: "0x0".into() });
        }),
    ];
    for (word, break_it) in breaks {
        let mut report = as_linux(&answer);
        break_it(report.devices.iter_mut().find(|device| device.kind == "root-port").unwrap());
        let found = judge(report);
        assert!(found.iter().any(|difference| difference.contains(word)), "{word}: {found:?}");
    }
}

#[test]
fn the_answers_of_two_linuxes_are_told_apart() {
    for (version, by_tables, other, other_by_tables) in [
        ("6.12.95", false, "7.3.4", false),
        ("6.12.95", false, "6.12.95", true),
        ("6.12.95", true, "6.16.3", false),
        ("6.16.3", false, "6.16.3", true),
        ("6.16.3", true, "7.3.4", true),
    ] {
        let report = || as_linux(&LinuxAnswer::read("simple", by_tables, version).unwrap());
        assert_eq!(judge_by_linux(report(), "simple", by_tables, version), [""; 0], "{version}");
        assert_ne!(judge_by_linux(report(), "simple", other_by_tables, other), [""; 0], "{version} {other}");
    }
}

#[test]
fn an_iommu_whose_driver_did_not_survive_has_none() {
    let answer = LinuxAnswer::read("default-bypass", true, "7.3.4").unwrap();
    let judge = |report: Report| {
        let expect = Expect { warnings: vec!["NULL pointer".into()], ..Expect::default() };
        differences(&outcome(report), &expect, Some(&answer))
    };
    let mut report = as_linux(&answer);
    report.warnings = vec!["NULL pointer dereference: the IOMMU 0000:00:01.0 has no firmware node".into()];
    assert_eq!(judge(report.clone()), ["0000:00:01.0: expected driver none, is virtio-iommu"]);
    report.devices.iter_mut().find(|device| device.name == "0000:00:01.0").unwrap().driver = None;
    assert_eq!(judge(report), [""; 0]);
}

#[test]
fn late_probes_are_those_that_linux_warns_of() {
    let answer = LinuxAnswer::read("simple", false, "6.16.3").unwrap();
    let judge = |report: Report| judge_by_linux(report, "simple", false, "6.16.3");
    let mut report = as_linux(&answer);
    assert_eq!(report.warnings.len(), 6);
    let nvme = report.warnings.remove(4);
    assert_eq!(judge(report.clone()), [format!("only in Linux's log: {nvme}")]);
    report.warnings.push(nvme.replace("nvme", "virtio-pci"));
    assert_eq!(judge(report.clone()).len(), 2);
    report.warnings.pop();
    report.warnings.extend([nvme.clone(), nvme.replace("00:04.0", "00:00.0")]);
    assert_eq!(
        judge(report),
        ["not in Linux's log: nvme 0000:00:00.0: late IOMMU probe at driver bind, something fishy here!"]
    );
}

#[test]
fn what_a_map_does_not_translate_is_logged_as_linux_does() {
    let answer = LinuxAnswer::read("simple", false, "7.3.4").unwrap();
    let judge_path = |path: &str, log: &[&str]| {
        let log = log.iter().map(|&line| line.into()).collect();
        let mut report = as_linux(&answer);
        report.run.path = path.into();
        differences(&Outcome { log, ..outcome(report) }, &Expect::default(), Some(&answer))
    };
    let judge = |log: &[&str]| judge_path("upstream", log);
    let line = "OF: /pcie@10000000: no iommu-map translation for id 0x8 on (null)";
    assert_eq!(judge(&[line]), [""; 0]);
    assert_eq!(judge(&[]), [format!("only in Linux's log: {line}")]);
    assert_eq!(judge(&[line, "OF: another"]), ["not in Linux's log: OF: another"]);
    assert_eq!(judge_path("fixed", &[]), [""; 0]);
}

#[test]
fn an_answer_that_varies_may_be_any_of_its_answers_and_no_other() {
    let [grouped, none] =
        LinuxAnswer::read("pxb", false, "6.16.3").unwrap().alternatives().try_into().unwrap();
    let judge = |report: Report| judge_by_linux(report, "pxb", false, "6.16.3");
    assert_eq!(judge(as_linux(&grouped)), [""; 0]);
    assert_eq!(judge(as_linux(&none)), [""; 0]);
    let mut half = as_linux(&none);
    half.warnings = grouped.lines(LATE_PROBE).map(String::from).collect();
    assert_ne!(judge(half), [""; 0]);
    let mut renumbered = as_linux(&grouped);
    renumbered.groups[0].id = 1;
    renumbered.devices[0].group = Some(1);
    assert!(judge(renumbered)[0].contains("should have number 0"));
}

#[test]
fn drivers_that_gave_up_waiting_are_explained_where_linux_still_waited() {
    let answer = LinuxAnswer::read("pci-bridge", false, "7.3.4").unwrap();
    let judge = |report: Report| judge_by_linux(report, "pci-bridge", false, "7.3.4");
    let mut report = as_linux(&answer);
    assert_eq!(judge(report.clone()), [""; 0]);
    let waits = |name: &str| {
        format!("{name}: deferred probe timeout, ignoring dependency on /pcie: bound without an IOMMU")
    };
    let driver = |report: &mut Report, name: &str| {
        let device = report.devices.iter_mut().find(|device| device.name == name).unwrap();
        device.driver = Some("virtio-pci".into());
    };
    report.warnings.push(waits("0000:00:03.0"));
    driver(&mut report, "0000:00:03.0");
    assert_eq!(judge(report.clone()), [""; 0]);
    driver(&mut report, "0000:00:02.0");
    assert_eq!(judge(report.clone()), ["0000:00:02.0: expected driver none, is virtio-pci"]);
    driver(&mut report, "0000:00:01.0");
    report.warnings.push(waits("0000:00:01.0"));
    assert_eq!(judge(report).len(), 3);
}
