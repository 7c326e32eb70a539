//! Every difference must be seen: each test takes a boot that is right and breaks one thing.

use report::{Group, Invariant, Iommu, IommuState};

use super::*;
use crate::topology::Topology;

const EXPECT: &str = r#"
probes = "x"
[expect]
groups = [["0000:00:00.0"], ["0000:00:02.0", "0000:00:02.1"]]
reserved = ["0x0000000008020000 0x0000000008020fff msi"]
without = { "0000:00:01.0" = "is the IOMMU" }
iommus = ["0000:00:01.0"]
"#;

fn device(name: &str, group: Option<u32>, why: &str) -> Device {
    Device {
        name: name.into(),
        bus: "pci".into(),
        id: "1af4:1000".into(),
        class: Some("0x020000".into()),
        kind: "conventional".into(),
        driver: None,
        group,
        iommu: None,
        endpoints: Vec::new(),
        source: None,
        translations: Vec::new(),
        trigger: None,
        why: why.into(),
        isolation_lost: false,
        physfn: None,
        vfs: None,
        untrusted: false,
        acs: None,
    }
}

fn group(id: u32, members: &[&str]) -> Group {
    let region = ReservedRegion { start: "0x8020000".into(), end: "0x8020fff".into(), kind: "msi".into() };
    Group {
        id,
        kind: GroupType::Dma,
        reserved_regions: vec![region],
        devices: members.iter().map(|&member| member.into()).collect(),
    }
}

/// The report that [`EXPECT`] expects.
fn right() -> Report {
    let mut report = Report::of_error(report::Run::default(), String::new());
    (report.result, report.error) = (Verdict::Pass, None);
    report.run.path = "fixed".into();
    report.devices = vec![
        device("0000:00:00.0", Some(0), "own group"),
        device("0000:00:01.0", None, "is the IOMMU"),
        device("0000:00:02.0", Some(1), "own group"),
        device("0000:00:02.1", Some(1), "a function beside 0000:00:02.0"),
    ];
    report.groups = vec![group(0, &["0000:00:00.0"]), group(1, &["0000:00:02.0", "0000:00:02.1"])];
    report.iommus = vec![Iommu {
        name: "0000:00:01.0".into(),
        driver: "virtio-iommu".into(),
        transport: "pci".into(),
        state: IommuState::Ready,
        page_size_mask: "0xfffffffffffff000".into(),
        input_range: ["0x0".into(), "0xffffffffffffffff".into()],
        domain_range: ["0x0".into(), "0xffffffff".into()],
        bypass: true,
        devices: ["0000:00:00.0", "0000:00:02.0", "0000:00:02.1"].map(String::from).into(),
    }];
    let invariant = |number| Invariant { id: format!("I{number}"), holds: true, broken_by: None };
    report.invariants = (1..=INVARIANTS).map(invariant).collect();
    report
}

fn expect() -> Expect {
    Topology::parse("x", EXPECT).unwrap().expect
}

fn judge_with(expect: &str, report: Report) -> Vec<String> {
    judge_expecting(&Topology::parse("x", expect).unwrap().expect, report)
}

fn judge_expecting(expect: &Expect, mut report: Report) -> Vec<String> {
    report.judge();
    judge_as_it_is(expect, report)
}

/// Judges a report whose verdict may not follow from it.
fn judge_as_it_is(expect: &Expect, report: Report) -> Vec<String> {
    let log = BTreeSet::new();
    differences(
        &Outcome { kind: report.result.into(), report, log, compared: None, asked: None },
        expect,
        None,
    )
}

/// Judges the right report after `break_it`, and wants one difference that has all of `words`.
fn seen(words: &[&str], break_it: impl FnOnce(&mut Report)) {
    let mut report = right();
    break_it(&mut report);
    let found = judge_with(EXPECT, report);
    assert!(
        found.iter().any(|difference| words.iter().all(|word| difference.contains(word))),
        "{words:?} not in {found:#?}"
    );
}

/// Puts a device into another group, in every place where its group is said.
fn moved(report: &mut Report, name: &str, to: usize) {
    report.groups.iter_mut().for_each(|group| group.devices.retain(|member| member != name));
    report.groups[to].devices.push(name.into());
    let id = report.groups[to].id;
    report.devices.iter_mut().filter(|device| device.name == name).for_each(|device| device.group = Some(id));
}

