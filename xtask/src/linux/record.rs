//! A listing in the form of the files in `xtask/linux/expected`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use super::config_space;
use super::listing::{self, Function, Listing, addresses};
use crate::answer::{LATE_PROBE, NO_DRIVER};
use crate::outcome::UNTRANSLATED;

/// What a file says about the boot, beside its listing.
pub(super) struct About<'a> {
    pub(super) topology: &'a str,
    /// Whether ACPI tables describe the machine.
    pub(super) by_tables: bool,
    /// The version of Linux.
    pub(super) linux: &'a str,
    pub(super) qemu: &'a str,
}

/// The line of the log for a device that has been grouped (`iommu_group_add_device`).
const GROUPED: &str = ": Adding to iommu group ";

/// The content of the file of a boot that listed its groups.
pub(super) fn of_listing(about: &About<'_>, listing: &Listing, varies: Option<Varies>) -> String {
    let mut fields = head(about);
    let tables: Vec<&String> =
        listing.tables.iter().filter(|name| ["VIOT", "IORT"].contains(&name.as_str())).collect();
    fields.push(("acpi_tables", one_line(&tables)));
    let groups: Vec<Group> =
        listing.groups.iter().map(|(number, group)| Group::of(*number, group, listing)).collect();
    fields.push(("groups", a_line_each(&groups)));
    let without = listing.functions.iter().filter(|(_, function)| function.group.is_none());
    let without: Vec<Device> = without.map(|(name, function)| Device::of(name, function, listing)).collect();
    fields.push(("without_group", a_line_each(&without)));
    let iommus = listing.iommus.iter().map(|(name, iommu)| Iommu {
        name,
        at: iommu.device(),
        devices: &iommu.devices,
    });
    fields.push(("iommus", a_line_each(&iommus.collect::<Vec<_>>())));
    let mmio = on_mmio(listing);
    if !mmio.is_empty() {
        fields.push(("virtio_mmio", a_line_each(&mmio)));
    }
    fields.push(("order", one_line(&order(listing))));
    fields.push(("dmesg", one_line(&lines(listing))));
    if let Some(Varies { why, one_of }) = varies {
        fields.push(("unstable", one_line(&why)));
        fields.push(("one_of", one_line(&one_of)));
    }
    object(&fields)
}

/// The content of the file of a boot that did not list its groups.
pub(super) fn of_failure(about: &About<'_>, error: &str) -> String {
    let mut fields = head(about);
    fields.push(("error", one_line(error)));
    object(&fields)
}

/// The fields for an answer that varies: the reason, and the partitions that were seen.
pub(super) struct Varies {
    pub(super) why: String,
    pub(super) one_of: Vec<Vec<Vec<String>>>,
}

fn head(about: &About<'_>) -> Vec<(&'static str, String)> {
    let boot = if about.by_tables { "acpi" } else { "dt" };
    [("topology", about.topology), ("boot", boot), ("linux", about.linux), ("qemu", about.qemu)]
        .map(|(name, value)| (name, one_line(value)))
        .into()
}

fn one_line<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("these types have a JSON form")
}

fn a_line_each<T: Serialize>(values: &[T]) -> String {
    if values.is_empty() {
        return "[]".into();
    }
    let lines: Vec<String> = values.iter().map(one_line).collect();
    format!("[\n{}\n]", lines.join(",\n"))
}

fn object(fields: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (number, (name, value)) in fields.iter().enumerate() {
        let start = if number == 0 { "{" } else { ",\n" };
        // Writing to a text does not fail.
        let _ = write!(text, "{start}\"{name}\":{value}");
    }
    text + "}\n"
}

#[derive(Serialize)]
struct Group<'a> {
    id: u32,
    r#type: &'a str,
    reserved_regions: &'a [String],
    devices: Vec<Member<'a>>,
}

