//! From the lines of a log to what they show: lines of Linux's log and of ours, of group listings in the forms that
//! people use, and of reports.

use std::collections::BTreeSet;

use report::{Firmware, Report};

use super::content::{BindPhase, Join, LogContent};
use crate::answer::LATE_PROBE;
use crate::linux;

/// How a line begins that the init of `cargo xtask linux` printed.
const MARK: &str = "@@ ";
const MARKED_LOG: &str = "@@ log ";
/// How a report begins as JSON.
const REPORT: &str = "{\"schema\":\"iogroups/1\"";
/// Words before a device's name while no driver is bound to it: its bus (Linux: `dev_driver_string`).
const BUSES: [&str; 6] = ["pci", "platform", "amba", "fsl-mc", "cdx", "virtio"];
/// Drivers of IOMMUs, as they begin lines.
const IOMMU_DRIVERS: [&str; 6] =
    ["virtio_iommu", "virtio-iommu", "arm-smmu", "arm-smmu-v3", "apple-dart", "ipmmu-vmsa"];
/// The ID of a virtio-iommu that is a PCI function.
const IOMMU_ID: &str = "1af4:1057";
/// Most lines that are read.
const LINE_LIMIT: usize = 1_000_000;

/// Reads a log.
pub(super) fn read(text: &str) -> LogContent {
    let mut reader = Reader::default();
    let lines: Vec<&str> = text.lines().take(LINE_LIMIT).map(str::trim_end).collect();
    if let Some(report) = lines.iter().rev().find_map(|line| report_of(line)) {
        reader.content.add_report(&report);
    }
    let has_marked_log = lines.iter().any(|line| line.starts_with(MARKED_LOG));
    if lines.iter().any(|line| line.starts_with(MARK)) {
        reader.listing(&lines);
    }
    for line in lines {
        match line.strip_prefix(MARKED_LOG) {
            Some(line) => reader.log_line(line),
            None if line.starts_with(MARK) => {}
            // The same lines were printed as they came.
            None if has_marked_log => {}
            None => reader.line(line),
        }
    }
    reader.content
}

/// The report in a line, whatever stands before it.
fn report_of(line: &str) -> Option<Report> {
    let start = line.find(REPORT)?;
    Report::from_json(&line[start..]).ok()
}

#[derive(Default)]
struct Reader {
    content: LogContent,
    /// Devices that have been bound so far.
    bound: BTreeSet<String>,
    section: Section,
}

/// What an indented line belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Section {
    #[default]
    None,
    /// Members of a group.
    Group(u32),
    /// Devices without one.
    Ungrouped,
    /// Details of a device, as `lspci -v` prints them.
    Device(String),
}

impl Reader {
    /// What the init of `cargo xtask linux` listed.
    fn listing(&mut self, lines: &[&str]) {
        let listing = linux::listing_of(lines);
        let content = &mut self.content;
        content.has_listing = listing.has_groups;
        content.writer = listing.release.map(|release| format!("Linux version {release}"));
        content.firmware = Some(if listing.by_tables { Firmware::UefiAcpi } else { Firmware::Dt });
        content.listed = listing.groups;
        content.devices.extend(listing.functions);
        content.drivers.extend(listing.drivers);
        content.has_ready_iommu |= !listing.iommus.is_empty();
        content.iommus.extend(listing.iommus);
    }

    fn line(&mut self, line: &str) {
        let plain = without_stamp(line);
        if !self.listed(line) {
            self.log_line(plain);
        }
    }

    /// A line of a listing or of a report; false if it is none.
    fn listed(&mut self, line: &str) -> bool {
        if let Some((_, rest)) = line.split_once("iommu_groups/")
            && let Some((number, device)) = rest.split_once("/devices/")
            && let (Ok(number), Some(device)) = (number.parse(), device_name(device))
        {
            self.member(number, device);
            return true;
        }
        if let Some(rest) =
            line.trim_start().strip_prefix("IOMMU Group ").or(line.trim_start().strip_prefix("IOMMU group "))
        {
            let (number, rest) =
                rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
            let Ok(number) = number.parse() else { return false };
            self.content.has_listing = true;
            self.content.listed.entry(number).or_default();
            self.section = Section::Group(number);
            if let Some(device) = device_name(rest.trim_start_matches([':', ' '])) {
                self.member(number, device);
            }
            return true;
        }
        if line == "Without a group:" {
            (self.content.has_listing, self.section) = (true, Section::Ungrouped);
            return true;
        }
        if line.starts_with([' ', '\t']) {
            return self.indented(line.trim_start());
        }
        self.section = Section::None;
        self.of_report(line) || self.of_lspci(line)
    }