#[test]
fn the_right_report_has_no_difference() {
    assert_eq!(judge_with(EXPECT, right()), [""; 0]);
}

#[test]
fn the_order_of_members_does_not_matter() {
    let mut report = right();
    report.groups[1].devices.reverse();
    assert_eq!(judge_with(EXPECT, report), [""; 0]);
}

#[test]
fn a_missing_group_is_seen() {
    seen(&["missing group 1 {0000:00:02.0, 0000:00:02.1}"], |report| {
        report.groups.pop();
        report.iommus[0].devices.truncate(1);
        report.devices[2].group = None;
        report.devices[3].group = None;
    });
}

#[test]
fn an_extra_group_is_seen() {
    seen(&["unexpected group 2 {0000:00:03.0}"], |report| {
        report.groups.push(group(2, &["0000:00:03.0"]));
        report.devices.push(device("0000:00:03.0", Some(2), "own group"));
    });
}

#[test]
fn an_extra_member_and_a_missing_one_are_seen() {
    seen(&["unexpected group 0 {0000:00:00.0, 0000:00:02.1}"], |report| moved(report, "0000:00:02.1", 0));
    seen(&["missing group 1"], |report| moved(report, "0000:00:02.1", 0));
}

#[test]
fn the_wrong_numbers_are_seen() {
    seen(&["should have number 1, it has 0"], |report| {
        report.groups.swap(0, 1);
        report.groups[0].id = 0;
        report.groups[1].id = 1;
        report.devices[0].group = Some(1);
        report.devices[2].group = Some(0);
        report.devices[3].group = Some(0);
    });
    seen(&["not in the order of numbers"], |report| report.groups.swap(0, 1));
}

#[test]
fn numbers_do_not_matter_where_devices_and_drivers_came_in_another_order() {
    let mut expect = Topology::parse("x", EXPECT).unwrap().expect;
    let mut report = right();
    report.groups.swap(0, 1);
    for (id, group) in (0..).zip(&mut report.groups) {
        group.id = id;
        report.devices.iter_mut().filter(|device| group.devices.contains(&device.name)).for_each(|device| {
            device.group = Some(id);
        });
    }
    let mut judge = |any_numbers| {
        expect.any_numbers = any_numbers;
        let (report, log) = (report.clone(), BTreeSet::new());
        differences(&Outcome { kind: Kind::Pass, report, log, compared: None, asked: None }, &expect, None)
            .len()
    };
    assert_eq!((judge(false), judge(true)), (2, 0));
}

#[test]
fn the_wrong_type_is_seen() {
    seen(&["group 1: expected type DMA, is identity"], |report| report.groups[1].kind = GroupType::Identity);
}

#[test]
fn wrong_reserved_regions_are_seen() {
    seen(&["group 0: expected reserved regions {msi 0x8020000-0x8020fff}, is {}"], |report| {
        report.groups[0].reserved_regions.clear();
    });
    seen(&["group 1: expected reserved"], |report| {
        report.groups[1].reserved_regions[0].end = "0x8020ffe".into();
    });
    seen(&["group 1: expected reserved"], |report| {
        report.groups[1].reserved_regions[0].kind = "reserved".into();
    });
    seen(&["group 1: expected reserved"], |report| {
        report.groups[1].reserved_regions[0].start = "nonsense".into();
    });
}

#[test]
fn a_device_without_a_group_needs_the_expected_reason() {
    seen(&["0000:00:01.0", "expected the reason \"is the IOMMU\""], |report| {
        report.devices[1].why = "no IOMMU in this machine".into();
    });
    seen(&["0000:00:01.0", "not one of the closed set"], |report| report.devices[1].why = "no idea".into());
    seen(&["0000:00:01.0 should be listed without a group"], |report| {
        report.devices.remove(1);
    });
    seen(&["0000:00:05.0 is unexpectedly without a group"], |report| {
        report.devices.push(device("0000:00:05.0", None, "bus bypasses"));
    });
}

