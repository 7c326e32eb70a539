//! The judgement of a Linux on one machine: whether its groups are as expected, which paths it behaves like, which
//! invariants it violates.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::console::{End, Finished};
use super::grouping::{Differences, Grouping};
use super::listing::Listing;
use super::machines::Subject;
use super::reference::Reference;

/// The result of a Linux on one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Status {
    /// As expected.
    Ok,
    /// It has other groups.
    Differs,
    /// It has other groups, and they vary from run to run.
    Varies,
    Panics,
    Hangs,
    /// The machine was reset or powered off before anything was listed.
    Ends,
    /// The kernel has no IOMMU groups at all.
    NoGroups,
    /// The kernel has no driver for the virtio-iommu of the machine.
    NoDriver,
    /// There is nothing to compare with.
    Unknown,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Differs => "differs",
            Self::Varies => "varies",
            Self::Panics => "panics",
            Self::Hangs => "hangs",
            Self::Ends => "ends",
            Self::NoGroups => "no-groups",
            Self::NoDriver => "no-driver",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the kernel listed its groups and they were compared.
    pub(super) fn is_compared(self) -> bool {
        matches!(self, Self::Ok | Self::Differs | Self::Varies)
    }

    /// Whether the run allows no conclusion about the kernel.
    pub(super) fn is_unable(self) -> bool {
        matches!(self, Self::NoDriver | Self::Unknown)
    }
}

/// The references of one machine.
pub(super) struct Comparison {
    /// The grouping that `--like` selects, or several, each of which is accepted.
    pub(super) expected: Vec<Grouping>,
    /// The result of our own path, for invariants.
    pub(super) fixed: Option<Grouping>,
    /// Every path that could be booted.
    pub(super) paths: Vec<(probe::Path, Reference)>,
}

/// The judgement of one machine, over all runs.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) id: String,
    pub(super) status: Status,
    /// Of the slowest run.
    pub(super) took: Duration,
    /// The reason, where the status alone does not show it.
    pub(super) why: Option<String>,
    pub(super) differences: Differences,
    /// Paths whose answer is the same.
    pub(super) paths: Vec<probe::Path>,
    /// Violated invariants, and what shows it.
    pub(super) breaks: BTreeMap<String, String>,
    /// Every partition that was seen and the number of runs with it, if there are several.
    pub(super) partitions: Vec<(Vec<Vec<String>>, usize)>,
    pub(super) remarks: Vec<String>,
    pub(super) release: Option<String>,
    pub(super) qemu: Vec<String>,
    /// The listing of the run that has most devices in groups.
    pub(super) listing: Option<Listing>,
}

impl Judged {
    /// The state before the first run.
    pub(super) fn untried(subject: &Subject) -> Self {
        Self {
            id: subject.id.clone(),
            status: Status::Ok,
            took: Duration::ZERO,
            why: None,
            differences: Differences::default(),
            paths: Vec::new(),
            breaks: BTreeMap::new(),
            partitions: Vec::new(),
            remarks: Vec::new(),
            release: None,
            qemu: Vec::new(),
            listing: None,
        }
    }

    /// Judges the runs on one machine; there is at least one. `comparison` gets the kernel's release, and is not asked
    /// if the kernel did not list its groups.
    pub(super) fn of(
        subject: &Subject,
        runs: Vec<Finished>,
        comparison: impl FnOnce(&str) -> anyhow::Result<Comparison>,
    ) -> Self {
        let mut judged = Self::untried(subject);
        judged.took = runs.iter().map(|run| run.took).max().unwrap_or_default();
        let mut groupings = Vec::new();
        for run in runs {
            judged.qemu = run.qemu;
            match run.end {
                End::Listed(listing) => {
                    judged.add_listing(subject, &listing);
                    groupings.push(Grouping::of_listing(&listing));
                    let grouped =
                        |one: &Listing| one.groups.values().map(|group| group.members.len()).sum::<usize>();
                    if judged.listing.as_ref().is_none_or(|before| grouped(before) < grouped(&listing)) {
                        judged.listing = Some(*listing);
                    }
                }
                End::Panics { why } => judged.fail(Status::Panics, why),
                End::Hangs { after, stage } => {
                    judged
                        .fail(Status::Hangs, format!("after {:.0} s: {}", after.as_secs_f32(), stage.text()));
                }
                End::Ends { status, stage } => {
                    judged.fail(Status::Ends, format!("QEMU ended ({status}): {}", stage.text()))
                }
            }
        }
        if judged.status == Status::Ok {
            match comparison(judged.release.as_deref().unwrap_or_default()) {
                Ok(comparison) => judged.compare(&groupings, &comparison),
                Err(error) => judged.fail(Status::Unknown, format!("nothing to compare with: {error:#}")),
            }
        }
        judged
    }

