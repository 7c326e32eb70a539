use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::fixture::device;
use crate::ktap_tests::failures_in_ktap;

fn virtio_mmio(slot: usize) -> Device {
    Device {
        name: format!("a00{:x}000.virtio_mmio", slot),
        bus: "platform".to_string(),
        id: "virtio,mmio".to_string(),
        class: None,
        kind: "platform".to_string(),
        driver: None,
        ..device("", None, "not in the firmware's map")
    }
}

/// A group of one device, the IOMMU and five unused platform devices.
pub(crate) fn sample() -> Report {
    let mut report = Report::of_error(Run::default(), String::new());
    report.error = None;
    report.result = Verdict::Pass;
    report.groups = vec![Group {
        id: 0,
        kind: GroupType::Dma,
        reserved_regions: vec![ReservedRegion {
            start: "0x8020000".to_string(),
            end: "0x8020fff".to_string(),
            kind: "msi".to_string(),
        }],
        devices: vec!["0000:00:02.0".to_string()],
    }];
    report.devices =
        vec![device("0000:00:01.0", None, "is the IOMMU"), device("0000:00:02.0", Some(0), "own group")];
    report.devices.extend((0..5).map(virtio_mmio));
    report.invariants = vec![Invariant { id: "I1".to_string(), holds: true, broken_by: None }];
    report.timing_us.total = 12_345;
    report
}

#[test]
fn the_text_shows_groups_then_the_rest_then_the_verdict() {
    assert_eq!(
        sample().to_string(),
        "IOMMU Group 0: DMA, msi 0x8020000-0x8020fff\n\
         \t0000:00:02.0 [0200]: 1af4:1000 virtio-pci\n\
         Without a group:\n\
         \t0000:00:01.0 [0200]: 1af4:1000 virtio-pci: is the IOMMU\n\
         \t5 platform devices that no firmware map mentions (--verbose or report=verbose lists them)\n\
         PASS: 1 group, 7 devices (6 without a group), 0 IOMMUs, 0 findings, 0 warnings, 12.3 ms\n"
    );
}

#[test]
fn verbose_text_has_a_line_for_each_device() {
    let text = Verbose(&sample()).to_string();
    assert_eq!(text.matches("virtio_mmio: virtio,mmio: not in the firmware's map\n").count(), 5, "{text}");
    assert!(!text.contains("no firmware map mentions"), "{text}");
}

#[test]
fn a_platform_device_that_lost_its_isolation_is_not_folded() {
    let mut report = sample();
    report.devices[3].isolation_lost = true;
    report.devices[3].why = "not in the firmware's map: iommus-dangling".to_string();
    let text = report.to_string();
    assert!(
        text.contains("\ta001000.virtio_mmio: virtio,mmio: not in the firmware's map: iommus-dang"),
        "{text}"
    );
    assert!(text.contains("\t4 platform devices that no firmware map"), "{text}");
}

#[test]
fn alike_pci_devices_are_shown_in_one_line_from_four_on() {
    let mut report = sample();
    report.devices = (0..3).map(|slot| device(&format!("0000:00:0{slot}.0"), None, "bus bypasses")).collect();
    assert_eq!(report.to_string().matches("virtio-pci: bus bypasses\n").count(), 3);
    report.devices.push(device("0000:00:03.0", None, "bus bypasses"));
    let folded =
        "\t0000:00:00.0 [0200]: 1af4:1000 virtio-pci to 0000:00:03.0, 4 devices, each: bus bypasses\n";
    assert!(report.to_string().contains(folded), "{report}");
}

#[test]
fn a_broken_invariant_is_named_with_its_cause() {
    let mut report = sample();
    report.invariants[0] = Invariant {
        id: "I4".to_string(),
        holds: false,
        broken_by: Some("0000:00:01.0 has a group".to_string()),
    };
    report.judge();
    let text = report.to_string();
    assert!(text.contains("invariant I4 violated: 0000:00:01.0 has a group\n"), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("FAIL: invariant I4 violated: 0000:00:01.0 has a group; 1 group, "), "{text}");
    assert_eq!(report.exit_status(), 1);
}

#[test]
fn an_error_is_said_before_the_last_line() {
    let text = Report::of_error(Run::default(), "no memory node".to_string()).to_string();
    assert_eq!(
        text,
        "error: no memory node\n\
         ERROR: 0 groups, 0 devices (0 without a group), 0 IOMMUs, 0 findings, 0 warnings, 0.0 ms\n"
    );
}

