//! What the page shows, as its template takes it: from results, reports and logs to texts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use askama::Template;
use report::Report;

use super::log::Log;
use super::summary::{Summary, seconds};
use crate::cli::WhichLogs;
use crate::draw;
use crate::results::{BootFacts, Ending, Results, Test};

/// What stands in the place of a value that a check does not have.
const NONE: &str = "";

/// The page.
#[derive(Template)]
#[template(path = "page.html")]
pub(super) struct Page<'a> {
    title: String,
    style: &'static str,
    /// The style of all pictures.
    picture_style: String,
    script: &'static str,
    pub(super) summary: Summary,
    axes: Vec<Axis<'a>>,
    several_qemus: bool,
    details_heading: &'static str,
    /// The checks of which there is more to show than a row.
    cases: Vec<Case<'a>>,
    rows: Vec<Row<'a>>,
    machines: Vec<Machine<'a>>,
}

/// A filter with a fixed choice.
struct Axis<'a> {
    name: &'static str,
    label: &'static str,
    choices: Vec<Choice<'a>>,
}

/// One value of an axis, and how many checks have it.
struct Choice<'a> {
    value: &'a str,
    count: usize,
}

/// One check in the table.
#[derive(Clone)]
struct Row<'a> {
    number: usize,
    name: &'a str,
    outcome: &'static str,
    /// Class of the outcome in the style.
    class: &'static str,
    topology: &'a str,
    route: &'a str,
    path: &'a str,
    iommu: &'a str,
    qemu: &'a str,
    seconds: String,
    qemu_seconds: String,
    seconds_of_check: f64,
    seconds_of_qemu: f64,
    /// Why it was skipped.
    reason: Option<&'a str>,
    has_case: bool,
    /// Number of the machine with a picture.
    machine: Option<usize>,
}

/// One check in the details.
struct Case<'a> {
    row: Row<'a>,
    probes: Option<&'a str>,
    differences: &'a [String],
    repeat: &'a str,
    by_hand: Option<&'a str>,
    /// Of the boot itself, if it failed.
    picture: Option<String>,
    log: Option<Log>,
}

/// The machine of a topology.
struct Machine<'a> {
    number: usize,
    name: &'a str,
    probes: &'a str,
    /// The boot whose picture it is.
    boot: &'a str,
    picture: String,
}

impl<'a> Page<'a> {
    /// The page of a run whose logs and reports are in, or named from, `directory`.
    pub(super) fn of(results: &'a Results, directory: &Path, logs: WhichLogs) -> Self {
        let summary = Summary::of(results, logs);
        let mut groups = BTreeSet::new();
        let machines = machines(&results.tests, directory, &mut groups);
        let numbers: BTreeMap<&str, usize> =
            machines.iter().map(|machine| (machine.name, machine.number)).collect();
        let rows = results.tests.iter().enumerate();
        let mut rows: Vec<Row> = rows.map(|(number, test)| Row::of(number, test, &numbers)).collect();
        let mut cases = Vec::new();
        for (row, test) in rows.iter_mut().zip(&results.tests) {
            if let Some(case) = Case::of(row, test, directory, logs, &mut groups) {
                row.has_case = true;
                cases.push(case);
            }
        }
        // What failed comes first.
        cases.sort_by_key(|case| case.differences.is_empty());
        let all_failed = cases.iter().all(|case| !case.differences.is_empty());
        Self {
            title: format!("iogroups: {}, {}", summary.verdict, summary.counts),
            style: include_str!("../../templates/page.css"),
            script: include_str!("../../templates/page.js"),
            picture_style: draw::embedded_style(".picture ", groups.into_iter()),
            axes: axes(&rows),
            several_qemus: results.qemus.len() > 1,
            details_heading: if all_failed { "Failures" } else { "Failures and logs" },
            summary,
            cases,
            rows,
            machines,
        }
    }

    /// How large its parts are.
    pub(super) fn sizes(&self) -> String {
        let of_cases = self.cases.iter().filter_map(|case| case.picture.as_ref());
        let pictures: usize =
            of_cases.chain(self.machines.iter().map(|machine| &machine.picture)).map(String::len).sum();
        let logs: usize = self.cases.iter().filter_map(|case| Some(case.log.as_ref()?.text.len())).sum();
        let [pictures, logs] = [pictures, logs].map(|bytes| bytes.div_ceil(1000));
        format!("pictures {pictures} kB, logs {logs} kB")
    }
}

