//! What a script wants of one boot: `--expect-groups N`, `--expect FILE`.
//!
//! A file is a report that was saved as JSON, or a topology, or its `[expect]` alone. The judge of the suite compares
//! it with the boot, so that a difference has the same words in both.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use report::{Report, Severity, Verdict};
use serde::Deserialize;

use crate::answer::{LinuxAnswer, NO_DRIVER};
use crate::capabilities::Capabilities;
use crate::case::{Case, cases};
use crate::cli::QemuArgs;
use crate::expect::{Expect, Translated};
use crate::judge;
use crate::outcome::{Compared, Kind, Outcome, Stop};
use crate::paths::Paths;
use crate::qemu::KernelStart;
use crate::requirement::Requirement;
use crate::topology::Topology;
use crate::when::When;

/// What is wanted, as far as it is known before QEMU is asked.
pub(crate) struct Expectation {
    groups: Option<usize>,
    file: Option<File>,
}

/// What a file wants.
struct File {
    name: String,
    wanted: Wanted,
}

/// What a file wants, of any QEMU or of this one.
enum Wanted {
    Any(Box<Expect>),
    /// As a boot of a topology, and what Linux answered for its machine.
    Case(Box<Case>, Paths),
}

/// What is wanted of one boot.
pub(crate) struct Resolved {
    groups: Option<usize>,
    file: Option<(String, Expect, Vec<LinuxAnswer>)>,
}

/// A file with nothing but expectations; what else a topology has is not looked at.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Alone {
    expect: Expect,
    expect_acpi: Option<Expect>,
}

/// The one field of a saved report that only the command adds.
#[derive(Deserialize)]
struct Ending {
    outcome: Option<Kind>,
}

impl Expectation {
    /// What the options want of this boot; none if they want nothing.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or it is neither a report nor a topology; the error contains the place.
    pub(crate) fn of_options(options: &QemuArgs, start: &KernelStart) -> Result<Option<Self>, Stop> {
        let groups = options.expect_groups.map(|groups| groups as usize);
        let file = options.expect.as_deref().map(|path| File::read(path, start)).transpose()?;
        Ok((groups.is_some() || file.is_some()).then_some(Self { groups, file }))
    }