#[test]
fn findings_and_warnings_are_in_the_text() {
    let mut report = sample();
    report.warnings.push("unknown word on the command line: foo".to_string());
    report.findings.push(Finding {
        id: "map-covers-iommu".to_string(),
        severity: Severity::Warning,
        device: "/pcie@10000000:iommu-map".to_string(),
        sentence: "covers 0000:00:01.0".to_string(),
    });
    let text = report.to_string();
    assert!(text.contains(
        "warning[map-covers-iommu] /pcie@10000000:iommu-map: covers 0000:00:01.0\n\
         warning: unknown word on the command line: foo\n"
    ));
    assert!(text.contains(", 1 finding (1 warning), 1 other warning, "), "{text}");
    let of = |severity| Finding { severity, ..report.findings[0].clone() };
    let more = [Severity::Error, Severity::Info, Severity::Info, Severity::Warning].map(of);
    report.findings.extend(more);
    let text = report.to_string();
    assert!(text.contains(", 5 findings (1 error, 2 warnings, 2 info), 1 other warning, "), "{text}");
}

#[test]
fn a_class_that_is_too_short_is_left_out() {
    let mut report = sample();
    report.devices[1].class = Some("0x0é".to_string());
    assert!(report.to_string().contains("\t0000:00:02.0: 1af4:1000 virtio-pci\n"));
}

