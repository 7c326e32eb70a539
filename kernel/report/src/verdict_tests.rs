use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::fixture::device;

/// A machine with an IOMMU and devices, each with the number of its group or with why it has none.
fn report(devices: &[(&str, Option<u32>, &str, bool)]) -> Report {
    let mut report = Report::new(Run::default());
    report.devices = devices
        .iter()
        .map(|(name, group, why, isolation_lost)| Device {
            isolation_lost: *isolation_lost,
            ..device(name, *group, why)
        })
        .collect();
    report.groups = devices
        .iter()
        .filter_map(|(name, group, ..)| {
            let devices = [name.to_string()].into();
            Some(Group { id: (*group)?, kind: GroupType::Dma, reserved_regions: Vec::new(), devices })
        })
        .collect();
    report.invariants = [Invariant { id: "I1".to_string(), holds: true, broken_by: None }].into();
    report
}

fn finding(severity: Severity) -> Finding {
    let [id, device, sentence] = ["ecam-missing", "/pcie@0", "it has no reg"].map(String::from);
    Finding { id, severity, device, sentence }
}

fn judged(mut report: Report) -> (Verdict, Vec<String>, String) {
    report.judge();
    let last = report.to_string().lines().last().unwrap().to_string();
    (report.result, report.failed_because, last)
}

const IOMMU: (&str, Option<u32>, &str, bool) = ("0000:00:01.0", None, "is the IOMMU", false);

#[test]
fn a_machine_that_firmware_means_to_be_untranslated_passes() {
    for why in ["no IOMMU in this machine", "bus bypasses", "IOMMU disabled: /i", "not in the firmware's map"]
    {
        let (result, because, last) = judged(report(&[IOMMU, ("0000:00:02.0", None, why, false)]));
        assert_eq!((result, because), (Verdict::Pass, Vec::new()));
        assert!(last.starts_with("PASS: 0 groups, "), "{last}");
    }
}

#[test]
fn lost_isolation_fails_and_the_last_line_says_whose_and_why() {
    let lost = ("0000:00:03.0", None, "refused by the IOMMU: NOENT", true);
    let (result, because, last) =
        judged(report(&[IOMMU, ("0000:00:02.0", Some(0), "own group", false), lost]));
    assert_eq!(result, Verdict::Fail);
    assert_eq!(because, ["isolation lost for 0000:00:03.0: refused by the IOMMU: NOENT"]);
    assert!(last.starts_with(&format!("FAIL: {}; 1 group, 3 devices ", because[0])), "{last}");
}

#[test]
fn that_no_device_at_all_is_isolated_is_said() {
    let lost = |name| (name, None, "IOMMU has no driver: /iommu", true);
    let all = ["0000:00:02.0", "0000:00:03.0", "0000:00:04.0", "0000:00:05.0"].map(lost);
    let (_, because, _) = judged(report(&all[..2]));
    let what = ", no device is isolated: IOMMU has no driver: /iommu";
    assert_eq!(because, [format!("isolation lost for 0000:00:02.0, 0000:00:03.0{what}")]);
    let (_, because, _) = judged(report(&all));
    assert_eq!(because, [format!("isolation lost for 4 of 4 devices{what}")]);
}

#[test]
fn an_iommu_that_refuses_each_device_in_other_words_is_one_reason() {
    let refused = |name, why| (name, None, why, true);
    let devices = [
        refused("0000:00:02.0", "refused by the IOMMU: v: PROBE of endpoint 0x10: NOENT"),
        refused("0000:00:03.0", "refused by the IOMMU: v: PROBE of endpoint 0x18: NOENT"),
    ];
    let (_, because, _) = judged(report(&devices));
    assert_eq!(
        because,
        ["isolation lost for 0000:00:02.0, 0000:00:03.0, no device is isolated: refused by the IOMMU \
          (0000:00:02.0: v: PROBE of endpoint 0x10: NOENT)"]
    );
}