#[test]
fn the_reasons_of_linux_are_for_its_paths_alone() {
    let expect = EXPECT.replace("is the IOMMU", "abandoned");
    let mut report = right();
    report.devices[1].why = "abandoned: the registration ended".into();
    assert_eq!(judge_with(&expect, report.clone()).len(), 1);
    report.run.path = "upstream".into();
    assert_eq!(judge_with(&expect, report), [""; 0]);
}

#[test]
fn an_iommu_whose_driver_did_not_survive_has_none() {
    let answer = Answer::read("default-bypass", true, "7.3.4").unwrap();
    let judge = |report: Report| {
        let expect = Expect { warnings: vec!["oops".into()], ..Expect::default() };
        differences(
            &Outcome { kind: Kind::Pass, report, log: BTreeSet::new(), compared: None, asked: None },
            &expect,
            Some(&answer),
        )
    };
    let mut report = as_linux(&answer);
    report.warnings = vec!["oops: the IOMMU 0000:00:01.0 has no firmware node".into()];
    assert_eq!(judge(report.clone()), ["0000:00:01.0: expected driver none, is virtio-iommu"]);
    report.devices.iter_mut().find(|device| device.name == "0000:00:01.0").unwrap().driver = None;
    assert_eq!(judge(report), [""; 0]);
}

#[test]
fn a_tolerated_finding_may_be_there_or_not() {
    let mut expect = expect();
    expect.tolerated = vec![vec!["/pcie@10000000".into(), "ranges".into()]];
    let mut report = right();
    assert_eq!(judge_expecting(&expect, report.clone()), [""; 0]);
    report.findings.push(Finding {
        id: "odd".into(),
        severity: Severity::Warning,
        device: "/pcie@10000000".into(),
        sentence: "ranges is cut short".into(),
    });
    assert_eq!(judge_expecting(&expect, report.clone()), [""; 0]);
    report.findings[0].device = "/pcie@20000000".into();
    assert_ne!(judge_expecting(&expect, report), [""; 0]);
}

#[test]
fn a_report_that_contradicts_itself_is_seen() {
    seen(&["0000:00:02.1 is in group 0 by itself, but in group 1"], |report| {
        report.devices[3].group = Some(0)
    });
    seen(&["0000:00:00.0 is twice"], |report| report.devices.push(report.devices[0].clone()));
    seen(&["0000:00:02.0 is in group 0 and in group 1"], |report| {
        report.groups[0].devices.push("0000:00:02.0".into());
    });
    seen(&["0000:00:02.1 is in a group and not among the devices"], |report| {
        report.devices.pop();
    });
    seen(&["translated by IOMMUs are {0000:00:00.0, 0000:00:02.0}"], |report| {
        report.iommus[0].devices.pop();
    });
}

#[test]
fn a_broken_or_silent_invariant_is_seen() {
    seen(&["invariant I4: broken"], |report| report.invariants[3].holds = false);
    seen(&["invariant I11 is not reported"], |report| {
        report.invariants.pop();
    });
}

#[test]
fn the_wrong_verdict_is_seen() {
    seen(&["verdict: expected pass, is FAIL (invariant I1 violated"], |report| {
        report.invariants[0].holds = false;
    });
    let found = judge_as_it_is(&expect(), Report { error: Some("why".into()), ..right() });
    assert!(found.contains(&"the verdict and the error text do not go together".into()), "{found:?}");
    let mut lost = right();
    lost.devices[1].isolation_lost = true;
    let found = judge_as_it_is(&expect(), lost);
    assert!(found[0].starts_with("the verdict does not follow from the report: expected FAIL"), "{found:?}");
}

#[test]
fn the_reason_to_fail_must_be_the_expected_one() {
    let expect = format!("{EXPECT}result = \"fail\"\nbecause = [[\"0000:00:01.0\", \"IOMMU\"]]\n");
    let mut report = right();
    report.devices[1].isolation_lost = true;
    assert_eq!(judge_with(&expect, report.clone()), [""; 0]);
    let found = judge_with(&expect.replace("00:01.0\", \"", "00:01.0\", \"refused "), report);
    assert_eq!(found, ["no reason to fail speaks of {0000:00:01.0, refused IOMMU}"]);
}