#[test]
fn json_is_one_line_that_begins_with_the_schema_and_reads_back() {
    let report = sample();
    let line = report.to_json_line();
    assert!(line.starts_with(r#"{"schema":"iogroups/1","#), "{line}");
    assert!(!line.contains('\n'));
    assert!(line.contains(r#""type":"DMA""#), "{line}");
    assert!(line.contains(r#""group":null"#), "{line}");
    assert_eq!(Report::from_json(&line).unwrap(), report);
}

#[test]
fn a_device_of_several_iommus_lists_them_and_others_have_no_list() {
    let mut report = sample();
    assert!(!report.to_json_line().contains("translations"));
    let of = |iommu: &str, endpoint: &str| Translation {
        iommu: iommu.to_string(),
        endpoints: vec![endpoint.to_string()],
        source: "iommus".to_string(),
    };
    report.devices[1].translations = vec![of("0000:00:01.0", "0x10"), of("a000000.virtio_mmio", "0x3")];
    let line = report.to_json_line();
    let expected = r#""translations":[{"iommu":"0000:00:01.0","endpoints":["0x10"],"source":"iommus"},"#;
    assert!(line.contains(expected), "{line}");
    assert_eq!(Report::from_json(&line).unwrap(), report);
}

#[test]
fn what_two_cpus_did_is_there_only_if_they_were_asked_to() {
    let mut report = sample();
    assert!(!report.to_json_line().contains("two_cpus"));
    report.two_cpus = Some(TwoCpus {
        affinity: "0x1".to_string(),
        rounds: 8,
        pieces: [16, 16],
        counted: 32,
        switches: 30,
        unlocked: 100,
        lost_unlocked: 7,
        at_the_same_time: true,
    });
    let line = report.to_json_line();
    assert!(
        line.contains(r#""two_cpus":{"affinity":"0x1","rounds":8,"pieces":[16,16],"counted":32,"#),
        "{line}"
    );
    assert_eq!(Report::from_json(&line).unwrap(), report);
}

#[test]
fn a_race_says_what_broke_how_often_and_what_was_not_provoked() {
    let mut report = sample();
    assert!(!report.to_json_line().contains("race"));
    let broken =
        BrokenInRace { id: "I3".to_string(), rounds: 12, first_round: 5, broken_by: "late".to_string() };
    let reached = ReachedInRace {
        groups: vec![vec!["a".to_string()], vec!["b".to_string(), "c".to_string()]],
        rounds: 100,
    };
    report.race = Some(Race {
        about: "two CPUs".to_string(),
        path: "upstream".to_string(),
        seed: 7,
        rounds: 100,
        pieces: [300, 200],
        switches: 150,
        broken: vec![broken],
        not_provoked: vec!["I2".to_string()],
        partitions: vec![reached],
    });
    let text = report.to_string();
    for part in [
        "Race on upstream, 100 rounds, seed 7: two CPUs\n",
        "\tI3 was violated in 12 rounds, first in round 5: late\n",
        "\tI2 was not reproduced in 100 rounds, although some order of the steps violates it\n",
        "\t100 rounds ended in: a | b c\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert_eq!(Report::from_json(&report.to_json_line()).unwrap(), report);
}

#[test]
fn dma_says_what_was_transferred_where_and_what_was_refused() {
    let mut report = sample();
    assert!(!report.to_json_line().contains("dma"));
    let transfer = Transfer {
        what: "read sector 8".to_string(),
        direction: "from-device".to_string(),
        iova: "0xffffe000".to_string(),
        physical: "0x40800000".to_string(),
        bytes: 512,
    };
    let refused = Refused {
        what: "write after the buffer was unmapped".to_string(),
        iova: "0xffffe000".to_string(),
        bytes: 512,
        fault: Some("mapping".to_string()),
        faults: 128,
        faults_lost: true,
    };
    let translated = DeviceDma {
        device: "0000:00:03.0".to_string(),
        engine: "virtio-blk".to_string(),
        translation: "DMA".to_string(),
        transfers: vec![transfer],
        refused: vec![refused],
        ..DeviceDma::default()
    };
    let direct = DeviceDma {
        device: "0000:00:04.0".to_string(),
        engine: "edu".to_string(),
        translation: "none".to_string(),
        untranslated_because: Some("no IOMMU in this machine".to_string()),
        error: Some("0x40000000 is out of reach".to_string()),
        ..DeviceDma::default()
    };
    report.dma = vec![translated, direct];
    let text = report.to_string();
    for part in [
        "DMA of 0000:00:03.0 (virtio-blk): through its group's domain, DMA\n",
        "\tread sector 8: 512 bytes, 0xffffe000 -> RAM at 0x40800000\n",
        "\trefused: write after the buffer was unmapped: 512 bytes at 0xffffe000: mapping (128 in all, more were lost)\n",
        "DMA of 0000:00:04.0 (edu): not translated, nothing is isolated: no IOMMU in this machine\n",
        "\tfailed: 0x40000000 is out of reach\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert_eq!(Report::from_json(&report.to_json_line()).unwrap(), report);
}

fn case(id: &str, outcome: CaseOutcome) -> SuiteCase {
    SuiteCase { id: id.to_string(), outcome, clause: None, detail: format!("what {id} saw"), answer: None }
}

#[test]
fn a_suite_fails_the_run_by_a_failed_case_only_or_by_having_none() {
    let mut report = sample();
    let outcomes = [CaseOutcome::Passed, CaseOutcome::Deviation, CaseOutcome::Skipped];
    let cases = outcomes.map(|outcome| case(outcome.word(), outcome)).to_vec();
    report.suites = vec![SuiteReport { name: "protocol".to_string(), duration_us: 17, cases }];
    report.judge();
    assert_eq!((report.result, report.failed_because.len()), (Verdict::Pass, 0));
    assert_eq!(failures_in_ktap(&report), [""; 0]);
    let ktap = Ktap(&report).to_string();
    assert!(ktap.contains(" suite.protocol.skipped # SKIP what skipped saw\n"), "{ktap}");

    report.suites[0].cases.push(case("a", CaseOutcome::Failed));
    report.judge();
    assert_eq!(report.failed_because, ["suite protocol: a: what a saw"]);
    assert_eq!(failures_in_ktap(&report)[0], "not ok 12 suite.protocol.a # failed what a saw");
    let text = report.to_string();
    assert!(text.contains("Suite protocol: 4 cases, 1 passed, 1 deviation, 1 skipped, 1 failed, 17 us\n"));
    assert!(
        text.contains("\tdeviation deviation: what deviation saw\n") && !text.contains("what passed saw")
    );

    report.suites[0].cases.clear();
    report.judge();
    assert_eq!(report.failed_because, ["suite protocol: no case ran"]);
}

/// A report with a value in each field.
fn full() -> Report {
    let mut report = sample();
    report.run = Run { order: Some("seed:7".to_string()), cpus: 3, memory_bytes: u64::MAX, ..Run::default() };
    report.warnings = (0..0x250).filter_map(char::from_u32).map(String::from).collect();
    report.warnings.push("\"\\ \u{1f600}".to_string());
    report.iommus =
        vec![IommuState::Published, IommuState::Ready, IommuState::Unregistered, IommuState::Dead]
            .into_iter()
            .map(|state| Iommu {
                name: "0000:00:01.0".to_string(),
                driver: "virtio-iommu".to_string(),
                transport: "pci".to_string(),
                state,
                page_size_mask: "0xfffffffffffff000".to_string(),
                input_range: ["0x0".to_string(), "0xff".to_string()],
                domain_range: ["0x1".to_string(), "0xffffffff".to_string()],
                bypass: state == IommuState::Ready,
                devices: vec!["0000:00:02.0".to_string(), "0000:00:03.0".to_string()],
            })
            .collect();
    for kind in [GroupType::DmaFq, GroupType::Identity, GroupType::Unknown] {
        report.groups.push(Group { id: 10, kind, reserved_regions: Vec::new(), devices: Vec::new() });
    }
    for severity in [Severity::Info, Severity::Warning, Severity::Error] {
        let (id, place) = ("map-covers-iommu".to_string(), "/pcie".to_string());
        report.findings.push(Finding { id, severity, device: place, sentence: "what; so".to_string() });
    }
    let translation = Translation {
        iommu: "0000:00:01.0".to_string(),
        endpoints: vec!["0x8".to_string()],
        source: "iommu-map".to_string(),
    };
    report.devices.push(Device {
        iommu: Some("0000:00:01.0".to_string()),
        endpoints: vec!["0x8".to_string(), "0x9".to_string()],
        source: Some("iommu-map".to_string()),
        translations: vec![translation.clone(), translation],
        trigger: Some("replay".to_string()),
        isolation_lost: true,
        secondary_bus: Some("0x01".to_string()),
        physfn: Some("0000:00:04.0".to_string()),
        vfs: Some(VirtualFunctions { enabled: 2, total: 7 }),
        untrusted: true,
        acs: Some(Acs { capability: "0x1".to_string(), control: "0x2".to_string() }),
        driver: None,
        ..device("0000:00:03.0", Some(3), "own group")
    });
    report.invariants.push(Invariant {
        id: "I2".to_string(),
        holds: false,
        broken_by: Some("x".to_string()),
    });
    report.two_cpus = Some(TwoCpus {
        affinity: "1".to_string(),
        rounds: 1,
        pieces: [2, 3],
        counted: 4,
        switches: 5,
        unlocked: 6,
        lost_unlocked: 7,
        at_the_same_time: true,
    });
    report.operations = vec![
        Operation {
            operation: "bind@0000:00:02.0".to_string(),
            refused: Some("its group is claimed by vfio (EBUSY)".to_string()),
            kind: Some(GroupType::DmaFq),
            driver: None,
            claimed_by: Some("vfio".to_string()),
            blocked: true,
            removed: false,
        },
        Operation { operation: "remove@0000:00:02.0".to_string(), removed: true, ..Operation::default() },
        Operation { operation: "unbind@0000:00:03.0".to_string(), ..Operation::default() },
    ];
    let there = |name: &str, group, shares_with| HotPlugDevice { name: name.to_string(), group, shares_with };
    let changes = [
        (HotPlugKind::Added, vec![there("0000:02:00.0", Some(5), vec!["0000:00:03.0".to_string()])]),
        (
            HotPlugKind::Added,
            vec![there("0000:02:00.0", None, Vec::new()), there("0000:02:00.1", Some(1), vec![])],
        ),
        (HotPlugKind::Removed, vec![there("0000:02:00.0", None, Vec::new())]),
        (HotPlugKind::Pulled, Vec::new()),
    ];
    report.hot_plug = changes
        .into_iter()
        .map(|(kind, devices)| HotPlug { port: "0000:00:03.0".to_string(), kind, devices, groups: 6 })
        .collect();
    report.failed_because = vec!["a reason".to_string()];
    report.error = Some("an error".to_string());
    report
}

#[test]
fn an_operation_says_what_it_led_to_and_why_it_was_refused() {
    let text = full().to_string();
    for line in [
        "Then bind@0000:00:02.0: DMA-FQ, no driver, claimed by vfio, blocked, \
         refused: its group is claimed by vfio (EBUSY)\n",
        "Then remove@0000:00:02.0: removed\n",
        "Then unbind@0000:00:03.0: no group, no driver\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
}

#[test]
fn a_change_of_a_slot_says_where_the_devices_are() {
    let text = full().to_string();
    for line in [
        "Hot-plug: added behind 0000:00:03.0: 0000:02:00.0 in group 5 with 0000:00:03.0; 6 groups\n",
        "Hot-plug: added behind 0000:00:03.0: 0000:02:00.0 without a group, 0000:02:00.1 in group 1; 6 groups\n",
        "Hot-plug: removed behind 0000:00:03.0: 0000:02:00.0; 6 groups\n",
        "Hot-plug: pulled behind 0000:00:03.0: nothing; 6 groups\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
}

#[test]
fn json_is_what_the_serde_form_of_the_types_says() {
    for result in [Verdict::Pass, Verdict::Fail, Verdict::Error] {
        for report in [full(), sample(), Report::new(Run::default())] {
            let report = Report { result, ..report };
            assert_eq!(report.to_json_line(), serde_json::to_string(&report).unwrap());
        }
    }
}

#[test]
fn json_that_is_cut_short_is_refused_at_every_length() {
    let line = sample().to_json_line();
    for length in 0..line.len() {
        assert!(Report::from_json(&line[..length]).is_err(), "accepted the first {length} bytes");
    }
}

#[test]
fn json_with_further_fields_is_accepted() {
    let line = sample().to_json_line();
    let longer = line.replacen('{', r#"{"later":[1,2],"#, 1);
    assert_eq!(Report::from_json(&longer).unwrap(), sample());
}