#[test]
fn each_cause_is_a_reason_and_the_one_that_costs_most_devices_is_first() {
    let refused = ("0000:00:02.0", None, "refused by the IOMMU: NOENT", true);
    let waits = |name| (name, None, "waiting for: /iommu", true);
    let group = ("0000:00:05.0", Some(0), "own group", false);
    let devices = [refused, waits("0000:00:03.0"), waits("0000:00:04.0"), group];
    let (_, because, last) = judged(report(&devices));
    assert_eq!(
        because,
        [
            "isolation lost for 0000:00:03.0, 0000:00:04.0: waiting for: /iommu",
            "isolation lost for 0000:00:02.0: refused by the IOMMU: NOENT"
        ]
    );
    assert!(last.starts_with(&format!("FAIL: {} (and 1 more reason); ", because[0])), "{last}");
}

#[test]
fn only_a_finding_of_severity_error_fails() {
    let with = |severity| Report { findings: [finding(severity)].into(), ..report(&[IOMMU]) };
    assert_eq!(judged(with(Severity::Info)).0, Verdict::Pass);
    assert_eq!(judged(with(Severity::Warning)).0, Verdict::Pass);
    let (result, because, _) = judged(with(Severity::Error));
    assert_eq!(
        (result, because),
        (Verdict::Fail, ["error[ecam-missing] /pcie@0: it has no reg".to_string()].into())
    );
}

#[test]
fn lost_isolation_is_said_before_invariants_and_these_before_findings() {
    let mut all = report(&[("0000:00:02.0", None, "waiting for: /iommu", true)]);
    all.findings.push(finding(Severity::Error));
    all.invariants[0].holds = false;
    let (_, because, _) = judged(all);
    let starts = ["isolation lost", "invariant I1 violated", "error[ecam-missing]"];
    assert!(because.iter().zip(starts).all(|(reason, start)| reason.starts_with(start)), "{because:?}");
    assert_eq!(because.len(), 3);
}

#[test]
fn each_reason_is_in_the_text_once_and_none_can_end_its_line() {
    let mut all = report(&[("0000:00:02.0", None, "refused by the IOMMU: a\nPASS: b", true)]);
    all.findings.push(finding(Severity::Error));
    all.judge();
    all.fail_for(["expected 2 groups, there are 0".to_string()].into());
    let text = all.to_string();
    // The finding has a line of its own already.
    assert_eq!(text.matches("error[ecam-missing]").count(), 1, "{text}");
    assert_eq!(text.matches("failed because: ").count(), 1, "{text}");
    assert!(text.contains("\nfailed because: expected 2 groups, there are 0\n"), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("FAIL: isolation lost for 0000:00:02.0, no device"), "{text}");
}

#[test]
fn what_was_expected_and_did_not_come_fails_behind_what_explains_it() {
    let mut report = report(&[("0000:00:02.0", None, "waiting for: /iommu", true)]);
    report.judge();
    report.fail_for(["expected 2 groups, there are 0".to_string()].into());
    assert_eq!(report.result, Verdict::Fail);
    assert_eq!(report.failed_because[1], "expected 2 groups, there are 0");
    let mut broken = Report::of_error(Run::default(), "no memory".to_string());
    broken.judge();
    broken.fail_for(["expected 2 groups, there are 0".to_string()].into());
    assert_eq!((broken.result, broken.failed_because), (Verdict::Error, Vec::new()));
}

#[test]
fn in_ktap_a_device_that_lost_its_isolation_and_the_verdict_are_not_ok() {
    let mut lost = report(&[IOMMU, ("0000:00:02.0", None, "waiting for: /iommu", true)]);
    lost.judge();
    let text = Ktap(&lost).to_string();
    assert!(
        text.contains("\nok 2 device.0000:00:01.0 # no group: is the IOMMU\nnot ok 3 device.0000:00:02.0 ")
    );
    assert!(text.contains("\n# failed because: isolation lost for 0000:00:02.0, no device is isolated"));
    assert!(text.ends_with("\nnot ok 4 verdict\n"), "{text}");
}
