use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::tests::sample;

/// Checks plan and numbering as a harness does, and returns the lines that are `not ok`.
pub(crate) fn failures_in_ktap(report: &Report) -> Vec<String> {
    let text = Ktap(report).to_string();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("KTAP version 1"));
    let plan = lines.next().and_then(|line| line.strip_prefix("1..")).unwrap().parse::<usize>().unwrap();
    let mut number = 0;
    let mut failures = Vec::new();
    for line in lines.filter(|line| !line.starts_with("# ")) {
        number += 1;
        let rest = line.strip_prefix("not ").unwrap_or(line);
        assert!(rest.starts_with(&format!("ok {number} ")), "{line}");
        if rest != line {
            failures.push(line.to_string());
        }
    }
    assert_eq!(number, plan);
    failures
}

#[test]
fn ktap_has_a_line_a_device_with_its_group_or_why_it_has_none() {
    let mut report = sample();
    report.devices.truncate(2);
    report.warnings.push("late".to_string());
    assert_eq!(
        Ktap(&report).to_string(),
        "KTAP version 1\n1..4\nok 1 invariant.I1\n# IOMMU Group 0: DMA\n\
         # IOMMU Group 0: msi 0x8020000-0x8020fff\n\
         ok 2 device.0000:00:01.0 # no group: is the IOMMU\nok 3 device.0000:00:02.0 # group 0: own group\n\
         # warning: late\nok 4 verdict\n"
    );
    assert_eq!(failures_in_ktap(&sample()), [""; 0]);
}

#[test]
fn ktap_fails_the_invariant_the_device_that_it_names_and_the_verdict() {
    let mut report = sample();
    report.invariants.push(Invariant {
        id: "I4".to_string(),
        holds: false,
        broken_by: Some("0000:00:01.0, the IOMMU,\nhas a group".to_string()),
    });
    report.result = Verdict::Fail;
    let failures = failures_in_ktap(&report);
    assert_eq!(
        failures,
        [
            "not ok 2 invariant.I4",
            "not ok 3 device.0000:00:01.0 # no group: is the IOMMU",
            "not ok 10 verdict"
        ]
    );
    assert!(Ktap(&report).to_string().contains("# 0000:00:01.0, the IOMMU, has a group\nnot ok 2 "));
}

#[test]
fn ktap_of_an_error_is_not_ok() {
    let report = Report::of_error(Run::default(), "no memory node\nbye".to_string());
    assert_eq!(
        Ktap(&report).to_string(),
        "KTAP version 1\n1..1\n# error: no memory node\n# error: bye\nnot ok 1 verdict\n"
    );
}

#[test]
fn names_and_reasons_cannot_break_ktap() {
    let mut report = sample();
    report.devices[0].name = "a # SKIP\nnot ok 9 b".to_string();
    report.devices[0].why = "x\nnot ok 8 y".to_string();
    report.findings.push(Finding {
        id: "odd".to_string(),
        severity: Severity::Error,
        device: "/x".to_string(),
        sentence: "two\nnot ok 7 lines".to_string(),
    });
    assert_eq!(failures_in_ktap(&report), [""; 0]);
    assert!(!Ktap(&report).to_string().contains("# SKIP"));
}