impl<'a> Group<'a> {
    fn of(id: u32, group: &'a listing::Group, listing: &'a Listing) -> Self {
        let mut members: Vec<&(String, String)> = group.members.iter().collect();
        members.sort();

        let devices = members.into_iter().map(|(name, bus)| match listing.functions.get(name) {
            Some(function) => Member::Function(Box::new(Device::of(name, function, listing))),
            None => Member::Other { name, bus },
        });
        Self { id, r#type: &group.kind, reserved_regions: &group.regions, devices: devices.collect() }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Member<'a> {
    Function(Box<Device<'a>>),
    Other { name: &'a str, bus: &'a str },
}

/// A PCI function. What it does not have is left out.
#[derive(Serialize)]
struct Device<'a> {
    bdf: &'a str,
    id: &'a str,
    class: &'a str,
    driver: &'a str,
    kind: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    multifunction: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    acs_cap: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acs_ctrl: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ari: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    vfs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_platform: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    behind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    physfn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iommu: Option<&'a str>,
}

impl<'a> Device<'a> {
    fn of(name: &'a str, function: &'a Function, listing: &Listing) -> Self {
        let facts = config_space::facts(&function.configuration);
        let hexadecimal = |value: u16| format!("{value:#06x}");
        let above: Vec<&str> = addresses(&function.path).collect();
        let root = function.path.split('/').find_map(|part| part.strip_prefix("pci"));
        let virtio = listing.virtio.iter().rfind(|virtio| addresses(&virtio.path).last() == Some(name));
        Self {
            bdf: name,
            id: &function.id,
            class: &function.class,
            driver: function.driver.as_deref().unwrap_or(NO_DRIVER),
            kind: facts.kind,
            multifunction: facts.multifunction,
            acs_cap: facts.acs.map(|(capability, _)| hexadecimal(capability)),
            acs_ctrl: facts.acs.map(|(_, control)| hexadecimal(control)),
            ari: facts.ari,
            vfs: facts.virtual_functions.map(|(enabled, most)| format!("{enabled} of {most}")),
            // VIRTIO_F_ACCESS_PLATFORM is bit 33.
            access_platform: virtio.and_then(|virtio| Some(*virtio.features.as_bytes().get(33)? == b'1')),
            root: root.filter(|root| *root != "0000:00"),
            behind: above.len().checked_sub(2).map(|at| above[at]),
            physfn: function.physical.as_deref(),
            iommu: function.iommu.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct Iommu<'a> {
    name: &'a str,
    /// The device that it is.
    at: &'a str,
    devices: &'a [String],
}

#[derive(Serialize)]
struct OnMmio<'a> {
    name: &'a str,
    device: &'a str,
    driver: &'a str,
    group: &'a str,
}

/// Virtio devices that are not on PCI.
fn on_mmio(listing: &Listing) -> Vec<OnMmio<'_>> {
    let groups: BTreeMap<&str, &str> =
        listing.others.iter().map(|[name, _, group]| (&**name, &**group)).collect();
    let mmio = listing.virtio.iter().filter(|virtio| !virtio.path.contains("/pci"));
    let one = |virtio: &'_ listing::Virtio| {
        let parent = virtio.path.rsplit('/').nth(1).unwrap_or_default();
        groups.get(parent).copied().unwrap_or("-")
    };
    mmio.map(|virtio| OnMmio {
        name: &virtio.name,
        device: &virtio.id,
        driver: virtio.driver.as_deref().unwrap_or(NO_DRIVER),
        group: one(virtio),
    })
    .collect()
}

/// Device and group, in the order of grouping.
fn order(listing: &Listing) -> Vec<String> {
    let grouped = listing.log.iter().filter_map(|line| line.split_once(GROUPED));
    let name = |device: &str| device.rsplit(' ').next().unwrap_or_default().to_owned();
    grouped.map(|(device, number)| format!("{}={}", name(device), number.trim())).collect()
}

/// The lines of the log that matter here, each once: those of the virtio-iommu driver, late probes, warnings of the
/// IOMMU core with their place, maps that lead nowhere, and devices that were not waited for any longer. How often Linux
/// repeats one depends on how often it probes the device again, and the numbers of the CPU and of the process in a
/// warning vary from run to run.
fn lines(listing: &Listing) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let lines = listing.log.iter().filter_map(|line| line_that_matters(line));
    lines.filter(|line| seen.insert(line.clone())).collect()
}

fn line_that_matters(line: &str) -> Option<String> {
    let has = |words: &str| line.contains(words);
    if let Some(warning) = line.strip_prefix("WARNING: ").filter(|_| has("drivers/iommu/")) {
        let (_, place) = warning.split_once(" at ")?;
        return Some(format!("WARNING: {place}"));
    }
    let is_driver = line.starts_with("virtio_iommu ") && !has(GROUPED);
    (is_driver || has(LATE_PROBE) || has(UNTRANSLATED) || has("deferred probe timeout"))
        .then(|| line.to_owned())
}

#[cfg(test)]
mod tests;
