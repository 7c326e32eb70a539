//! How two reports differ, subject by subject. Pure: from two values to a list.

use std::collections::BTreeMap;
use std::fmt::Debug;

use report::{Device, Report};
use serde::Serialize;

/// What a difference is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    /// Which devices share a group with a device, or why it has none.
    Group,
    /// Type of the default domain of a device's group.
    DomainType,
    /// The IOMMU of a device, its endpoint IDs, and what in firmware names them.
    Translation,
    /// Driver of a device.
    Driver,
    /// ACS registers of a function.
    Acs,
    /// Reserved regions of a device's group.
    Reserved,
    /// An IOMMU.
    Iommu,
    /// A finding.
    Finding,
    /// A warning of the run.
    Warning,
    /// An invariant.
    Invariant,
    /// The verdict.
    Verdict,
}

impl Subject {
    /// The heading of its differences.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Group => "groups",
            Self::DomainType => "domain types",
            Self::Translation => "translation",
            Self::Driver => "drivers",
            Self::Acs => "ACS (capability, control)",
            Self::Reserved => "reserved regions",
            Self::Iommu => "IOMMUs",
            Self::Finding => "findings",
            Self::Warning => "warnings",
            Self::Invariant => "invariants",
            Self::Verdict => "verdict",
        }
    }
}

/// One difference: what each report says of the same thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub(crate) subject: Subject,
    /// Device, IOMMU, invariant or finding.
    pub(crate) place: String,
    pub(crate) a: String,
    pub(crate) b: String,
}

/// What stands for something that only the other report has.
const ABSENT: &str = "absent";

/// What stands for something that is the same as in other reports, where the other report has something.
const NONE: &str = "none";

/// All differences, by subject, and by place in the order of the reports. Numbers of groups, times, and how a run was
/// started do not count: two right runs may differ in them. Nor does, between a device tree and ACPI tables, what each
/// language names in its own way: properties and tables, and platform devices without a group.
pub(crate) fn differences(a: &Report, b: &Report) -> Vec<Difference> {
    let mut found = Vec::new();
    let same_language = is_acpi(a) == is_acpi(b);
    for (name, of_a, of_b) in &pairs(&a.devices, &b.devices, |device| device.name.clone()) {
        let (Some(of_a), Some(of_b)) = (of_a, of_b) else {
            if of_a.or(*of_b).is_some_and(|device| !same_language && is_named_by_firmware(device)) {
                continue;
            }
            let words = |device: &Option<&Device>, report| {
                device.map_or(ABSENT.into(), |device| membership(report, device))
            };
            note(&mut found, Subject::Group, name, words(of_a, a), words(of_b, b));
            continue;
        };
        let same_peers = peers(a, of_a) == peers(b, of_b) && (of_a.group.is_some() || of_a.why == of_b.why);
        if !same_peers {
            note(&mut found, Subject::Group, name, membership(a, of_a), membership(b, of_b));
        }
        if of_a.group.is_some() && of_b.group.is_some() {
            note(&mut found, Subject::DomainType, name, domain_type(a, of_a), domain_type(b, of_b));
            let translation = |device| translation(device, same_language);
            note(&mut found, Subject::Translation, name, translation(of_a), translation(of_b));
            note(&mut found, Subject::Reserved, name, reserved(a, of_a), reserved(b, of_b));
        }
        note(&mut found, Subject::Driver, name, driver(of_a), driver(of_b));
        note(&mut found, Subject::Acs, name, acs(of_a), acs(of_b));
    }
    compare(
        &mut found,
        Subject::Iommu,
        &a.iommus,
        &b.iommus,
        |iommu| iommu.name.clone(),
        |iommu| {
            let [first, last] = &iommu.input_range;
            let state = word(&iommu.state);
            let bypass = if iommu.bypass { "on" } else { "off" };
            let mask = &iommu.page_size_mask;
            format!(
                "{} on {}, {state}, pages {mask}, addresses {first} to {last}, bypass {bypass}",
                iommu.driver, iommu.transport
            )
        },
    );
    let key = |finding: &report::Finding| format!("{} {}", finding.device, finding.id);
    compare(&mut found, Subject::Finding, &a.findings, &b.findings, key, |finding| {
        format!("{}: {}", word(&finding.severity), finding.sentence)
    });
    compare(&mut found, Subject::Warning, &a.warnings, &b.warnings, Clone::clone, |_| "given".into());
    compare(
        &mut found,
        Subject::Invariant,
        &a.invariants,
        &b.invariants,
        |one| one.id.clone(),
        |one| {
            let broken_by = one.broken_by.as_deref().unwrap_or("no reason given");
            if one.holds { "holds".into() } else { format!("violated: {broken_by}") }
        },
    );
    let verdict = |report: &Report| {
        let reason = report.error.as_ref().or(report.failed_because.first());
        let word = word(&report.result);
        reason.map_or(word.clone(), |reason| format!("{word}: {reason}"))
    };
    note(&mut found, Subject::Verdict, "", verdict(a), verdict(b));
    found.sort_by_key(|difference| difference.subject);
    found
}

