//! The verdict on a report, and why it is not a pass.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::{Device, Invariant, Report, Severity, SuiteReport, Verdict};

/// Up to this many devices are named in a reason; otherwise they are counted.
const NAMED_DEVICES: usize = 3;

impl Report {
    /// Derives the verdict from the report: an error, else reasons to fail, else a pass.
    pub fn judge(&mut self) {
        self.failed_because = if self.error.is_some() { Vec::new() } else { self.reasons_to_fail() };
        self.result = match &self.error {
            Some(_) => Verdict::Error,
            None if self.failed_because.is_empty() => Verdict::Pass,
            None => Verdict::Fail,
        };
    }

    /// Fails the run for reasons that are not in the report itself: unmet expectations. They come last, because lost
    /// isolation explains more than a missing group.
    ///
    /// A run that could not be completed stays an error.
    pub fn fail_for(&mut self, reasons: Vec<String>) {
        if self.result != Verdict::Error && !reasons.is_empty() {
            self.result = Verdict::Fail;
            self.failed_because.extend(reasons);
        }
    }

    /// Exit status for the verdict: 0 for pass, 1 otherwise.
    pub fn exit_status(&self) -> u8 {
        match self.result {
            Verdict::Pass => 0,
            Verdict::Fail | Verdict::Error => 1,
        }
    }

    /// Lost isolation, then violated invariants, then findings of severity error, then cases of suites.
    fn reasons_to_fail(&self) -> Vec<String> {
        let mut reasons = self.lost_isolation();
        let violated = self.invariants.iter().filter(|invariant| !invariant.holds);
        reasons.extend(violated.map(Invariant::violation));
        let errors = self.findings.iter().filter(|finding| finding.severity == Severity::Error);
        reasons.extend(errors.map(ToString::to_string));
        reasons.extend(self.suites.iter().flat_map(SuiteReport::failures));
        reasons
    }

    /// Devices that should be translated according to the firmware but are not: one sentence for each kind of cause,
    /// the cause that affects most devices first.
    fn lost_isolation(&self) -> Vec<String> {
        let mut by_kind: BTreeMap<&str, Vec<&Device>> = BTreeMap::new();
        if self.devices.iter().all(|device| !device.isolation_lost) {
            return Vec::new();
        }
        for device in self.devices.iter().filter(|device| device.isolation_lost) {
            let kind = device.why.split_once(": ").map_or(&*device.why, |(kind, _)| kind);
            by_kind.entry(kind).or_default().push(device);
        }
        let mut by_kind: Vec<_> = by_kind.into_iter().collect();
        by_kind.sort_by_key(|(_, devices)| core::cmp::Reverse(devices.len()));
        by_kind.iter().map(|(kind, devices)| self.lost_by(kind, devices)).collect()
    }

    /// The devices that lost isolation by one kind of cause, and the full cause (the first device's if they differ).
    fn lost_by(&self, kind: &str, devices: &[&Device]) -> String {
        let whose = if devices.len() <= NAMED_DEVICES {
            let names: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
            names.join(", ")
        } else {
            format!("{} of {} devices", devices.len(), self.devices.len())
        };
        let all = if self.groups.is_empty() { ", no device is isolated" } else { "" };
        match devices {
            [first, others @ ..] if others.iter().any(|other| other.why != first.why) => {
                let detail = first.why.strip_prefix(kind).unwrap_or_default();
                format!("isolation lost for {whose}{all}: {kind} ({}{detail})", first.name)
            }
            [first, ..] => format!("isolation lost for {whose}{all}: {}", first.why),
            [] => String::new(),
        }
    }
}

impl Invariant {
    /// Which invariant is violated, and the first cause.
    pub(crate) fn violation(&self) -> String {
        let cause = self.broken_by.as_deref().unwrap_or("cause unknown");
        format!("invariant {} violated: {cause}", self.id)
    }
}

impl Verdict {
    /// The word with which the last line of the text form begins.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Error => "ERROR",
        }
    }
}