#[test]
fn a_missing_or_another_iommu_is_seen() {
    seen(&["IOMMUs: expected {0000:00:01.0}, is {}"], |report| report.iommus.clear());
    seen(&["IOMMUs: expected"], |report| report.iommus[0].name = "0000:00:07.0".into());
}

const TWO_INSTANCES: &str = r#"
probes = "x"
[expect]
groups = [["0000:00:00.0"], ["0000:00:02.0", "0000:00:02.1"]]
without = { "0000:00:01.0" = "is the IOMMU" }
iommus = ["0000:00:01.0", "mmio"]
[expect.translated."0000:00:01.0"]
devices = ["0000:00:00.0", "0000:00:02.0"]
reserved = ["0x8020000 0x8020fff msi"]
[expect.translated.mmio]
devices = ["0000:00:02.0", "0000:00:02.1"]
reserved = ["0x8000000 0x80fffff msi", "0x8020000 0x8020fff reserved"]
"#;

/// The report that [`TWO_INSTANCES`] expects: group 1 is behind both.
fn two_instances() -> Report {
    let mut report = right();
    let region = |start: &str, end: &str, kind: &str| ReservedRegion {
        start: start.into(),
        end: end.into(),
        kind: kind.into(),
    };
    report.groups[1].reserved_regions =
        vec![region("0x8000000", "0x80fffff", "msi"), region("0x8020000", "0x8020fff", "reserved")];
    report.iommus[0].devices.pop();
    let devices = ["0000:00:02.0", "0000:00:02.1"].map(String::from).into();
    report.iommus.push(Iommu { name: "mmio".into(), devices, ..report.iommus[0].clone() });
    report
}

#[test]
fn each_instance_has_its_own_devices_and_regions() {
    assert_eq!(judge_with(TWO_INSTANCES, two_instances()), [""; 0]);
    let broken = |break_it: fn(&mut Report)| {
        let mut report = two_instances();
        break_it(&mut report);
        judge_with(TWO_INSTANCES, report).join("; ")
    };
    let found = broken(|report| report.iommus[1].devices.push("0000:00:00.0".into()));
    assert!(found.contains("translated by mmio: expected {0000:00:02.0, 0000:00:02.1}"), "{found}");
    let found = broken(|report| drop(report.iommus.pop()));
    assert!(found.contains("translated by mmio") && found.contains("is {}"), "{found}");
    let found = broken(|report| report.iommus.swap(0, 1));
    assert!(found.contains("IOMMUs: expected {0000:00:01.0, mmio}"), "{found}");
    let found = broken(|report| report.groups[0].reserved_regions[0].start = "0x8000000".into());
    assert!(found.contains("group 0: expected reserved regions {msi 0x8020000-0x8020fff}"), "{found}");
    let found = broken(|report| drop(report.groups[1].reserved_regions.pop()));
    assert!(found.contains("group 1: expected reserved regions"), "{found}");
}

#[test]
fn findings_and_warnings_that_nobody_expects_are_seen() {
    let finding = |severity| Finding {
        id: "odd".into(),
        severity,
        device: "/pcie@10000000".into(),
        sentence: "ranges is cut short".into(),
    };
    seen(&["unexpected finding (error): odd /pcie@10000000"], |report| {
        report.findings.push(finding(Severity::Error))
    });
    seen(&["unexpected warning: late"], |report| report.warnings.push("late".into()));
    let mut report = right();
    report.findings.push(finding(Severity::Info));
    assert_eq!(judge_with(EXPECT, report.clone()), [""; 0], "what is only worth knowing is no failure");
    report.findings[0] = finding(Severity::Warning);
    let expect = format!("{EXPECT}findings = [[\"/pcie@10000000\", \"ranges\"]]\n");
    assert_eq!(judge_with(&expect, report), [""; 0]);
}

#[test]
fn an_expected_finding_error_or_warning_that_does_not_come_is_seen() {
    let expect = format!("{EXPECT}findings = [[\"memory\", \"reg\"]]\nwarnings = [\"unknown\"]\n");
    let found = judge_with(&expect, right());
    assert_eq!(found.len(), 2, "{found:?}");
    let mut report = right();
    report.warnings.push("an unknown word".into());
    report.error = Some("/memory@40000000: reg is cut short".into());
    assert_eq!(judge_with(&format!("{expect}result = \"error\"\n"), report), [""; 0]);
}

