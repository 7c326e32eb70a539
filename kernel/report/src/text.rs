//! The report as text: groups as group listings show them, then devices without a group and why, then
//! findings and warnings, then the verdict as the last line, with the reason if it is not a pass.
//!
//! The kernel and `cargo xtask` both print it through [`fmt::Display`].

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::{BrokenInRace, Device, Finding, Group, Race, ReachedInRace, Report, ReservedRegion, Severity};

/// This many devices that differ only in their names are shown in one line.
const FOLD_FROM: usize = 4;

/// The text form with every device in a line of its own.
#[derive(Clone, Copy, Debug)]
pub struct Verbose<'a>(pub &'a Report);

impl fmt::Display for Verbose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, true)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, false)
    }
}

impl Report {
    fn write(&self, f: &mut fmt::Formatter<'_>, verbose: bool) -> fmt::Result {
        let named = self.devices.iter().map(|device| (device.name.as_str(), device)).collect();
        for group in &self.groups {
            self.write_group(f, group, &named)?;
        }
        self.write_ungrouped(f, verbose)?;
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        for operation in &self.operations {
            writeln!(f, "Then {operation}")?;
        }
        for change in &self.hot_plug {
            writeln!(f, "Hot-plug: {change}")?;
        }
        for device in &self.dma {
            write!(f, "{device}")?;
        }
        for explained in &self.explained {
            write!(f, "{explained}")?;
        }
        for suite in &self.suites {
            write!(f, "{suite}")?;
        }
        if let Some(speed) = &self.map_speed {
            write!(f, "{speed}")?;
        }
        if let Some(race) = &self.race {
            write!(f, "{race}")?;
        }
        for invariant in self.invariants.iter().filter(|invariant| !invariant.holds) {
            writeln!(f, "{}", invariant.violation())?;
        }
        if let Some(error) = &self.error {
            writeln!(f, "error: {error}")?;
        }
        // The first reason is in the last line.
        for reason in self.failed_because.iter().skip(1).filter(|reason| !self.is_shown(reason)) {
            writeln!(f, "failed because: {}", one_line(reason))?;
        }
        self.write_last_line(f)
    }

    /// Whether a finding or a violated invariant is this reason, so that it has a line of its own.
    fn is_shown(&self, reason: &str) -> bool {
        self.findings.iter().any(|finding| finding.to_string() == reason)
            || self.invariants.iter().any(|invariant| !invariant.holds && invariant.violation() == reason)
    }

    fn write_group(
        &self,
        f: &mut fmt::Formatter<'_>,
        group: &Group,
        named: &BTreeMap<&str, &Device>,
    ) -> fmt::Result {
        write!(f, "IOMMU Group {}: {}", group.id, group.kind)?;
        for region in &group.reserved_regions {
            write!(f, ", {region}")?;
        }
        writeln!(f)?;
        for name in &group.devices {
            match named.get(name.as_str()) {
                Some(device) => writeln!(f, "\t{device}")?,
                None => writeln!(f, "\t{name} (not among the devices)")?,
            }
        }
        Ok(())
    }

    fn write_ungrouped(&self, f: &mut fmt::Formatter<'_>, verbose: bool) -> fmt::Result {
        if self.ungrouped().next().is_some() {
            writeln!(f, "Without a group:")?;
        }
        if verbose {
            return self.ungrouped().try_for_each(|device| writeln!(f, "\t{device}: {}", device.why));
        }
        let mut alike: BTreeMap<Likeness<'_>, Vec<&Device>> = BTreeMap::new();
        for device in self.ungrouped().filter(|device| !is_unmentioned(device)) {
            alike.entry(likeness(device)).or_default().push(device);
        }
        for device in self.ungrouped().filter(|device| !is_unmentioned(device)) {
            match alike.get(&likeness(device)).map(Vec::as_slice) {
                Some(alike @ [first, .., last]) if alike.len() >= FOLD_FROM => {
                    if core::ptr::eq(*first, device) {
                        let count = alike.len();
                        writeln!(f, "\t{device} to {}, {count} devices, each: {}", last.name, device.why)?;
                    }
                }
                _ => writeln!(f, "\t{device}: {}", device.why)?,
            }
        }
        match self.ungrouped().filter(|device| is_unmentioned(device)).count() {
            0 => Ok(()),
            count => writeln!(
                f,
                "\t{} that no firmware map mentions (--verbose or report=verbose lists them)",
                Count(count, "platform device")
            ),
        }
    }