impl<'a> Row<'a> {
    fn of(number: usize, test: &'a Test, machines: &BTreeMap<&str, usize>) -> Self {
        let (outcome, class) = match test.result {
            Ending::Pass => ("passed", "pass"),
            Ending::Fail => ("failed", "fail"),
            Ending::Skip => ("skipped", "skip-outcome"),
        };
        let fact = |fact: fn(&BootFacts) -> &String| test.boot.as_ref().map_or(NONE, |boot| fact(boot));
        let seconds_of_qemu = test.boot.as_ref().map_or(0.0, |boot| boot.qemu_seconds);
        let ran = |of: f64| if of > 0.0 { seconds(of) } else { NONE.into() };
        Self {
            number,
            name: &test.name,
            outcome,
            class,
            topology: fact(|boot| &boot.topology),
            route: fact(|boot| &boot.firmware),
            path: fact(|boot| &boot.path),
            iommu: fact(|boot| &boot.iommu),
            qemu: test.qemu.as_deref().unwrap_or(NONE),
            seconds: ran(test.seconds),
            qemu_seconds: ran(seconds_of_qemu),
            seconds_of_check: test.seconds,
            seconds_of_qemu,
            reason: test.reason.as_deref(),
            has_case: false,
            machine: test.boot.as_ref().and_then(|boot| machines.get(&*boot.topology).copied()),
        }
    }
}

impl<'a> Case<'a> {
    /// The details of a check; none if there is nothing to show but its row.
    fn of(
        row: &Row<'a>,
        test: &'a Test,
        directory: &Path,
        logs: WhichLogs,
        groups: &mut BTreeSet<u32>,
    ) -> Option<Self> {
        let has_failed = test.result == Ending::Fail;
        let wants_log = match logs {
            WhichLogs::All => true,
            WhichLogs::Failed => has_failed,
            WhichLogs::None => false,
        };
        let file = test.boot.as_ref().and_then(|boot| boot.log.as_ref()).filter(|_| wants_log);
        let log = file.and_then(|file| Log::read(&directory.join(file)));
        (has_failed || log.is_some()).then(|| Self {
            row: row.clone(),
            probes: test.boot.as_ref().map(|boot| boot.probes.as_str()),
            differences: &test.differences,
            repeat: &test.repeat,
            by_hand: Some(test.command.as_str()).filter(|command| *command != test.repeat),
            picture: test.boot.as_ref().filter(|_| has_failed).and_then(|boot| {
                let report = read_report(directory, boot)?;
                groups.extend(report.groups.iter().map(|group| group.id));
                draw::embedded(&test.name, &report)
            }),
            log,
        })
    }
}

/// A picture of the machine of each topology: of the boot that its file describes, or of the first that gave a report.
fn machines<'a>(tests: &'a [Test], directory: &Path, groups: &mut BTreeSet<u32>) -> Vec<Machine<'a>> {
    let mut boots: BTreeMap<&str, Vec<(&'a Test, &'a BootFacts)>> = BTreeMap::new();
    for test in tests {
        let Some(boot) = &test.boot else { continue };
        boots.entry(&boot.topology).or_default().push((test, boot));
    }
    let mut machines = Vec::new();
    for (name, mut boots) in boots {
        // A failed boot has a picture of its own, and may not be what the machine is.
        boots.sort_by_key(|(test, boot)| (test.result != Ending::Pass, test.name != boot.topology));
        let drawn = boots.into_iter().find_map(|(test, boot)| {
            let report = read_report(directory, boot)?;
            Some((test, boot, draw::embedded(name, &report)?, report))
        });
        let Some((test, boot, picture, report)) = drawn else { continue };
        groups.extend(report.groups.iter().map(|group| group.id));
        machines.push(Machine {
            number: machines.len(),
            name,
            probes: &boot.probes,
            boot: &test.name,
            picture,
        });
    }
    machines
}

/// The report of a boot, if it gave one and it is kept.
fn read_report(directory: &Path, boot: &BootFacts) -> Option<Report> {
    Report::from_json(&fs::read_to_string(directory.join(boot.report.as_ref()?)).ok()?).ok()
}

/// The filters: axes on which the checks differ.
fn axes<'a>(rows: &[Row<'a>]) -> Vec<Axis<'a>> {
    type Value<'a> = fn(&Row<'a>) -> &'a str;
    let all: [(&'static str, &'static str, Value<'a>); 6] = [
        ("outcome", "Outcome", |row| row.outcome),
        ("topology", "Topology", |row| row.topology),
        ("route", "Route", |row| row.route),
        ("path", "Path", |row| row.path),
        ("iommu", "IOMMU", |row| row.iommu),
        ("qemu", "QEMU", |row| row.qemu),
    ];
    let axis = |(name, label, value): (_, _, Value<'a>)| {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for value in rows.iter().map(value).filter(|value| !value.is_empty()) {
            *counts.entry(value).or_default() += 1;
        }
        let choices = counts.into_iter().map(|(value, count)| Choice { value, count }).collect();
        Axis { name, label, choices }
    };
    all.map(axis).into_iter().filter(|axis| !axis.choices.is_empty()).collect()
}