#[test]
fn the_facts_of_the_run_are_compared() {
    let expect = format!("{EXPECT}run = {{ exception_level = 2, cpus = 2, memory_mib = 128 }}\n");
    let mut report = right();
    assert_eq!(judge_with(&expect, report.clone()).len(), 3);
    report.run.exception_level = 2;
    report.run.cpus = 2;
    report.run.memory_bytes = 128 << 20;
    assert_eq!(judge_with(&expect, report), [""; 0]);
}

#[test]
fn a_device_that_must_be_there_is_missed() {
    let expect = format!("{EXPECT}run.devices = [\"3f000000.pcie\"]\n");
    let mut report = right();
    assert_eq!(judge_with(&expect, report.clone()), ["3f000000.pcie is not among the devices"]);
    report
        .devices
        .push(Device { bus: "platform".into(), ..device("3f000000.pcie", None, "no IOMMU in this machine") });
    assert_eq!(judge_with(&expect, report), [""; 0]);
}

#[test]
fn too_many_instructions_are_seen_and_so_is_a_clock_that_stands_still() {
    let expect = EXPECT.replace(
        "[expect]",
        "args = \"-icount shift=0,sleep=off\"\n[expect]\ninstructions_below = 2_000_000",
    );
    for (microseconds, differences) in [(0, 1), (1_999, 0), (2_000, 1), (30_000, 1)] {
        let mut report = right();
        report.timing_us.total = microseconds;
        assert_eq!(judge_with(&expect, report).len(), differences, "{microseconds}");
    }
}

#[test]
fn a_run_that_broke_off_is_one_difference_with_its_text() {
    let outcome = Outcome::without_report(Kind::Timeout, "it did not end".into());
    let expect = Topology::parse("x", EXPECT).unwrap().expect;
    assert_eq!(differences(&outcome, &expect, None), ["timeout: it did not end"]);
}

/// Breaks one thing of a device.
type Break = fn(&mut Device);

/// A report that says what Linux says.
fn as_linux(answer: &Answer) -> Report {
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
    let answers = Answer::read(machine, by_tables, version).unwrap().alternatives();
    let log = answers[0].lines(UNTRANSLATED).map(String::from).collect();
    differences_from_any(
        &Outcome { kind: Kind::Pass, report, log, compared: None, asked: None },
        &Expect::default(),
        &answers,
    )
}

#[test]
fn linux_answers_are_compared_function_by_function() {
    let answer = Answer::read("simple", false, "7.3.4").unwrap();
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
        let report = || as_linux(&Answer::read("simple", by_tables, version).unwrap());
        assert_eq!(judge_by_linux(report(), "simple", by_tables, version), [""; 0], "{version}");
        assert_ne!(judge_by_linux(report(), "simple", other_by_tables, other), [""; 0], "{version} {other}");
    }
}

#[test]
fn another_driver_than_the_one_named_is_seen() {
    let expect = format!("{EXPECT}drivers = {{ \"0000:00:00.0\" = \"-\", \"0000:00:02.0\" = \"nvme\" }}\n");
    let mut report = right();
    assert_eq!(judge_with(&expect, report.clone()), ["driver of 0000:00:02.0: expected nvme, is -"]);
    report.devices[2].driver = Some("nvme".into());
    assert_eq!(judge_with(&expect, report.clone()), [""; 0]);
    report.devices[0].driver = Some("shpchp".into());
    assert_eq!(judge_with(&expect, report), ["driver of 0000:00:00.0: expected -, is shpchp"]);
    let absent = expect.replace("00:00.0\" = \"-\"", "00:07.0\" = \"-\"");
    assert_eq!(judge_with(&absent, right())[1], "driver of 0000:00:07.0: expected -, is that of no device");
}

