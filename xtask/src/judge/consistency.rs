//! What must hold for every report, whatever the machine: its lists do not contradict each other.

use std::collections::{BTreeMap, BTreeSet};

use report::Report;

use super::words::set;

/// What must hold for every report, whatever the machine.
pub(super) fn differences(report: &Report) -> Vec<String> {
    let mut found = Vec::new();
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
    found
}
