//! Whether a boot gave what its topology expects: the differences, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use report::{Device, Finding, Group, GroupType, Report, ReservedRegion, Severity, Verdict};

use crate::cli::ProbePath;
use crate::linux::{Answer, Function, LATE_PROBE};
use crate::outcome::{Kind, Outcome, UNTRANSLATED};
use crate::topology::Expect;

/// How a reason for being in no group may begin; the set is closed.
const REASONS: [&str; 9] = [
    "is the IOMMU",
    "no IOMMU in this machine",
    "not in the firmware's map",
    "bus bypasses",
    "IOMMU disabled",
    "IOMMU is behind it",
    "IOMMU has no driver",
    "refused by the IOMMU",
    "waiting for",
];

/// How it may begin on the paths of Linux too, which let go of devices without a word.
const REASONS_OF_LINUX: [&str; 3] = ["not probed", "translated by firmware, never probed", "abandoned"];

/// The invariants that a complete run reports on.
const INVARIANTS: u32 = 11;

/// Type of a group if the topology does not say.
const USUAL_TYPE: GroupType = GroupType::Dma;

/// A reserved region as numbers, so that the way of writing them does not matter.
type Region = (u64, u64, String);

/// A group without its number.
struct ExpectedGroup {
    kind: GroupType,
    reserved: Option<BTreeSet<Region>>,
    members: BTreeSet<String>,
}

impl ExpectedGroup {
    /// As a saved report has it.
    fn of_report(group: &Group) -> Self {
        Self {
            kind: group.kind,
            reserved: group.reserved_regions.iter().map(region).collect(),
            members: group.devices.iter().cloned().collect(),
        }
    }
}

/// Compares the end of a boot with what is expected, and with Linux's answers if there are any; where Linux gives
/// one or another, it must be one of them. Empty if there is no difference.
pub(crate) fn differences_from_any(outcome: &Outcome, expect: &Expect, answers: &[Answer]) -> Vec<String> {
    let mut found = answers.iter().map(|answer| differences(outcome, expect, Some(answer)));
    let first = found.next().unwrap_or_else(|| differences(outcome, expect, None));
    if found.any(|others| others.is_empty()) { Vec::new() } else { first }
}

/// Compares the end of a boot with what is expected, and with Linux's answer if there is one. Empty
/// if there is no difference.
fn differences(outcome: &Outcome, expect: &Expect, linux: Option<&Answer>) -> Vec<String> {
    let report = &outcome.report;
    let mut found = Vec::new();
    if matches!(outcome.kind, Kind::Timeout | Kind::Crash | Kind::Unable | Kind::Usage) {
        if outcome.kind == expect.result {
            remarks(report, expect, None, &mut found);
        } else {
            found.push(format!("{}: {}", outcome.kind.word(), report.error.as_deref().unwrap_or_default()));
        }
        return found;
    }
    verdict(outcome, expect, &mut found);
    consistency(report, expect, &mut found);
    run(report, expect, &mut found);
    groups(report, &expected_groups(expect, linux, &mut found), expect.any_numbers, &mut found);
    ungrouped(report, expect, linux, &mut found);
    iommus(report, expect, linux, &mut found);
    drivers(report, expect, &mut found);
    acs_controls(report, expect, &mut found);
    if let Some(answer) = linux {
        functions(report, answer, &mut found);
    }
    if let Some(answer) = linux {
        late_probes(report, answer, &mut found);
        untranslated(outcome, answer, &mut found);
    }
    remarks(report, expect, linux, &mut found);
    found
}

fn verdict(outcome: &Outcome, expect: &Expect, found: &mut Vec<String>) {
    let (report, expected) = (&outcome.report, expect.result);
    let reasons = &report.failed_because;
    if outcome.kind != expected {
        let reason = report.error.as_ref().or(reasons.first()).map_or("without a reason", String::as_str);
        found.push(format!("verdict: expected {}, is {} ({reason})", expected.word(), report.result.word()));
    }
    for words in &expect.because {
        if !reasons.iter().any(|reason| words.iter().all(|word| reason.contains(word))) {
            found.push(format!("no reason to fail speaks of {}", set(words)));
        }
    }
    let mut judged = report.clone();
    judged.judge();
    if (judged.result, &judged.failed_because) != (report.result, reasons) {
        found.push(format!(
            "the verdict does not follow from the report: expected {} because of {}, is {} because of {}",
            judged.result.word(),
            set(&judged.failed_because),
            report.result.word(),
            set(reasons)
        ));
    }
    let text = report.to_string();
    let last = text.lines().last().unwrap_or_default();
    if !last.starts_with(&format!("{}:", report.result.word())) {
        found.push(format!("last line: expected the verdict, is {last:?}"));
    }
    if (report.result == Verdict::Error) != report.error.is_some() {
        found.push("the verdict and the error text do not go together".into());
    }
}