    fn fail(&mut self, status: Status, why: String) {
        if self.status == Status::Ok {
            (self.status, self.why) = (status, Some(why));
        }
    }

    /// What prevents the kernel from having groups at all; checked before its groups are compared.
    fn add_listing(&mut self, subject: &Subject, listing: &Listing) {
        self.release = Some(listing.release.clone());
        for remark in &listing.remarks {
            if !self.remarks.contains(remark) {
                self.remarks.push(remark.clone());
            }
        }
        if !listing.has_groups {
            let why = "it has no /sys/kernel/iommu_groups: CONFIG_IOMMU_SUPPORT is off";
            self.fail(Status::NoGroups, why.into());
        } else if subject.machine.has_iommu()
            && !listing.virtio_drivers.iter().any(|name| name == "virtio_iommu")
        {
            let why = "it has no virtio-iommu driver: CONFIG_VIRTIO_IOMMU is off, or --modules is missing";
            self.fail(Status::NoDriver, why.into());
        }
    }

    fn compare(&mut self, groupings: &[Grouping], comparison: &Comparison) {
        let mut found: Vec<Differences> = Vec::new();
        for grouping in groupings {
            let each = comparison.expected.iter().map(|expected| grouping.differences(expected));
            let mut each: Vec<Differences> = each.collect();
            if !each.iter().any(Differences::is_empty) && !each.is_empty() {
                found.push(each.swap_remove(0));
            }
        }
        let mut seen: Vec<(&Grouping, usize)> = Vec::new();
        for grouping in groupings {
            match seen.iter_mut().find(|(one, _)| one.partition() == grouping.partition()) {
                Some((_, count)) => *count += 1,
                None => seen.push((grouping, 1)),
            }
        }
        let varies = seen.len() > 1;
        if let Some(first) = found.into_iter().next() {
            let status = if varies { Status::Varies } else { Status::Differs };
            (self.status, self.differences) = (status, first);
        }
        if varies {
            self.breaks.insert("I1".into(), format!("{} partitions in {} runs", seen.len(), groupings.len()));
            self.partitions = seen.iter().map(|(grouping, count)| (members(grouping), *count)).collect();
        }
        let fits = |(path, reference): &(probe::Path, Reference)| {
            groupings.iter().all(|grouping| reference.is(grouping)).then_some(*path)
        };
        self.paths = comparison.paths.iter().filter_map(fits).collect();
        self.look_at_invariants(groupings, comparison);
    }

    /// Invariants that the listing itself shows as violated, and those that our kernel violates on the paths with the same
    /// answer.
    fn look_at_invariants(&mut self, groupings: &[Grouping], comparison: &Comparison) {
        for grouping in groupings {
            if let Some(fixed) = &comparison.fixed {
                let lost = grouping.differences(fixed).moves.iter().filter(|one| one.here.is_none()).count();
                if lost > 0 {
                    self.breaks
                        .entry("I2".into())
                        .or_insert_with(|| format!("{lost} devices without a group"));
                }
            }
            if !grouping.late.is_empty() {
                let late = grouping.late.len();
                self.breaks
                    .entry("I3".into())
                    .or_insert_with(|| format!("{late} devices grouped after their drivers were bound"));
            }
        }
        let iommus = self.listing.iter().flat_map(|listing| listing.iommus.values());
        let iommus: Vec<String> = iommus.map(|iommu| iommu.device().to_owned()).collect();
        for iommu in iommus {
            if groupings.iter().any(|grouping| grouping.devices.get(&iommu).is_some_and(Option::is_some)) {
                self.breaks.insert("I4".into(), format!("the IOMMU {iommu} is in a group"));
            }
        }
        self.add_invariants_of_paths(&comparison.paths);
    }

    /// Invariants that every path with the same answer violates: whichever of them the kernel is like, it does too.
    fn add_invariants_of_paths(&mut self, paths: &[(probe::Path, Reference)]) {
        let mut alike = paths.iter().filter(|(path, _)| self.paths.contains(path));
        let Some((_, first)) = alike.next() else { return };
        let others: Vec<&Reference> = alike.map(|(_, reference)| reference).collect();
        let names: Vec<&str> = self.paths.iter().map(|path| path.word()).collect();
        let why = format!("as {}", names.join(" and "));
        for id in first.breaks.iter().filter(|id| others.iter().all(|other| other.breaks.contains(id))) {
            self.breaks.entry(id.clone()).or_insert_with(|| why.clone());
        }
    }
}

/// The members of the groups, sorted.
pub(super) fn members(grouping: &Grouping) -> Vec<Vec<String>> {
    grouping.partition().into_iter().map(|members| members.iter().cloned().collect()).collect()
}

#[cfg(test)]
mod tests;