    /// What is wanted of a boot by the QEMU that `ask` asks about types; QEMU's own tree comes from `tree`.
    ///
    /// # Errors
    ///
    /// QEMU does not answer, or Linux's answer cannot be read.
    pub(crate) fn resolve(
        self,
        start: &KernelStart,
        ask: impl FnOnce(&BTreeSet<&str>) -> anyhow::Result<Capabilities>,
        tree: impl Fn() -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<Resolved> {
        let Self { groups, file } = self;
        let file = file.map(|File { name, wanted }| {
            let (mut expect, answers) = match wanted {
                Wanted::Any(expect) => (*expect, Vec::new()),
                Wanted::Case(case, paths) => of_this_qemu(&case, &paths, ask, tree)?,
            };
            expect.any_numbers |= start.order.is_some();
            anyhow::Ok((name, expect, answers))
        });
        Ok(Resolved { groups, file: file.transpose()? })
    }
}

impl Resolved {
    /// Compares, and makes the verdict follow: each difference is a reason to fail. A failure that the file wants is
    /// a pass, and its reason becomes a warning.
    pub(crate) fn apply(&self, outcome: &mut Outcome) {
        let mut differences = Vec::new();
        let is = outcome.report.groups.len();
        if let Some(wanted) = self.groups.filter(|wanted| *wanted != is) {
            differences.push(format!("expected {wanted} groups, there are {is}"));
        }
        let file = self.file.as_ref().map(|(name, expect, answers)| {
            let found = judge::differences_from_any(outcome, expect, answers);
            differences.extend(found.into_iter().map(|what| format!("not as {name} expects: {what}")));
            name.clone()
        });
        if !differences.is_empty() {
            outcome.report.fail_for(differences.clone());
            if outcome.kind == Kind::Pass {
                outcome.kind = Kind::Fail;
            }
        } else if let Some(name) = file.as_ref().filter(|_| outcome.kind != Kind::Pass) {
            let report = &mut outcome.report;
            let reasons = report.error.take().into_iter().chain(report.failed_because.drain(..));
            let reasons: Vec<String> = reasons.collect();
            let word = outcome.kind.word();
            report.warnings.push(format!("the verdict is {word}, as {name} expects: {}", reasons.join("; ")));
            report.result = Verdict::Pass;
            outcome.kind = Kind::Pass;
        }
        outcome.compared = Some(Compared { file, groups: self.groups, differences });
    }
}

impl File {
    fn read(path: &Path, start: &KernelStart) -> Result<Self, Stop> {
        let refuse = |what: String| Stop::usage(format!("--expect: {}: {what}", path.display()));
        let is_name = path.components().count() == 1 && !path.exists();
        let text = if is_name { None } else { Some(fs::read_to_string(path)) };
        let text = text.transpose().map_err(|error| refuse(format!("cannot be read: {error}")))?;
        let wanted = match text {
            Some(text) if text.trim_start().starts_with('{') => {
                Wanted::Any(Box::new(of_report(&text).map_err(refuse)?))
            }
            Some(text) if is_alone(&text) => Wanted::Any(Box::new(alone(&text, start).map_err(refuse)?)),
            _ => of_topology(path, start).map_err(|error| refuse(format!("{error:#}")))?,
        };
        Ok(Self { name: path.display().to_string(), wanted })
    }
}

/// Whether a file contains only expectations: a topology has the key `probes`.
fn is_alone(text: &str) -> bool {
    toml::from_str::<toml::Table>(text).is_ok_and(|table| !table.contains_key("probes"))
}

/// What a file of expectations alone wants of a boot on this route.
fn alone(text: &str, start: &KernelStart) -> Result<Expect, String> {
    let Alone { expect, expect_acpi } = toml::from_str(text).map_err(|error| error.to_string())?;
    if expect.linux.is_some() {
        return Err("linux: only a topology can say which machine Linux was asked for".into());
    }
    Ok(expect_acpi.filter(|_| start.firmware.is_acpi()).unwrap_or(expect))
}

/// What a topology wants of a boot on this route and path.
fn of_topology(path: &Path, start: &KernelStart) -> anyhow::Result<Wanted> {
    let topology = Topology::find(&path.display().to_string())?;
    let paths = Paths::read()?;
    let mut usual = Case::usual(topology.clone());
    let same = cases(topology, &paths)
        .into_iter()
        .find(|case| (case.firmware, case.path, &case.order) == (start.firmware, start.path, &start.order));
    let case = same.unwrap_or_else(|| {
        (usual.firmware, usual.path) = (start.firmware, start.path);
        usual.expect = usual.topology.expected_by(start.firmware).clone();
        usual
    });
    Ok(Wanted::Case(Box::new(case), paths))
}

/// What a boot of a topology wants of this QEMU, and the answers of Linux that count.
fn of_this_qemu(
    case: &Case,
    paths: &Paths,
    ask: impl FnOnce(&BTreeSet<&str>) -> anyhow::Result<Capabilities>,
    tree: impl Fn() -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<(Expect, Vec<LinuxAnswer>)> {
    let of_all = When::of_all()?;
    let changes = || of_all.iter().chain(&case.topology.when);
    let types = changes().flat_map(When::requirements).filter_map(Requirement::type_name);
    let qemu = ask(&types.collect())?;
    let on = (case.firmware, case.path);
    let (expect, _) = When::expected(changes(), case.expect.clone(), on, &qemu, tree)?;
    let answers = case.answers(&expect, paths)?;
    Ok((expect, answers))
}

/// What a saved report wants: its groups, its devices without one and their kind of reason, drivers, IOMMUs, findings,
/// warnings, broken invariants and verdict. Times, and the words after the kind of a reason, may differ.
fn of_report(text: &str) -> Result<Expect, String> {
    let mut report = Report::from_json(text).map_err(|error| format!("this is not a report: {error}"))?;
    if report.schema != report::SCHEMA {
        return Err(format!("the report is of schema {}, not {}", report.schema, report::SCHEMA));
    }
    let Ending { outcome } = serde_json::from_str(text).map_err(|error| error.to_string())?;
    // What was expected of that run is not expected of this one.
    report.judge();
    let result = match outcome {
        Some(Kind::Usage | Kind::Unable) => {
            return Err("this is the report of a run that never started; it expects nothing".into());
        }
        Some(ended @ (Kind::Timeout | Kind::Crash)) => ended,
        _ => report.result.into(),
    };
    let functions = || report.devices.iter().filter(|device| device.bus == "pci");
    let kind_of = |why: &str| why.split(':').next().unwrap_or_default().to_owned();
    let driver = |driver: &Option<String>| driver.clone().unwrap_or_else(|| NO_DRIVER.into());
    let serious = report.findings.iter().filter(|finding| finding.severity > Severity::Info);
    Ok(Expect {
        result,
        breaks: report.invariants.iter().filter(|one| !one.holds).map(|one| one.id.clone()).collect(),
        rounds: report.race.as_ref().map(|race| race.rounds),
        without: functions()
            .filter(|device| device.group.is_none())
            .map(|device| (device.name.clone(), kind_of(&device.why)))
            .collect(),
        drivers: functions().map(|device| (device.name.clone(), driver(&device.driver))).collect(),
        iommus: Some(report.iommus.iter().map(|iommu| iommu.name.clone()).collect()),
        translated: report
            .iommus
            .iter()
            .map(|iommu| {
                let devices = iommu.devices.clone();
                (iommu.name.clone(), Translated { devices, reserved: Vec::new() })
            })
            .collect(),
        findings: serious
            .map(|finding| vec![finding.id.clone(), finding.device.clone()])
            .chain(report.error.iter().map(|error| vec![error.clone()]))
            .collect(),
        warnings: report.warnings.clone(),
        of_report: Some(report.groups),
        ..Expect::default()
    })
}

#[cfg(test)]
mod tests;