/// What must hold for every report, whatever the machine.
fn consistency(report: &Report, expect: &Expect, found: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    for device in &report.devices {
        if !names.insert(device.name.as_str()) {
            found.push(format!("{} is twice among the devices", device.name));
        }
    }
    let mut listed: BTreeMap<&str, u32> = BTreeMap::new();
    let mut previous = None;
    for group in &report.groups {
        if previous.replace(group.id).is_some_and(|previous| previous >= group.id) {
            found.push(format!("group {} is not in the order of numbers", group.id));
        }
        for member in &group.devices {
            if let Some(other) = listed.insert(member, group.id) {
                found.push(format!("{member} is in group {other} and in group {}", group.id));
            }
        }
    }
    for device in &report.devices {
        let by_list = listed.remove(device.name.as_str());
        if by_list != device.group {
            let [says, listed] = [device.group, by_list]
                .map(|group| group.map_or_else(|| "no group".into(), |group| format!("group {group}")));
            found.push(format!(
                "{} is in {says} by itself, but in {listed} by the list of groups",
                device.name
            ));
        }
    }
    found.extend(listed.keys().map(|name| format!("{name} is in a group and not among the devices")));
    let grouped: BTreeSet<&String> = report.groups.iter().flat_map(|group| &group.devices).collect();
    let translated: BTreeSet<&String> = report.iommus.iter().flat_map(|iommu| &iommu.devices).collect();
    if grouped != translated {
        found.push(format!(
            "in groups are {}, translated by IOMMUs are {}",
            set(grouped.iter()),
            set(translated.iter())
        ));
    }
    if report.result != Verdict::Error {
        invariants(report, expect, found);
        race(report, expect, found);
    }
}

/// A race that was asked for has had its rounds, and both CPUs were in them together.
fn race(report: &Report, expect: &Expect, found: &mut Vec<String>) {
    match (expect.rounds, &report.race) {
        (None, None) => (),
        (None, Some(_)) => found.push("two CPUs played a scenario that nobody asked for".into()),
        (Some(rounds), None) => found.push(format!("no scenario was played; expected {rounds} rounds")),
        (Some(rounds), Some(race)) => {
            if race.rounds != rounds {
                found.push(format!("race: expected {rounds} rounds, there were {}", race.rounds));
            }
            if race.switches < rounds {
                let times = race.switches;
                found.push(format!("race: one CPU followed the other {times} times in {rounds} rounds"));
            }
        }
    }
}

/// All invariants must hold, but for those that must, or may, be broken.
fn invariants(report: &Report, expect: &Expect, found: &mut Vec<String>) {
    let Expect { breaks, may_break, .. } = expect;
    let ids: Vec<String> = (1..=INVARIANTS).map(|number| format!("I{number}")).collect();
    for id in &ids {
        let Some(invariant) = report.invariants.iter().find(|invariant| invariant.id == *id) else {
            found.push(format!("invariant {id} is not reported on"));
            continue;
        };
        match (invariant.holds, breaks.contains(id)) {
            (false, false) if !may_break.contains(id) => {
                let cause = invariant.broken_by.as_deref().unwrap_or("an unnamed cause");
                found.push(format!("invariant {id}: broken by {cause}"))
            }
            (true, true) => found.push(format!("invariant {id}: expected to be broken, holds")),
            _ => (),
        }
    }
    let unknown = breaks.iter().chain(may_break).filter(|id| !ids.contains(*id));
    found.extend(unknown.map(|id| format!("the expectation names {id}, which is no invariant")));
}

