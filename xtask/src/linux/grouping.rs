//! Which devices share a group: a listing of Linux, a report of ours or a saved answer, in one form for comparison.

use std::collections::{BTreeMap, BTreeSet};

use report::{GroupType, Report};
use serde::Serialize;

use super::listing::Listing;
use crate::answer::{LATE_PROBE, LinuxAnswer, late_device};
use crate::judge::regions::{Region, linux_region, region, regions_in_words};

/// A group. Its number does not count: it depends on the order of probing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) members: BTreeSet<String>,
    kind: Kind,
    reserved: BTreeSet<Region>,
}

/// Whether a group's domain translates. Between `DMA` and `DMA-FQ`, the kernel's configuration decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Translated,
    Identity,
}

impl Kind {
    fn of_linux(kind: &str) -> Self {
        if kind == "identity" { Self::Identity } else { Self::Translated }
    }

    fn of_report(kind: GroupType) -> Self {
        Self::of_linux(&kind.to_string())
    }

    fn word(self) -> &'static str {
        match self {
            Self::Translated => "DMA",
            Self::Identity => "identity",
        }
    }
}

/// The group of every PCI function, and of every other device that is in one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Grouping {
    pub(super) devices: BTreeMap<String, Option<Group>>,
    /// Devices that were grouped while a driver was already bound.
    pub(super) late: BTreeSet<String>,
}

/// A device whose group has other members than expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Move {
    pub(super) device: String,
    /// The members of its group in the judged grouping; none if it does not have a group.
    pub(super) here: Option<BTreeSet<String>>,
    /// The same in the expected grouping.
    pub(super) expected: Option<BTreeSet<String>>,
}

/// The members of a device's group on one of the two sides.
type Side = fn(&Move) -> &Option<BTreeSet<String>>;

/// How one grouping differs from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    pub(super) moves: Vec<Move>,
    /// Devices that are grouped late only here, or only in the expected grouping.
    pub(super) late: Vec<String>,
    pub(super) not_late: Vec<String>,
    /// Devices that exist only here, or only in the expected grouping.
    pub(super) extra: Vec<String>,
    pub(super) absent: Vec<String>,
    /// Types and reserved regions, in words.
    pub(super) properties: Vec<String>,
}

impl Grouping {
    pub(super) fn of_listing(listing: &Listing) -> Self {
        let mut grouping = Self::default();
        grouping.devices.extend(listing.functions.keys().map(|name| (name.clone(), None)));
        for group in listing.groups.values() {
            let regions = group.regions.iter().filter_map(|line| linux_region(line)).collect();
            let members = group.members.iter().map(|(name, _)| name.clone()).collect();
            grouping.add(members, Kind::of_linux(&group.kind), regions);
        }
        grouping.late = listing.log.iter().filter_map(|line| late_device(line)).map(String::from).collect();
        grouping
    }

    pub(super) fn of_report(report: &Report) -> Self {
        let mut grouping = Self::default();
        let functions = report.devices.iter().filter(|device| device.bus == "pci");
        grouping.devices.extend(functions.map(|device| (device.name.clone(), None)));
        for group in &report.groups {
            let regions = group.reserved_regions.iter().filter_map(region).collect();
            grouping.add(group.devices.iter().cloned().collect(), Kind::of_report(group.kind), regions);
        }
        let late = report.warnings.iter().filter(|line| line.contains(LATE_PROBE));
        grouping.late = late.filter_map(|line| late_device(line)).map(String::from).collect();
        grouping
    }

    pub(super) fn of_answer(answer: &LinuxAnswer) -> Self {
        let mut grouping = Self::default();
        grouping.devices.extend(answer.without_group.iter().map(|function| (function.bdf.clone(), None)));
        for group in &answer.groups {
            let regions = group.reserved_regions.iter().filter_map(|line| linux_region(line)).collect();
            let members = group.devices.iter().map(|device| device.bdf.clone()).collect();
            grouping.add(members, Kind::of_report(group.kind), regions);
        }
        grouping.late = answer.lines(LATE_PROBE).filter_map(late_device).map(String::from).collect();
        grouping
    }