#[test]
fn late_probes_are_those_that_linux_warns_of() {
    let answer = Answer::read("simple", false, "6.16.3").unwrap();
    let judge = |report: Report| judge_by_linux(report, "simple", false, "6.16.3");
    let mut report = as_linux(&answer);
    assert_eq!(report.warnings.len(), 6);
    let nvme = report.warnings.remove(4);
    assert_eq!(judge(report.clone()), [format!("Linux says, and there is no: {nvme}")]);
    report.warnings.push(nvme.replace("nvme", "virtio-pci"));
    assert_eq!(judge(report.clone()).len(), 2);
    report.warnings.pop();
    report.warnings.extend([nvme.clone(), nvme.replace("00:04.0", "00:00.0")]);
    assert_eq!(
        judge(report),
        ["Linux does not say: nvme 0000:00:00.0: late IOMMU probe at driver bind, something fishy here!"]
    );
}

#[test]
fn what_a_map_does_not_translate_is_logged_as_linux_does() {
    let answer = Answer::read("simple", false, "7.3.4").unwrap();
    let judge = |log: &[&str]| {
        let log = log.iter().map(|&line| line.into()).collect();
        let outcome =
            Outcome { kind: Kind::Pass, report: as_linux(&answer), log, compared: None, asked: None };
        differences(&outcome, &Expect::default(), Some(&answer))
    };
    let line = "OF: /pcie@10000000: no iommu-map translation for id 0x8 on (null)";
    assert_eq!(judge(&[line]), [""; 0]);
    assert_eq!(judge(&[]), [format!("Linux says, and there is no: {line}")]);
    assert_eq!(judge(&[line, "OF: another"]), ["Linux does not say: OF: another"]);
}

#[test]
fn an_answer_that_varies_may_be_any_of_its_answers_and_no_other() {
    let [grouped, none] = Answer::read("pxb", false, "6.16.3").unwrap().alternatives().try_into().unwrap();
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
    let answer = Answer::read("pci-bridge", false, "7.3.4").unwrap();
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

#[test]
fn an_invariant_that_must_be_broken_is_and_no_other() {
    let expect = format!("{EXPECT}breaks = [\"I2\", \"I3\"]\nresult = \"fail\"\n");
    let mut report = right();
    report.invariants[1].holds = false;
    assert_eq!(judge_with(&expect, report.clone()), ["invariant I3: expected to be broken, holds"]);
    report.invariants[2].holds = false;
    assert_eq!(judge_with(&expect, report.clone()), [""; 0]);
    report.invariants[8].holds = false;
    assert_eq!(judge_with(&expect, report.clone()), ["invariant I9: broken by an unnamed cause"]);
    report.invariants[8].holds = true;
    let found = judge_with(&expect.replace("I3", "I33"), report);
    assert!(found.contains(&"the expectation names I33, which is no invariant".into()), "{found:?}");
}

#[test]
fn a_race_has_all_its_rounds_with_both_cpus_in_them() {
    let mut expect = Topology::parse("x", EXPECT).unwrap().expect;
    let found = |expect: &Expect, race: Option<(u64, u64)>| {
        let mut report = right();
        report.race = race.map(|(rounds, switches)| report::Race {
            about: String::new(),
            path: "fixed".into(),
            seed: 0,
            rounds,
            pieces: [rounds, rounds],
            switches,
            broken: Vec::new(),
            not_provoked: Vec::new(),
            partitions: Vec::new(),
        });
        let mut found = Vec::new();
        super::race(&report, expect, &mut found);
        found.join("; ")
    };
    assert_eq!(found(&expect, None), "");
    assert!(found(&expect, Some((10, 20))).contains("nobody asked"));
    expect.rounds = Some(10);
    assert_eq!(found(&expect, Some((10, 20))), "");
    assert!(found(&expect, None).contains("no scenario was played"));
    assert!(found(&expect, Some((9, 20))).contains("expected 10 rounds, there were 9"));
    assert!(found(&expect, Some((10, 9))).contains("followed the other 9 times"));
}

#[test]
fn an_invariant_that_may_break_may_and_no_other() {
    let mut report = right();
    report.invariants[1].holds = false;
    let found = |may_break: &[&str]| {
        let expect =
            Expect { may_break: may_break.iter().map(ToString::to_string).collect(), ..Expect::default() };
        let mut found = Vec::new();
        invariants(&report, &expect, &mut found);
        found.join("; ")
    };
    assert_eq!(found(&["I2"]), "");
    assert!(found(&["I3"]).contains("invariant I2: broken"));
    assert!(found(&["I2", "I99"]).contains("I99"));
}
