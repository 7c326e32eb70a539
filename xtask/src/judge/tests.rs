//! Every difference must be seen: each test takes a boot that is right and breaks one thing.

use report::{Device, Finding, Group, GroupType, Iommu, Report, ReservedRegion, Severity};

use super::*;
use crate::fixture::{device, group, outcome, report_of};
use crate::topology::Topology;

mod devices;
mod findings;
mod groups;
mod iommus;
mod linux;
mod run;
mod verdict;

const EXPECT: &str = r#"
probes = "x"
[expect]
groups = [["0000:00:00.0"], ["0000:00:02.0", "0000:00:02.1"]]
reserved = ["0x0000000008020000 0x0000000008020fff msi"]
without = { "0000:00:01.0" = "is the IOMMU" }
iommus = ["0000:00:01.0"]
"#;

/// The report that [`EXPECT`] expects.
fn right() -> Report {
    report_of(&[&["0000:00:00.0"], &["0000:00:02.0", "0000:00:02.1"]])
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
    differences(&outcome(report), expect, None)
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

#[test]
fn the_right_report_has_no_difference() {
    assert_eq!(judge_with(EXPECT, right()), [""; 0]);
}