fn run(report: &Report, expect: &Expect, found: &mut Vec<String>) {
    let (run, expected) = (&report.run, &expect.run);
    let mut compare = |what: &str, expected: Option<u64>, is: u64| {
        if let Some(expected) = expected.filter(|expected| *expected != is) {
            found.push(format!("{what}: expected {expected}, is {is}"));
        }
    };
    compare("exception level", expected.exception_level.map(u64::from), run.exception_level.into());
    compare("CPUs", expected.cpus.map(u64::from), run.cpus.into());
    compare("MiB of RAM", expected.memory_mib, run.memory_bytes >> 20);
    for name in &expected.devices {
        if !report.devices.iter().any(|device| device.name == *name) {
            found.push(format!("{name} is not among the devices"));
        }
    }
    let instructions = report.timing_us.total * 1000;
    if let Some(bound) = expect.instructions_below.filter(|bound| instructions == 0 || instructions >= *bound)
    {
        found.push(format!("instructions: expected fewer than {bound}, are {instructions}"));
    }
}

fn expected_groups(expect: &Expect, linux: Option<&Answer>, found: &mut Vec<String>) -> Vec<ExpectedGroup> {
    let mut regions = |lines: &Vec<String>| -> BTreeSet<Region> {
        let parsed = lines.iter().filter_map(|line| {
            let region = linux_region(line);
            if region.is_none() {
                found.push(format!("the expectation has no region in {line:?}"));
            }
            region
        });
        parsed.collect()
    };
    if let Some(groups) = &expect.of_report {
        return groups.iter().map(ExpectedGroup::of_report).collect();
    }
    let stated = expect.reserved.as_ref().map(&mut regions);
    match linux {
        Some(answer) => answer
            .groups
            .iter()
            .map(|group| ExpectedGroup {
                kind: expect.kind.unwrap_or(group.kind),
                reserved: Some(stated.clone().unwrap_or_else(|| regions(&group.reserved_regions))),
                members: group.devices.iter().map(|device| device.bdf.clone()).collect(),
            })
            .collect(),
        None => expect
            .groups
            .iter()
            .map(|members| {
                let by_instance =
                    || of_instances(expect, members).map(|lines| without_enclosed(regions(&lines)));
                let mut reserved = stated.clone().or_else(by_instance);
                for (_, lines) in expect.also_reserved.iter().filter(|(device, _)| members.contains(device)) {
                    reserved.get_or_insert_default().extend(regions(lines));
                }
                let own = members.iter().find_map(|device| expect.types.get(device));
                ExpectedGroup {
                    kind: own.copied().or(expect.kind).unwrap_or(USUAL_TYPE),
                    reserved,
                    members: members.iter().cloned().collect(),
                }
            })
            .collect(),
    }
}

/// The regions of all instances that a group is behind; none if the topology does not tell instances apart.
fn of_instances(expect: &Expect, members: &[String]) -> Option<Vec<String>> {
    let instances = expect.translated.values();
    let behind = instances.filter(|instance| instance.devices.iter().any(|device| members.contains(device)));
    let regions: Vec<String> = behind.flat_map(|instance| instance.reserved.iter().cloned()).collect();
    (!expect.translated.is_empty()).then_some(regions)
}

/// A region inside of another of its kind is listed as a part of that one (Linux: `iommu_insert_resv_region`).
fn without_enclosed(regions: BTreeSet<Region>) -> BTreeSet<Region> {
    let all = regions.clone();
    let encloses = |outer: &Region, inner: &Region| {
        outer != inner && outer.2 == inner.2 && outer.0 <= inner.0 && inner.1 <= outer.1
    };
    regions.into_iter().filter(|inner| !all.iter().any(|outer| encloses(outer, inner))).collect()
}