    fn write_last_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alone = self.ungrouped().count();
        let broken = self.invariants.iter().filter(|invariant| !invariant.holds).count();
        let milliseconds = self.timing_us.total / 1000;
        let tenths = self.timing_us.total % 1000 / 100;
        write!(f, "{}: ", self.result.word())?;
        if let Some((first, others)) = self.failed_because.split_first() {
            write!(f, "{}", one_line(first))?;
            if !others.is_empty() {
                write!(f, " (and {})", Count(others.len(), "more reason"))?;
            }
            f.write_str("; ")?;
        }
        write!(
            f,
            "{}, {} ({alone} without a group), {}",
            Count(self.groups.len(), "group"),
            Count(self.devices.len(), "device"),
            Count(self.iommus.len(), "IOMMU"),
        )?;
        self.write_counts(f)?;
        if broken > 0 {
            write!(f, ", {} broken", Count(broken, "invariant"))?;
        }
        writeln!(f, ", {milliseconds}.{tenths} ms")
    }

    /// The number of findings, in all and by severity, and that of the other warnings.
    fn write_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ", {}", Count(self.findings.len(), "finding"))?;
        let mut separator = " (";
        for (severity, word) in
            [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "info")]
        {
            let count = self.findings.iter().filter(|finding| finding.severity == severity).count();
            if count > 0 {
                // Information is not counted in pieces: `2 info`.
                let plural = if count == 1 || severity == Severity::Info { "" } else { "s" };
                write!(f, "{separator}{count} {word}{plural}")?;
                separator = ", ";
            }
        }
        let noun = if self.findings.is_empty() { "warning" } else { "other warning" };
        write!(f, "{}, {}", if self.findings.is_empty() { "" } else { ")" }, Count(self.warnings.len(), noun))
    }
}

/// Whether it is a platform device to which no map of the firmware refers, as most of them are.
fn is_unmentioned(device: &Device) -> bool {
    let is_in_no_map = device.why.starts_with("not in the firmware's map") && !device.isolation_lost;
    device.kind == "platform" && (is_in_no_map || device.why == "no IOMMU in this machine")
}

/// What a line shows of a device besides its name.
type Likeness<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>, &'a str);

fn likeness(device: &Device) -> Likeness<'_> {
    (&device.bus, &device.id, device.class.as_deref(), device.driver.as_deref(), &device.why)
}

/// A reason without control characters, which would end its line: findings contain text from outside.
fn one_line(reason: &str) -> String {
    reason.replace(char::is_control, " ")
}

/// A number and a noun.
struct Count(usize, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} {}{plural}", self.0, self.1)
    }
}

impl fmt::Display for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { about, path, seed, rounds, pieces: [walks, binds], switches, .. } = self;
        writeln!(f, "Race on {path}, {rounds} rounds, seed {seed}: {about}")?;
        writeln!(f, "\tthe CPUs completed {walks} and {binds} work items and alternated {switches} times")?;
        for broken in &self.broken {
            let BrokenInRace { id, rounds: times, first_round, broken_by } = broken;
            writeln!(f, "\t{id} was violated in {times} rounds, first in round {first_round}: {broken_by}")?;
        }
        for id in &self.not_provoked {
            writeln!(
                f,
                "\t{id} was not reproduced in {rounds} rounds, although some order of the steps violates it"
            )?;
        }
        if self.broken.is_empty() && self.not_provoked.is_empty() {
            writeln!(f, "\tno invariant was violated")?;
        }
        for ReachedInRace { groups, rounds: times } in &self.partitions {
            let groups: Vec<_> = groups.iter().map(|members| members.join(" ")).collect();
            let groups = if groups.is_empty() { "no group".to_string() } else { groups.join(" | ") };
            writeln!(f, "\t{times} rounds ended in: {groups}")?;
        }
        Ok(())
    }
}

/// `0000:00:02.0 [0200]: 1af4:1000 virtio-pci`
impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        // Base class and subclass, as lspci shows them; the programming interface is left out.
        if let Some(class) = self.class.as_deref().and_then(|class| class.get(2..6)) {
            write!(f, " [{class}]")?;
        }
        write!(f, ": {}", self.id)?;
        if let Some(driver) = &self.driver {
            write!(f, " {driver}")?;
        }
        if let Some(physical) = &self.physfn {
            write!(f, " (virtual function of {physical})")?;
        }
        Ok(())
    }
}

/// `warning[map-covers-iommu] /pcie@10000000:iommu-map: what; consequence`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}] {}: {}", self.severity, self.id, self.device, self.sentence)
    }
}

impl fmt::Display for ReservedRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}-{}", self.kind, self.start, self.end)
    }
}

impl Severity {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
