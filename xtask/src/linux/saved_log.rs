//! What other commands need to judge a saved log: the listing of our init, and what every path answers for a machine.

use std::collections::{BTreeMap, BTreeSet};

use report::Firmware;

use super::grouping::Grouping;
use super::listing::Listing;
use super::machines::Subject;
use super::our_kernels;
use super::reference::{Reference, References};
use crate::cli::Common;
use crate::outcome::Stop;
use crate::paths::Paths;
use crate::program;
use crate::setup::{self, Need};
use crate::topology::Topology;

/// What our init listed.
pub(crate) struct SavedListing {
    pub(crate) release: Option<String>,
    /// Whether ACPI tables describe the machine.
    pub(crate) by_tables: bool,
    pub(crate) has_groups: bool,
    pub(crate) groups: BTreeMap<u32, BTreeSet<String>>,
    pub(crate) functions: BTreeSet<String>,
    pub(crate) drivers: BTreeMap<String, String>,
    /// The devices that are IOMMUs.
    pub(crate) iommus: BTreeSet<String>,
}

/// What our init listed in these lines.
pub(crate) fn listing_of(lines: &[&str]) -> SavedListing {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let listing = Listing::parse(&lines);
    let members = |number: &u32| {
        let members = listing.groups.get(number).map(|group| &group.members);
        members.into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    let drivers = listing
        .functions
        .iter()
        .filter_map(|(name, function)| Some((name.clone(), function.driver.clone()?)));
    SavedListing {
        release: (!listing.release.is_empty()).then(|| listing.release.clone()),
        by_tables: !listing.tables.is_empty(),
        has_groups: listing.has_groups,
        groups: listing.groups.keys().map(|number| (*number, members(number))).collect(),
        functions: listing.functions.keys().cloned().collect(),
        drivers: drivers.collect(),
        iommus: listing.iommus.values().map(|iommu| iommu.device().to_owned()).collect(),
    }
}

/// The groups that a log shows.
pub(crate) struct SavedGroups {
    pub(crate) groups: Vec<BTreeSet<String>>,
    pub(crate) ungrouped: BTreeSet<String>,
    /// Devices that were grouped late; none if the log cannot show that.
    pub(crate) late: Option<BTreeSet<String>>,
}

/// What all paths answer for one machine.
pub(crate) struct PathAnswers {
    /// The machine, as the suite names it.
    pub(crate) machine: String,
    paths: Vec<(probe::Path, Reference)>,
}

/// How one path's answer differs from a log.
pub(crate) struct PathDifference {
    pub(crate) path: probe::Path,
    /// Empty if there is none.
    pub(crate) lines: Vec<String>,
    /// How many devices are in no group here, and in one there.
    pub(crate) lost: usize,
    /// Invariants that the path violates.
    pub(crate) breaks: Vec<String>,
}

/// Boots our kernel on every path.
///
/// # Errors
///
/// There is no such topology, a Linux cannot be booted on it, or our kernel gives no report.
pub(crate) fn path_answers(topology: &str, firmware: Firmware, common: &Common) -> Result<PathAnswers, Stop> {
    let needs = [Need::Target, Need::Qemu, Need::Firmware];
    setup::provide(&needs[..if firmware.is_uefi() { 3 } else { 2 }], common)?;
    let program = program::qemu(common.qemu.as_deref());
    let topology = Topology::find(topology).map_err(|error| Stop::usage(format!("--topology: {error:#}")))?;
    let subject = Subject::of(&topology, firmware, &program, "")
        .map_err(|reason| Stop::usage(format!("--topology {}: it {reason}", topology.name)))?;
    let kernels = our_kernels(std::slice::from_ref(&subject), &program, common.verbose)?;
    let references = References { program: &program, kernels: &kernels, paths: &Paths::read()? };
    let mut paths = Vec::new();
    for path in probe::Path::ALL {
        let answer = references.boot(&subject, path);
        paths.push((path, answer.map_err(|error| Stop::unable(format!("path {}: {error:#}", path.word())))?));
    }
    Ok(PathAnswers { machine: subject.id, paths })
}

impl PathAnswers {
    /// How each path's answer differs from what a log shows; of an answer that varies, the nearest counts. Types and
    /// reserved regions, which logs do not show, are left out.
    pub(crate) fn differences(&self, log: &SavedGroups) -> Vec<PathDifference> {
        let here = Grouping::of_members(&log.groups, &log.ungrouped, log.late.clone().unwrap_or_default());
        let of_path = |(path, reference): &(probe::Path, Reference)| {
            let differences = reference.groupings.iter().map(|expected| {
                let mut differences = here.differences(expected);
                differences.properties.clear();
                // The log need not name every device without a group.
                differences.absent.retain(|name| expected.devices.get(name).is_some_and(Option::is_some));
                if log.late.is_none() {
                    differences.late.clear();
                    differences.not_late.clear();
                }
                differences
            });
            let nearest = differences.min_by_key(|one| one.lines(path.word()).len() + one.moves.len());
            let nearest = nearest.unwrap_or_default();
            let moved = nearest.moves.iter().filter(|one| one.here.is_none()).count();
            let breaks = reference.breaks.clone();
            PathDifference {
                path: *path,
                lines: nearest.lines(path.word()),
                lost: moved + nearest.absent.len(),
                breaks,
            }
        };
        self.paths.iter().map(of_path).collect()
    }
}