fn groups(report: &Report, expected: &[ExpectedGroup], any_numbers: bool, found: &mut Vec<String>) {
    let members: Vec<BTreeSet<String>> =
        report.groups.iter().map(|group| group.devices.iter().cloned().collect()).collect();
    for (number, wanted) in expected.iter().enumerate() {
        let Some(at) = members.iter().position(|members| *members == wanted.members) else {
            found.push(format!("missing group {number} {}", set(&wanted.members)));
            continue;
        };
        let group = &report.groups[at];
        if group.id as usize != number && !any_numbers {
            found.push(format!(
                "group {} should have number {number}, it has {}",
                set(&wanted.members),
                group.id
            ));
        }
        if group.kind != wanted.kind {
            found.push(format!("group {}: expected type {}, is {}", group.id, wanted.kind, group.kind));
        }
        let is: Option<BTreeSet<Region>> = group.reserved_regions.iter().map(region).collect();
        if let Some(reserved) = &wanted.reserved
            && is.as_ref() != Some(reserved)
        {
            let lines: Vec<String> = group.reserved_regions.iter().map(ToString::to_string).collect();
            found.push(format!(
                "group {}: expected reserved regions {}, is {}",
                group.id,
                regions_in_words(reserved),
                set(&lines)
            ));
        }
    }
    for (group, members) in report.groups.iter().zip(&members) {
        if !expected.iter().any(|wanted| wanted.members == *members) {
            found.push(format!("unexpected group {} {}", group.id, set(members)));
        }
    }
}

fn ungrouped(report: &Report, expect: &Expect, linux: Option<&Answer>, found: &mut Vec<String>) {
    let mut wanted: BTreeMap<&str, &str> = BTreeMap::new();
    // Linux does not say why; any reason begins so.
    wanted.extend(linux.iter().flat_map(|answer| &answer.without_group).map(|function| (&*function.bdf, "")));
    let instances = linux.iter().flat_map(|answer| &answer.iommus);
    wanted.extend(instances.map(|instance| (&*instance.name, "is the IOMMU")));
    wanted.extend(expect.without.iter().map(|(name, why)| (name.as_str(), why.as_str())));
    let of_linux: &[&str] = if report.run.path == ProbePath::Fixed.word() { &[] } else { &REASONS_OF_LINUX };
    for device in report.ungrouped() {
        if !REASONS.iter().chain(of_linux).any(|reason| device.why.starts_with(reason)) {
            found.push(format!("{}: the reason {:?} is not one of the closed set", device.name, device.why));
        }
        match wanted.remove(device.name.as_str()) {
            Some(why) if !device.why.starts_with(why) => found.push(format!(
                "{} without a group: expected the reason {why:?}, is {:?}",
                device.name, device.why
            )),
            None if device.bus == "pci" && report.result != Verdict::Error => {
                found.push(format!("{} is unexpectedly without a group: {}", device.name, device.why));
            }
            _ => (),
        }
    }
    found.extend(wanted.keys().map(|name| format!("{name} should be listed without a group")));
}

fn iommus(report: &Report, expect: &Expect, linux: Option<&Answer>, found: &mut Vec<String>) {
    let from_linux = || linux.map(|answer| answer.iommus.iter().map(|iommu| iommu.name.clone()).collect());
    let mut names: Vec<String> = report.iommus.iter().map(|iommu| iommu.name.clone()).collect();
    let mut wanted = expect.iommus.clone().or_else(from_linux);
    if expect.any_numbers {
        names.sort();
        wanted.iter_mut().for_each(|wanted| wanted.sort());
    }
    if let Some(wanted) = wanted.filter(|wanted| *wanted != names) {
        found.push(format!("IOMMUs: expected {}, is {}", set(&wanted), set(&names)));
    }
    let of_linux = linux.iter().flat_map(|answer| &answer.iommus).map(|iommu| (&iommu.name, &iommu.devices));
    let of_linux = of_linux.filter(|(name, _)| names.contains(*name));
    let stated = expect.translated.iter().map(|(name, instance)| (name, &instance.devices));
    for (name, wanted) in of_linux.chain(stated) {
        let is = report.iommus.iter().find(|iommu| iommu.name == *name).map(|iommu| &iommu.devices);
        let [wanted, is] = [Some(wanted), is].map(|list| list.into_iter().flatten().collect::<BTreeSet<_>>());
        if wanted != is {
            found.push(format!("translated by {name}: expected {}, is {}", set(&wanted), set(&is)));
        }
    }
}

