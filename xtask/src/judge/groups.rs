//! The groups: members, numbers, types and reserved regions.

use std::collections::BTreeSet;

use report::{Group, GroupType, Report};

use super::moves::moves;
use super::regions::{Region, linux_region, region, regions_in_words, without_enclosed};
use super::words::set;
use crate::answer::LinuxAnswer;
use crate::expect::Expect;

/// Type of a group if the topology does not say.
const USUAL_TYPE: GroupType = GroupType::Dma;

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

/// Compares the groups with those of the expectation, or with Linux's.
pub(super) fn differences(report: &Report, expect: &Expect, linux: Option<&LinuxAnswer>) -> Vec<String> {
    let (expected, mut found) = expected_groups(expect, linux);
    found.extend(compared(report, &expected, expect.any_numbers));
    found
}

/// Names of the devices that are expected to have a group.
pub(super) fn grouped(expect: &Expect, linux: Option<&LinuxAnswer>) -> BTreeSet<String> {
    expected_groups(expect, linux).0.into_iter().flat_map(|group| group.members).collect()
}

fn expected_groups(expect: &Expect, linux: Option<&LinuxAnswer>) -> (Vec<ExpectedGroup>, Vec<String>) {
    let mut found = Vec::new();
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
        return (groups.iter().map(ExpectedGroup::of_report).collect(), Vec::new());
    }
    let stated = expect.reserved.as_ref().map(&mut regions);
    let expected = match linux {
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
    };
    (expected, found)
}

/// The regions of all instances that a group is behind; none if the topology does not tell instances apart.
fn of_instances(expect: &Expect, members: &[String]) -> Option<Vec<String>> {
    let instances = expect.translated.values();
    let behind = instances.filter(|instance| instance.devices.iter().any(|device| members.contains(device)));
    let regions: Vec<String> = behind.flat_map(|instance| instance.reserved.iter().cloned()).collect();
    (!expect.translated.is_empty()).then_some(regions)
}

fn compared(report: &Report, expected: &[ExpectedGroup], any_numbers: bool) -> Vec<String> {
    let mut found = moves(report, &expected.iter().map(|wanted| &wanted.members).collect::<Vec<_>>());
    let members: Vec<BTreeSet<String>> =
        report.groups.iter().map(|group| group.devices.iter().cloned().collect()).collect();
    for (number, wanted) in expected.iter().enumerate() {
        let Some(at) = members.iter().position(|members| *members == wanted.members) else { continue };
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
    found
}
