//! The cases against a device that follows the specification, and against one that breaks it in one place.

mod model;

use std::collections::{BTreeMap, BTreeSet};

use conformance::{Outcome, all};

use model::{Model, Mutation, Variant, deviations};

/// A mutation that turns more cases red than this says nothing about any of them.
const NARROW: usize = 40;

/// What every other case is built on: a mutation that turns one of these red turns nearly all red.
const BASIC: [&str; 3] = ["attach.ok", "attach.domain-first", "map.read"];

#[test]
fn every_case_conforms_on_a_device_that_follows_the_specification() {
    assert_eq!(deviations(None), BTreeMap::new());
}

#[test]
fn every_case_runs_on_some_machine() {
    let mut run = BTreeSet::new();
    for variant in Variant::ALL {
        let results = conformance::run(&mut Model::new(variant, None), &Model::machine(), |_| true);
        assert_eq!(results.error, None);
        let conforming = results.cases.iter().filter(|result| result.outcome == Outcome::Conforms);
        run.extend(conforming.map(|result| result.case.id));
    }
    assert_eq!(run, all().map(|case| case.id).collect());
}

#[test]
fn every_case_is_red_for_a_mutation_and_every_mutation_turns_a_case_red() {
    let mut caught: BTreeMap<&str, Vec<Mutation>> = BTreeMap::new();
    let mut survived = Vec::new();
    for mutation in Mutation::ALL {
        let red = deviations(Some(*mutation));
        if red.is_empty() {
            survived.push(*mutation);
        }
        for id in red.keys().filter(|id| red.len() <= NARROW || BASIC.contains(id)) {
            caught.entry(id).or_default().push(*mutation);
        }
    }
    let never_red: Vec<&str> = all().map(|case| case.id).filter(|id| !caught.contains_key(id)).collect();
    assert!(never_red.is_empty() && survived.is_empty(), "never red: {never_red:#?}, survived: {survived:?}");
}

#[test]
fn identifiers_are_unique() {
    let mut seen = BTreeSet::new();
    for case in all() {
        assert!(seen.insert(case.id), "{} is there twice", case.id);
    }
}

#[test]
fn a_case_with_a_hazard_is_run_only_where_it_is_allowed() {
    let run = |allowed: bool| {
        conformance::run(&mut Model::new(Variant::Regions, None), &Model::machine(), |_| allowed)
    };
    let not_run = |results: &conformance::SuiteResult| {
        let is_hazard = |result: &&conformance::CaseResult| result.case.hazard.is_some();
        let not_run = |result: &conformance::CaseResult| matches!(result.outcome, Outcome::NotRun { .. });
        results.cases.iter().filter(is_hazard).filter(|result| not_run(result)).count()
    };
    let hazards = all().filter(|case| case.hazard.is_some()).count();
    assert!(hazards > 0);
    assert_eq!((not_run(&run(false)), not_run(&run(true))), (hazards, 0));
}

#[test]
fn there_are_as_many_cases_as_the_documentation_says() {
    assert!(all().count() >= 150, "{}", all().count());
}