/// Drivers that the topology names.
fn drivers(report: &Report, expect: &Expect, found: &mut Vec<String>) {
    for (name, wanted) in &expect.drivers {
        let device = report.devices.iter().find(|device| device.name == *name);
        let is = device.map(|device| device.driver.as_deref().unwrap_or(NO_DRIVER));
        if is != Some(wanted) {
            found.push(format!(
                "driver of {name}: expected {wanted}, is {}",
                is.unwrap_or("that of no device")
            ));
        }
    }
}

/// ACS control registers that the topology names.
fn acs_controls(report: &Report, expect: &Expect, found: &mut Vec<String>) {
    for (name, wanted) in &expect.acs {
        let device = report.devices.iter().find(|device| device.name == *name);
        let is = device.and_then(|device| device.acs.as_ref()).map(|acs| &*acs.control);
        if is != Some(wanted) {
            found.push(format!("ACS control of {name}: expected {wanted}, is {}", is.unwrap_or("absent")));
        }
    }
}

/// What Linux says of each PCI function, apart from its group.
fn functions(report: &Report, answer: &Answer, found: &mut Vec<String>) {
    let functions = answer.groups.iter().flat_map(|group| &group.devices).chain(&answer.without_group);
    for function in functions {
        let Some(device) = report.devices.iter().find(|device| device.name == function.bdf) else {
            found.push(format!("{} is not among the devices", function.bdf));
            continue;
        };
        let acs = |part: fn(&report::Acs) -> &String| device.acs.as_ref().map(part).map(String::as_str);
        let pairs = [
            ("ID", Some(function.id.as_str()), Some(device.id.as_str())),
            ("class", Some(function.class.as_str()), device.class.as_deref()),
            ("kind", Some(function.report_kind()), Some(device.kind.as_str())),
            ("driver", expected_driver(report, answer, function, device), device.driver.as_deref()),
            ("ACS capability", function.acs_cap.as_deref(), acs(|acs| &acs.capability)),
            ("ACS control", grouped_acs_control(function, device), acs(|acs| &acs.control)),
        ];
        for (what, wanted, is) in pairs {
            let same = wanted == is
                || matches!((wanted.map(number), is.map(number)), (Some(Some(a)), Some(Some(b))) if a == b);
            if !same {
                let [wanted, is] = [wanted, is].map(|value| value.unwrap_or("none"));
                found.push(format!("{}: expected {what} {wanted}, is {is}", device.name));
            }
        }
    }
}

/// The driver that a function must have. Linux drives a virtio device by its transport, and what is behind it by
/// another driver; here the IOMMU has one for both. And where Linux's drivers still waited when it was asked, ours
/// have given up waiting, with a warning. An IOMMU whose driver did not survive its own probe counts as driven there.
fn expected_driver<'a>(
    report: &Report,
    answer: &Answer,
    function: &'a Function,
    device: &'a Device,
) -> Option<&'a str> {
    let driver = Some(function.driver.as_str()).filter(|driver| *driver != NO_DRIVER);
    if driver.is_some() && answer.iommus.iter().any(|iommu| iommu.name == function.bdf) {
        let oops = format!("oops: the IOMMU {} ", function.bdf);
        let survived = !report.warnings.iter().any(|warning| warning.starts_with(&oops));
        return survived.then_some(IOMMU_DRIVER);
    }
    let gave_up = report.warnings.iter().any(|warning| gave_up_on(warning) == Some(&function.bdf));
    if driver.is_none() && gave_up { device.driver.as_deref() } else { driver }
}

/// How Linux's answers, and our expectations, say that a function has no driver.
pub(crate) const NO_DRIVER: &str = "-";
/// Our driver of an IOMMU.
const IOMMU_DRIVER: &str = "virtio-iommu";

/// The device that is bound although its IOMMU never came, if that is what a warning says.
fn gave_up_on(warning: &str) -> Option<&str> {
    Some(warning.split_once(": deferred probe timeout, ignoring dependency")?.0)
}

/// The warnings that a device was grouped although its driver was already there: Linux's, no more and no fewer.
fn late_probes(report: &Report, answer: &Answer, found: &mut Vec<String>) {
    let warnings = report.warnings.iter().map(String::as_str);
    same_lines(answer.lines(LATE_PROBE), warnings.filter(|line| line.contains(LATE_PROBE)), found);
}

