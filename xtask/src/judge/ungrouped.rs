//! Devices without a group: the expected ones, each for a reason of the closed set.

use std::collections::BTreeMap;

use report::{Report, Verdict};

use super::groups;
use crate::answer::LinuxAnswer;
use crate::expect::Expect;

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
const REASONS_OF_LINUX: [&str; 3] = ["not probed", "translated by firmware, never probed", "not grouped"];

pub(super) fn differences(report: &Report, expect: &Expect, linux: Option<&LinuxAnswer>) -> Vec<String> {
    let mut found = Vec::new();
    let mut wanted: BTreeMap<&str, &str> = BTreeMap::new();
    // Linux does not say why; any reason begins so.
    wanted.extend(linux.iter().flat_map(|answer| &answer.without_group).map(|function| (&*function.bdf, "")));
    let instances = linux.iter().flat_map(|answer| &answer.iommus);
    wanted.extend(instances.map(|instance| (&*instance.name, "is the IOMMU")));
    wanted.extend(expect.without.iter().map(|(name, why)| (name.as_str(), why.as_str())));
    let of_linux: &[&str] =
        if report.run.path == probe::Path::Fixed.word() { &[] } else { &REASONS_OF_LINUX };
    // That these have none is a difference of the groups.
    let grouped = groups::grouped(expect, linux);
    for device in report.ungrouped() {
        if !REASONS.iter().chain(of_linux).any(|reason| device.why.starts_with(reason)) {
            found.push(format!("{}: the reason {:?} is not one of the closed set", device.name, device.why));
        }
        match wanted.remove(device.name.as_str()) {
            Some(why) if !device.why.starts_with(why) => found.push(format!(
                "{} without a group: expected the reason {why:?}, is {:?}",
                device.name, device.why
            )),
            None if grouped.contains(&device.name) => (),
            None if expect.without_others.is_some_and(|why| device.why.starts_with(why)) => (),
            None if device.bus == "pci" && report.result != Verdict::Error => {
                found.push(format!("{} is unexpectedly without a group: {}", device.name, device.why));
            }
            _ => (),
        }
    }
    found.extend(wanted.keys().map(|name| format!("{name} should be listed without a group")));
    found
}