/// A thing of one or both reports, and its key.
type Pair<'a, T> = (String, Option<&'a T>, Option<&'a T>);

/// The things of two reports in pairs with the same key, in the order of the first report, then of the second. Of several
/// things with one key, equal ones are a pair.
fn pairs<'a, T: PartialEq>(a: &'a [T], b: &'a [T], key: impl Fn(&T) -> String) -> Vec<Pair<'a, T>> {
    let mut of_b: BTreeMap<String, Vec<&T>> = BTreeMap::new();
    for one in b {
        of_b.entry(key(one)).or_default().push(one);
    }
    let mut all: Vec<Pair<T>> = a.iter().map(|one| (key(one), Some(one), None)).collect();
    for equal in [true, false] {
        for (key, of_a, other) in all.iter_mut().filter(|(.., other)| other.is_none()) {
            let left = of_b.get_mut(key).into_iter();
            let found =
                |left: &mut &mut Vec<&'a T>| left.iter().position(|one| !equal || *of_a == Some(*one));
            *other = left.filter_map(|mut left| found(&mut left).map(|at| left.remove(at))).next();
        }
    }
    for one in b {
        let key = key(one);
        let left = of_b.get_mut(&key).filter(|left| !left.is_empty()).map(|left| left.remove(0));
        all.extend(left.map(|one| (key, None, Some(one))));
    }
    all
}

/// Notes what differs between two lists of things that have keys.
fn compare<T: PartialEq>(
    found: &mut Vec<Difference>,
    subject: Subject,
    a: &[T],
    b: &[T],
    key: impl Fn(&T) -> String,
    words: impl Fn(&T) -> String,
) {
    for (key, of_a, of_b) in pairs(a, b, key) {
        let words = |one: Option<&T>| one.map_or(ABSENT.into(), &words);
        note(found, subject, &key, words(of_a), words(of_b));
    }
}

fn note(found: &mut Vec<Difference>, subject: Subject, place: &str, a: String, b: String) {
    if a != b {
        found.push(Difference { subject, place: place.into(), a, b });
    }
}

/// The devices of a device's group, itself among them; none without a group.
fn peers<'a>(report: &'a Report, device: &Device) -> Vec<&'a str> {
    let group = report.groups.iter().find(|group| Some(group.id) == device.group);
    let mut peers: Vec<&str> =
        group.into_iter().flat_map(|group| &group.devices).map(String::as_str).collect();
    peers.sort_unstable();
    peers
}

/// A device's place, with the rule that decided it.
fn membership(report: &Report, device: &Device) -> String {
    let Some(group) = device.group else { return format!("no group: {}", device.why) };
    let others: Vec<&str> = peers(report, device).into_iter().filter(|peer| *peer != device.name).collect();
    let with = if others.is_empty() { "alone".into() } else { format!("with {}", others.join(", ")) };
    format!("group {group}, {with} ({})", device.why)
}

fn group_of<'a>(report: &'a Report, device: &Device) -> Option<&'a report::Group> {
    report.groups.iter().find(|group| Some(group.id) == device.group)
}

fn domain_type(report: &Report, device: &Device) -> String {
    group_of(report, device).map_or(NONE.into(), |group| word(&group.kind))
}

fn reserved(report: &Report, device: &Device) -> String {
    let regions = group_of(report, device).into_iter().flat_map(|group| &group.reserved_regions);
    let words: Vec<String> =
        regions.map(|region| format!("{} {}-{}", region.kind, region.start, region.end)).collect();
    if words.is_empty() { NONE.into() } else { words.join(", ") }
}

fn translation(device: &Device, with_source: bool) -> String {
    let source = device.source.as_deref().filter(|_| with_source);
    let source = source.map_or(String::new(), |source| format!(", from {source}"));
    format!("{}, endpoint {}{source}", device.iommu.as_deref().unwrap_or(NONE), device.endpoints.join(" "))
}

fn is_acpi(report: &Report) -> bool {
    report.run.firmware.ends_with("acpi")
}

/// Whether the device is there in the other language too, under another name.
fn is_named_by_firmware(device: &Device) -> bool {
    device.bus != "pci" && device.group.is_none()
}

fn driver(device: &Device) -> String {
    device.driver.clone().unwrap_or(NONE.into())
}

fn acs(device: &Device) -> String {
    device.acs.as_ref().map_or(NONE.into(), |acs| format!("{}, {}", acs.capability, acs.control))
}

/// A value's word in the JSON form of a report.
fn word(value: &(impl Serialize + Debug)) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => format!("{value:?}"),
    }
}
