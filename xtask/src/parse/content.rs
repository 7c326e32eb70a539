//! What a log shows about devices and groups.

use std::collections::{BTreeMap, BTreeSet};

use report::{Firmware, Report};

/// What a log shows; whatever it does not show is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct LogContent {
    /// What wrote it: `Linux version 6.16.3`, `iogroups 0.1.0`.
    pub(super) writer: Option<String>,
    /// The path that our own kernel says it took.
    pub(super) path: Option<String>,
    /// How firmware described the machine.
    pub(super) firmware: Option<Firmware>,
    /// The verdict of our own kernel, and why.
    pub(super) verdict: Option<String>,
    /// Why a kernel gave up.
    pub(super) panic: Option<String>,
    /// Groups of a listing, which is the state at the end.
    pub(super) listed: BTreeMap<u32, BTreeSet<String>>,
    /// Whether there is a listing, if only of no groups.
    pub(super) has_listing: bool,
    /// Every "Adding to iommu group", in its order.
    pub(super) joins: Vec<Join>,
    /// Devices that were removed from a group, each as often.
    pub(super) leaves: Vec<String>,
    /// Devices with the warning about a late probe.
    pub(super) late: BTreeSet<String>,
    /// PCI functions, and other devices without a group, that the log names.
    pub(super) devices: BTreeSet<String>,
    /// Bound drivers, by device.
    pub(super) drivers: BTreeMap<String, String>,
    /// Devices that are IOMMUs.
    pub(super) iommus: BTreeSet<String>,
    /// Whether a driver of an IOMMU said that it is ready.
    pub(super) has_ready_iommu: bool,
    /// Invariants that our own report calls violated, with its words.
    pub(super) broken: Vec<(String, String)>,
    /// Reasons of our own report for devices without a group.
    pub(super) reasons: BTreeMap<String, String>,
    /// Whether there are lines of a kernel, with which joins and late probes would be.
    pub(super) has_log: bool,
}

/// A device that joined a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Join {
    pub(super) device: String,
    pub(super) group: u32,
    pub(super) when: BindPhase,
}

/// When a device joined, in the life of its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BindPhase {
    /// Before any driver: at device_add, or when the IOMMU became ready.
    Before,
    /// While a driver was being bound.
    During,
    /// After its driver had been bound.
    After,
}

impl LogContent {
    /// Whether the log shows anything that can be judged.
    pub(super) fn shows_groups(&self) -> bool {
        self.has_listing || !self.joins.is_empty() || self.has_ready_iommu || self.panic.is_some()
    }

    /// The groups at the end.
    pub(super) fn groups(&self) -> Vec<BTreeSet<String>> {
        if self.has_listing {
            return self.listed.values().cloned().collect();
        }
        let mut groups: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        for join in &self.joins {
            // It may have been in another one before.
            groups.values_mut().for_each(|members| {
                members.remove(&join.device);
            });
            if !self.has_left(&join.device) {
                groups.entry(join.group).or_default().insert(join.device.clone());
            }
        }
        groups.into_values().filter(|members| !members.is_empty()).collect()
    }

    /// Whether a device was removed from a group as often as it was added to one.
    fn has_left(&self, device: &str) -> bool {
        let joins = self.joins.iter().filter(|join| join.device == device).count();
        let leaves = self.leaves.iter().filter(|left| *left == device).count();
        leaves > 0 && leaves >= joins
    }

    /// Devices that were in a group and are in none at the end.
    pub(super) fn vanished(&self) -> BTreeSet<String> {
        let grouped: BTreeSet<String> = self.groups().into_iter().flatten().collect();
        let joined = self.joins.iter().map(|join| join.device.clone());
        joined.filter(|device| !grouped.contains(device)).collect()
    }

    /// Devices without a group, IOMMUs left out.
    pub(super) fn ungrouped(&self) -> BTreeSet<String> {
        let grouped: BTreeSet<String> = self.groups().into_iter().flatten().collect();
        let is_without = |device: &&String| !grouped.contains(*device) && !self.iommus.contains(*device);
        self.devices.iter().filter(is_without).cloned().collect()
    }

    /// What a report of our kernel shows.
    pub(super) fn add_report(&mut self, report: &Report) {
        self.has_listing = true;
        self.path = Some(report.run.path.clone());
        self.firmware = crate::choices::of_word(&report.run.firmware).ok();
        let reason = report.error.iter().chain(&report.failed_because).next();
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        self.verdict = Some(format!("{}{reason}", crate::outcome::Kind::from(report.result).word()));
        for group in &report.groups {
            let members = self.listed.entry(group.id).or_default();
            members.extend(group.devices.iter().cloned());
        }
        for device in &report.devices {
            if device.bus == "pci" {
                self.devices.insert(device.name.clone());
            }
            if let Some(driver) = &device.driver {
                self.drivers.insert(device.name.clone(), driver.clone());
            }
            if device.group.is_none() {
                self.reasons.insert(device.name.clone(), device.why.clone());
            }
        }
        self.iommus.extend(report.iommus.iter().map(|iommu| iommu.name.clone()));
        let broken = report.invariants.iter().filter(|invariant| !invariant.holds);
        self.broken.extend(broken.map(|one| (one.id.clone(), one.broken_by.clone().unwrap_or_default())));
    }
}
