//! The verdict, the invariants, and what holds for every report.

use super::*;

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
    seen(&["invariant I4: violated"], |report| report.invariants[3].holds = false);
    seen(&["invariant I11 is not reported"], |report| {
        report.invariants.pop();
    });
}

#[test]
fn an_invariant_that_must_be_broken_is_and_no_other() {
    let expect = format!("{EXPECT}breaks = [\"I2\", \"I3\"]\nresult = \"fail\"\n");
    let mut report = right();
    report.invariants[1].holds = false;
    assert_eq!(judge_with(&expect, report.clone()), ["invariant I3: expected to be violated, but holds"]);
    report.invariants[2].holds = false;
    assert_eq!(judge_with(&expect, report.clone()), [""; 0]);
    report.invariants[8].holds = false;
    assert_eq!(judge_with(&expect, report.clone()), ["invariant I9: violated by an unnamed cause"]);
    report.invariants[8].holds = true;
    let found = judge_with(&expect.replace("I3", "I33"), report);
    assert!(found.contains(&"the expectation contains I33, which is not an invariant".into()), "{found:?}");
}

#[test]
fn an_invariant_that_may_break_may_and_no_other() {
    let mut report = right();
    report.invariants[1].holds = false;
    let found = |may_break: &[&str]| {
        let expect =
            Expect { may_break: may_break.iter().map(ToString::to_string).collect(), ..Expect::default() };
        invariants::differences(&report, &expect).join("; ")
    };
    assert_eq!(found(&["I2"]), "");
    assert!(found(&["I3"]).contains("invariant I2: violated"));
    assert!(found(&["I2", "I99"]).contains("I99"));
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
    assert_eq!(found, ["no reason to fail contains {0000:00:01.0, refused IOMMU}"]);
}