/// The lines of the log that a map leads nowhere: the same.
fn untranslated(outcome: &Outcome, answer: &Answer, found: &mut Vec<String>) {
    same_lines(answer.lines(UNTRANSLATED), outcome.log.iter().map(String::as_str), found);
}

fn same_lines<'a>(
    linux: impl Iterator<Item = &'a str>,
    ours: impl Iterator<Item = &'a str>,
    found: &mut Vec<String>,
) {
    let (linux, ours): (BTreeSet<&str>, BTreeSet<&str>) = (linux.collect(), ours.collect());
    found.extend(linux.difference(&ours).map(|line| format!("Linux says, and there is no: {line}")));
    found.extend(ours.difference(&linux).map(|line| format!("Linux does not say: {line}")));
}

/// Whether a warning is one that Linux's answer explains: a late probe, which is compared by itself, or that we
/// have given up waiting where Linux still waited.
fn is_explained(warning: &str, answer: &Answer) -> bool {
    let waits = |name: &str| {
        answer.without_group.iter().any(|function| function.bdf == name && function.driver == NO_DRIVER)
    };
    warning.contains(LATE_PROBE) || gave_up_on(warning).is_some_and(waits)
}

/// ACS is enabled when firmware's map is asked for a device. Where there is no map, Linux leaves the
/// register as it was, and nothing depends on it: then ours is as good.
fn grouped_acs_control<'a>(function: &'a Function, device: &'a Device) -> Option<&'a str> {
    match device.group {
        Some(_) => function.acs_ctrl.as_deref(),
        None => device.acs.as_ref().map(|acs| acs.control.as_str()),
    }
}

/// Findings, errors and warnings: what must be there is, and nothing serious is beside it.
fn remarks(report: &Report, expect: &Expect, linux: Option<&Answer>, found: &mut Vec<String>) {
    let text_of = |finding: &Finding| format!("{} {} {}", finding.id, finding.device, finding.sentence);
    let has_all = |text: &str, words: &[String]| words.iter().all(|word| text.contains(word));
    for words in &expect.findings {
        let in_finding = report.findings.iter().any(|finding| has_all(&text_of(finding), words));
        let in_error = report.error.as_ref().is_some_and(|error| has_all(error, words));
        if !in_finding && !in_error {
            found.push(format!("no finding and no error speaks of {}", set(words)));
        }
    }
    for finding in report.findings.iter().filter(|finding| finding.severity > Severity::Info) {
        let text = text_of(finding);
        if !expect.findings.iter().chain(&expect.tolerated).any(|words| has_all(&text, words)) {
            found.push(format!("unexpected finding ({}): {text}", finding.severity));
        }
    }
    for part in &expect.warnings {
        if !report.warnings.iter().any(|warning| warning.contains(part)) {
            found.push(format!("no warning speaks of {part:?}"));
        }
    }
    let is_explained = |warning: &&String| linux.is_some_and(|answer| is_explained(warning, answer));
    for warning in report.warnings.iter().filter(|warning| !is_explained(warning)) {
        if !expect.warnings.iter().any(|part| warning.contains(part)) {
            found.push(format!("unexpected warning: {warning}"));
        }
    }
}

/// `0x8020000`
fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn region(region: &ReservedRegion) -> Option<Region> {
    Some((number(&region.start)?, number(&region.end)?, region.kind.clone()))
}

/// A line of Linux's `reserved_regions`.
fn linux_region(line: &str) -> Option<Region> {
    let mut words = line.split_whitespace();
    let region = (number(words.next()?)?, number(words.next()?)?, words.next()?.to_owned());
    words.next().is_none().then_some(region)
}

fn regions_in_words(regions: &BTreeSet<Region>) -> String {
    set(regions.iter().map(|(start, end, kind)| format!("{kind} {start:#x}-{end:#x}")).collect::<Vec<_>>())
}

/// `{a, b}`
fn set(items: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    let mut text = String::from("{");
    for (number, item) in items.into_iter().enumerate() {
        let separator = if number == 0 { "" } else { ", " };
        // Writing to a text does not fail.
        let _ = write!(text, "{separator}{item}");
    }
    text + "}"
}

#[cfg(test)]
mod tests;