    /// A line that belongs to what stands above it.
    fn indented(&mut self, line: &str) -> bool {
        match self.section.clone() {
            Section::Group(number) => {
                let Some(device) = device_name(line) else { return false };
                self.member(number, device.clone());
                // Of our report: address, class, ID, driver.
                let driver = line
                    .split(' ')
                    .nth(3)
                    .filter(|_| line.split(' ').nth(1).is_some_and(|class| class.starts_with('[')));
                self.content.drivers.extend(driver.map(|driver| (device, driver.to_owned())));
            }
            Section::Ungrouped => {
                let Some(device) = device_name(line) else { return true };
                let why = line.rsplit_once(": ").map(|(_, why)| why.to_owned()).unwrap_or_default();
                if line.contains(IOMMU_ID) || why == "is the IOMMU" {
                    self.content.iommus.insert(device.clone());
                }
                self.content.devices.insert(device.clone());
                self.content.reasons.insert(device, why);
            }
            Section::Device(device) => {
                if let Some(number) =
                    line.strip_prefix("IOMMU group: ").and_then(|number| number.parse().ok())
                {
                    self.member(number, device);
                } else if let Some(driver) = line.strip_prefix("Kernel driver in use: ") {
                    self.content.drivers.insert(device, driver.to_owned());
                }
            }
            Section::None => return false,
        }
        true
    }

    /// The lines of our text report that are neither groups nor devices.
    fn of_report(&mut self, line: &str) -> bool {
        if let Some(rest) = line.strip_prefix("invariant ")
            && let Some((id, how)) = rest.split_once(" violated: ")
        {
            self.content.broken.push((id.to_owned(), how.to_owned()));
            return true;
        }
        let is_verdict = ["PASS: ", "FAIL: ", "ERROR: "].iter().any(|word| line.starts_with(word));
        if is_verdict {
            self.content.verdict = Some(line.to_owned());
        }
        is_verdict
    }

    /// The first line of a device in the output of `lspci`.
    fn of_lspci(&mut self, line: &str) -> bool {
        let Some(device) = function_name(line).filter(|_| line.contains(": ")) else { return false };
        self.content.devices.insert(device.clone());
        if line.contains(IOMMU_ID) {
            self.content.iommus.insert(device.clone());
        }
        self.section = Section::Device(device);
        true
    }

    fn member(&mut self, number: u32, device: String) {
        self.content.has_listing = true;
        self.content.listed.entry(number).or_default().insert(device);
    }