    /// Groups of which the members alone are known.
    pub(super) fn of_members(
        groups: &[BTreeSet<String>],
        ungrouped: &BTreeSet<String>,
        late: BTreeSet<String>,
    ) -> Self {
        let mut grouping = Self { late, ..Self::default() };
        grouping.devices.extend(ungrouped.iter().map(|name| (name.clone(), None)));
        for members in groups {
            grouping.add(members.clone(), Kind::Translated, BTreeSet::new());
        }
        grouping
    }

    fn add(&mut self, members: BTreeSet<String>, kind: Kind, reserved: BTreeSet<Region>) {
        let group = Group { members, kind, reserved };
        for name in group.members.clone() {
            self.devices.insert(name, Some(group.clone()));
        }
    }

    /// The members of the groups.
    pub(super) fn partition(&self) -> BTreeSet<&BTreeSet<String>> {
        self.devices.values().flatten().map(|group| &group.members).collect()
    }

    /// How this grouping differs from one that is expected.
    pub(super) fn differences(&self, expected: &Self) -> Differences {
        let mut found = Differences::default();
        let names: BTreeSet<&String> = self.devices.keys().chain(expected.devices.keys()).collect();
        for name in names {
            match (self.devices.get(name), expected.devices.get(name)) {
                (Some(here), Some(there)) => found.compare(name, here.as_ref(), there.as_ref()),
                (Some(_), None) => found.extra.push(name.clone()),
                (None, _) => found.absent.push(name.clone()),
            }
        }
        found.late = self.late.difference(&expected.late).cloned().collect();
        found.not_late = expected.late.difference(&self.late).cloned().collect();
        found
    }
}

impl Differences {
    fn compare(&mut self, device: &str, here: Option<&Group>, expected: Option<&Group>) {
        let members = |group: Option<&Group>| group.map(|group| group.members.clone());
        if members(here) != members(expected) {
            let (here, expected) = (members(here), members(expected));
            self.moves.push(Move { device: device.to_owned(), here, expected });
            return;
        }
        // Once for each group, with its first member.
        let (Some(here), Some(expected)) = (here, expected) else { return };
        if here.members.first().is_none_or(|first| first != device) {
            return;
        }
        if here.kind != expected.kind {
            let (is, wanted) = (here.kind.word(), expected.kind.word());
            self.properties.push(format!("group of {device}: type {is}, expected {wanted}"));
        }
        if here.reserved != expected.reserved {
            let [is, wanted] = [here, expected].map(|group| regions_in_words(&group.reserved));
            self.properties.push(format!("group of {device}: reserved regions {is}, expected {wanted}"));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The group of a device on one side, in words that are the same for devices that can be named together. That is the
    /// whole group, if all its members moved.
    fn group_in_words(&self, one: &Move, members: Option<&BTreeSet<String>>, side: Side) -> String {
        let Some(members) = members else { return "without a group".into() };
        if members.len() == 1 {
            return "alone".into();
        }
        let moved = |name: &String| {
            self.moves.iter().any(|other| other.device == *name && side(other).as_ref() == Some(members))
        };
        if members.iter().all(moved) {
            return format!("in one group of {}", members.len());
        }
        let others: Vec<&str> =
            members.iter().filter(|other| **other != one.device).map(String::as_str).collect();
        format!("with {}", others.join(" and "))
    }

    /// A line for each kind of difference; `expected` names the other grouping.
    pub(super) fn lines(&self, expected: &str) -> Vec<String> {
        let mut together: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
        for one in &self.moves {
            let here = self.group_in_words(one, one.here.as_ref(), |other| &other.here);
            let there = self.group_in_words(one, one.expected.as_ref(), |other| &other.expected);
            together.entry((here, there)).or_default().push(&one.device);
        }
        let mut lines: Vec<String> = together
            .iter()
            .map(|((here, there), devices)| format!("{}: {here}, on {expected} {there}", devices.join(", ")))
            .collect();
        for (devices, what) in [
            (&self.late, "grouped only when the driver bound (late probe)".to_owned()),
            (&self.not_late, format!("grouped late on {expected}, here in time or never")),
            (&self.extra, format!("not in the machine of {expected}")),
            (&self.absent, format!("not here, but in the machine of {expected}")),
        ] {
            if !devices.is_empty() {
                lines.push(format!("{}: {what}", devices.join(", ")));
            }
        }
        lines.extend(self.properties.iter().cloned());
        lines
    }
}

#[cfg(test)]
pub(super) mod tests;
