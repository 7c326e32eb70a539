use report::{Finding, Report, Run, Severity, Verdict as Result_};

use super::figures::without_numbers;
use super::tables::Files;
use super::verdict::{Verdict, judge, names_a_place};
use super::{Kind, Outcome, random, tables, tree};

fn fixture(name: &str) -> Vec<u8> {
    let place = crate::output::workspace().join("kernel/firmware/tests/fixtures").join(name);
    std::fs::read(place).unwrap()
}

fn files() -> Files {
    let part = |name: &str| fixture(&format!("acpi/pxb.{name}"));
    Files { tables: part("tables"), rsdp: part("rsdp"), loader: part("loader") }
}

#[test]
fn a_boot_has_the_same_damage_each_time_and_other_damage_than_the_next() {
    let damaged = |boot| {
        let (mut rng, mut blob) = (random::of_boot(7, boot), fixture("iommu.dtb"));
        let how: Vec<_> = (0..20).map(|_| tree::damage(&mut rng, &mut blob)).collect();
        (blob, how)
    };
    assert_eq!(damaged(3), damaged(3));
    assert_ne!(damaged(3), damaged(4));
}

#[test]
fn a_thousand_trees_are_damaged_in_many_ways_and_each_is_told() {
    let whole = fixture("iommu.dtb");
    let (mut changed, mut resized) = (0, 0);
    for boot in 0..1000 {
        let (mut rng, mut blob) = (random::of_boot(1, boot), whole.clone());
        // A second change finds what the first one left.
        let how = [tree::damage(&mut rng, &mut blob), tree::damage(&mut rng, &mut blob)];
        assert!(how.iter().flatten().all(|how| !how.is_empty()));
        changed += usize::from(blob != whole);
        resized += usize::from(blob.len() != whole.len());
    }
    assert!(changed > 900, "{changed}");
    assert!((200..900).contains(&resized), "{resized}");
}

#[test]
fn tables_the_script_and_the_root_pointer_are_damaged() {
    let whole = files();
    let mut changed = [0; 3];
    for boot in 0..1000 {
        let (mut rng, mut files) = (random::of_boot(1, boot), whole.clone());
        tables::damage(&mut rng, &mut files);
        changed[0] += usize::from(files.tables != whole.tables);
        changed[1] += usize::from(files.rsdp != whole.rsdp);
        changed[2] += usize::from(files.loader != whole.loader);
    }
    assert!(changed.iter().all(|count| *count > 20), "{changed:?}");
    assert!(changed[0] > 400, "{changed:?}");
}

#[test]
fn most_tables_that_take_the_place_of_others_have_a_right_checksum() {
    let files = files();
    let mut rng = random::of_boot(1, 1);
    let all: Vec<_> = (0..1000).filter_map(|_| tables::damaged_table(&mut rng, None, &files)).collect();
    let right =
        all.iter().filter(|(table, _)| table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) == 0);
    let right = right.count();
    assert!(right > all.len() / 2 && right < all.len(), "{right} of {}", all.len());
}

#[test]
fn dumps_of_one_machine_are_equal_once_normalised() {
    let mut one = fixture("iommu.dtb");
    let mut other = [&one[..], &[0; 4096]].concat();
    let total = other.len() as u32;
    other[4..8].copy_from_slice(&total.to_be_bytes());
    tree::normalise(&mut one);
    tree::normalise(&mut other);
    assert_eq!(one, other);
}

fn failed_report(error: &str) -> Report {
    Report::of_error(Run::default(), error.into())
}

fn outcome(report: Report) -> Outcome {
    let mut outcome = Outcome::without_report(report.result.into(), String::new());
    outcome.report = report;
    outcome
}

#[test]
fn a_hang_a_crash_a_broken_invariant_and_an_error_without_a_place_are_failures() {
    let mut whole = failed_report("");
    (whole.result, whole.error) = (Result_::Pass, None);
    let whole = outcome(whole);
    let invariant = |holds| report::Invariant { id: "I1".into(), holds, broken_by: None };
    let mut broken = whole.report.clone();
    (broken.invariants, broken.result) = (vec![invariant(false)], Result_::Fail);
    for bad in [
        Outcome::without_report(Kind::Timeout, "did not end at 0x40".into()),
        Outcome::without_report(Kind::Crash, "panicked at /x".into()),
        outcome(broken),
        outcome(failed_report("something is wrong")),
    ] {
        assert!(judge(&bad, &whole).is_failure(), "{:?}", bad.report.error);
    }
    assert_eq!(judge(&outcome(failed_report("MCFG: too short")), &whole).word(), "error that names a place");
    assert_eq!(judge(&whole, &whole), Verdict::Same);
    let mut noted = whole.report.clone();
    noted.findings.push(Finding {
        id: "x".into(),
        severity: Severity::Warning,
        device: "y".into(),
        sentence: "z".into(),
    });
    assert_eq!(judge(&outcome(noted), &whole), Verdict::Noted);
    let mut other = whole.report.clone();
    other.groups.push(report::Group {
        id: 0,
        kind: report::GroupType::Dma,
        reserved_regions: vec![],
        devices: vec![],
    });
    assert_eq!(judge(&outcome(other), &whole), Verdict::Other);
}

#[test]
fn a_place_is_a_node_a_number_or_a_table() {
    for error in ["/pcie@10000000: ranges", "no table at 0x40", "RSDP: no such table", "offset 12"] {
        assert!(names_a_place(error), "{error}");
    }
    assert!(!names_a_place("the description is wrong"));
}

#[test]
fn errors_that_differ_in_numbers_alone_are_one() {
    assert_eq!(without_numbers("offset 12 (0x1f): too short\nmore"), "offset # (#): too short");
}
