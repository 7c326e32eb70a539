//! Findings and warnings.

use super::*;

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
