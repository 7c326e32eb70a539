use std::collections::BTreeSet;

use report::{CaseOutcome, Report, SuiteCase, SuiteReport};

use super::*;

const FILE: &str = r#"
at-least = 1
[[deviation]]
cases = ["a", "b"]
answer = "MAP: OK"
has = ["qemu < 8"]
why = "it does not look"
[[hazard]]
cases = ["c", "d"]
safe = ["qemu < 8"]
why = "it aborts"
[[hazard]]
cases = ["e"]
safe = ["qemu >= 8"]
why = "it aborts"
"#;

fn known() -> KnownDeviations {
    toml::from_str(FILE).unwrap()
}

fn start(word: &str) -> KernelStart {
    KernelStart { append: vec![word.into()], ..KernelStart::default() }
}

fn case(id: &str, outcome: CaseOutcome, answer: Option<&str>) -> SuiteCase {
    SuiteCase { id: id.into(), outcome, clause: None, detail: "x".into(), answer: answer.map(String::from) }
}

/// The outcomes of cases after they were compared, and how the run ends. QEMU 0.0 is older than any.
fn judged(cases: Vec<SuiteCase>) -> (Vec<CaseOutcome>, Outcome) {
    let mut report = Report::new(report::Run::default());
    report.suites = vec![SuiteReport { name: "protocol@0000:00:01.0".into(), duration_us: 1, cases }];
    report.judge();
    let mut outcome = Outcome { report, ..Outcome::without_report(Kind::Pass, String::new()) };
    known().judge(&start("suite=protocol"), &mut outcome, &Capabilities::default());
    let outcomes = outcome.report.suites[0].cases.iter().map(|case| case.outcome).collect();
    (outcomes, outcome)
}

#[test]
fn a_known_deviation_passes_and_says_why() {
    let (outcomes, outcome) = judged(vec![case("a", CaseOutcome::Deviation, Some("MAP: OK"))]);
    assert_eq!((outcomes, outcome.kind), (vec![CaseOutcome::Deviation], Kind::Pass));
    assert_eq!(outcome.report.suites[0].cases[0].detail, "x; known: it does not look");
}

#[test]
fn a_new_deviation_another_one_and_one_that_is_gone_fail() {
    for failing in [
        case("new", CaseOutcome::Deviation, Some("MAP: OK")),
        case("a", CaseOutcome::Deviation, Some("MAP: INVAL")),
        case("b", CaseOutcome::Passed, None),
    ] {
        let (outcomes, outcome) = judged(vec![failing]);
        assert_eq!((outcomes, outcome.kind), (vec![CaseOutcome::Failed], Kind::Fail));
    }
}

#[test]
fn cases_that_conform_and_known_ones_that_the_machine_cannot_run_pass() {
    let (_, outcome) =
        judged(vec![case("x", CaseOutcome::Passed, None), case("a", CaseOutcome::Skipped, None)]);
    assert_eq!(outcome.kind, Kind::Pass);
}

#[test]
fn a_suite_that_ran_too_few_cases_or_is_missing_fails() {
    let (_, few) = judged(vec![case("a", CaseOutcome::Skipped, None)]);
    assert!(few.report.failed_because[0].contains("0 cases ran, expected at least 1"), "{few:?}");
    let mut none = Outcome::without_report(Kind::Pass, String::new());
    none.report.error = None;
    none.report.judge();
    known().judge(&start("suite=all"), &mut none, &Capabilities::default());
    assert_eq!(
        none.report.failed_because,
        SUITES.map(|suite| format!("suite {suite} was asked for and is not in the report"))
    );
}

#[test]
fn only_cases_that_this_qemu_stands_are_named_and_only_where_the_suite_runs() {
    let word = |start: &KernelStart| known().hazards_word(start, &Capabilities::default());
    assert_eq!(word(&start("suite=protocol")).as_deref(), Some("hazards=c,d"));
    assert_eq!(word(&start("suite=isolation")), None);
    assert_eq!(word(&KernelStart::default()), None);
}

#[test]
fn our_file_names_cases_that_exist_and_every_hazard() {
    let file = KnownDeviations::read().unwrap();
    let ids: BTreeSet<&str> = conformance::all().map(|case| case.id).collect();
    let named =
        file.deviation.iter().flat_map(|one| &one.cases).chain(file.hazard.iter().flat_map(|one| &one.cases));
    for id in named {
        assert!(ids.contains(id.as_str()), "there is no case {id}");
    }
}