    /// A line of a kernel's log, without its time.
    fn log_line(&mut self, line: &str) {
        let content = &mut self.content;
        for (start, length) in [("Linux version ", 3), ("iogroups ", 2)] {
            if line.starts_with(start) && content.writer.is_none() {
                content.writer = Some(
                    line.split(' ')
                        .take(length)
                        .collect::<Vec<_>>()
                        .join(" ")
                        .trim_end_matches(':')
                        .to_owned(),
                );
                content.has_log = true;
            }
        }
        if line.starts_with("ACPI: RSDP ") {
            content.firmware.get_or_insert(Firmware::UefiAcpi);
        }
        if let Some((_, why)) = line.split_once("Kernel panic - not syncing: ") {
            content.panic.get_or_insert(why.to_owned());
        }
        let Some((prefix, message)) = line.split_once(": ") else { return };
        let Some((word, device)) = prefix.rsplit_once(' ').filter(|(word, _)| !word.contains(' ')) else {
            return;
        };
        content.has_log = true;
        let device = device.to_owned();
        let is_bus = BUSES.contains(&word);
        if let Some(group) =
            message.strip_prefix("Adding to iommu group ").and_then(|number| number.parse().ok())
        {
            let when = match is_bus {
                _ if self.bound.contains(&device) => BindPhase::After,
                true => BindPhase::Before,
                false => BindPhase::During,
            };
            content.joins.push(Join { device, group, when });
        } else if message.starts_with("Removing from iommu group ") {
            content.leaves.push(device);
        } else if message.starts_with(LATE_PROBE) {
            content.late.insert(device);
        } else if is_bus {
            self.enumerated(word, device, message);
        } else {
            let is_iommu = IOMMU_DRIVERS.contains(&word);
            // The driver has begun with the device, or has been bound: from here on it is too late.
            if message == "bound" || message.starts_with("enabling device (") || is_iommu {
                content.drivers.insert(device.clone(), word.to_owned());
                self.bound.insert(device.clone());
            }
            if is_iommu {
                content.has_ready_iommu = true;
                // A virtio device has a name of its own.
                if function_name(&device).is_some() {
                    content.iommus.insert(device);
                }
            }
        }
    }

    /// A line about a device that has no driver yet: `[1af4:1057] type 00 class 0x00ff00 ...`.
    fn enumerated(&mut self, bus: &str, device: String, message: &str) {
        let id = message.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        if bus == "pci"
            && let Some((id, rest)) = id
            && rest.starts_with(" type ")
        {
            if id == IOMMU_ID {
                self.content.iommus.insert(device.clone());
            }
            self.content.devices.insert(device);
        }
    }
}

/// A line without what consoles and collectors put in front: `<6>`, `[    0.123456]`, `Nov 27 01:02:03 host kernel:`.
fn without_stamp(line: &str) -> &str {
    let line = line.split_once(" kernel: ").map_or(line, |(_, rest)| rest);
    let line = line.strip_prefix('<').and_then(|rest| rest.split_once('>')).map_or(line, |(_, rest)| rest);
    let is_time =
        |stamp: &str| stamp.contains('.') && stamp.chars().all(|c| c.is_ascii_digit() || ". ".contains(c));
    // With `CONFIG_PRINTK_CALLER`, a thread or a CPU stands behind the time: `[    T1]`.
    let is_caller = |stamp: &str| stamp.trim_start().starts_with(['T', 'C']);
    let line = without_bracket(line, is_time);
    without_bracket(line, is_caller)
}

/// A line without what stands in brackets at its beginning, if that `is` such a stamp.
fn without_bracket(line: &str, is: impl Fn(&str) -> bool) -> &str {
    let stamp = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    stamp.filter(|(stamp, _)| is(stamp)).map_or(line, |(_, rest)| rest.trim_start())
}

/// The PCI function with which a text begins, with its segment.
fn function_name(text: &str) -> Option<String> {
    let word = text.split([' ', '\t', ',']).next()?.trim_end_matches(':');
    let (rest, function) = word.rsplit_once('.')?;
    let is_hexadecimal =
        |text: &str, length: usize| text.len() == length && text.chars().all(|c| c.is_ascii_hexdigit());
    let parts: Vec<&str> = rest.split(':').collect();
    let is_function = function.len() == 1 && ("0"..="7").contains(&function);
    match parts[..] {
        [segment, bus, device] if is_function && is_hexadecimal(segment, 4) => {
            (is_hexadecimal(bus, 2) && is_hexadecimal(device, 2)).then(|| word.to_owned())
        }
        [bus, device] if is_function => {
            (is_hexadecimal(bus, 2) && is_hexadecimal(device, 2)).then(|| format!("0000:{word}"))
        }
        _ => None,
    }
}

/// The device with which a text begins: a function, or a name such as `a000000.virtio_mmio`.
fn device_name(text: &str) -> Option<String> {
    function_name(text).or_else(|| {
        let word = text.split([' ', '\t', ',']).next()?.trim_end_matches(':');
        let is_name = word.contains(['.', ':'])
            && !word.ends_with('.')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "._:-".contains(c));
        is_name.then(|| word.to_owned())
    })
}
