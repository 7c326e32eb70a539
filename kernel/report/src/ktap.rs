//! The report as a kernel test result, in KTAP version 1 (Linux: Documentation/dev-tools/ktap.rst).

use core::fmt::{self, Write as _};

use crate::{CaseOutcome, Device, Report, Verdict};

/// Writes a report as KTAP: a line for each invariant, each device and each case of a suite, the verdict last.
///
/// A line is `not ok` only if the verdict is not a pass: a device without a group is `ok`, followed by the reason,
/// and `not ok` if its isolation is lost or a violated invariant names it. Groups, findings, warnings and the reasons
/// for a failure are diagnostics.
#[derive(Clone, Copy, Debug)]
pub struct Ktap<'a>(pub &'a Report);

impl fmt::Display for Ktap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let cases: usize = report.suites.iter().map(|suite| suite.cases.len()).sum();
        let plan = report.invariants.len() + report.devices.len() + cases + 1;
        writeln!(f, "KTAP version 1\n1..{plan}")?;
        for (number, invariant) in (1..).zip(&report.invariants) {
            if let Some(cause) = &invariant.broken_by {
                diagnostic(f, format_args!("{cause}"))?;
            }
            result(f, invariant.holds, number, format_args!("invariant.{}", invariant.id))?;
            f.write_char('\n')?;
        }
        for group in &report.groups {
            diagnostic(f, format_args!("IOMMU Group {}: {}", group.id, group.kind))?;
            for region in &group.reserved_regions {
                diagnostic(f, format_args!("IOMMU Group {}: {region}", group.id))?;
            }
        }
        for (number, device) in (report.invariants.len() + 1..).zip(&report.devices) {
            let ok = !device.isolation_lost && !is_blamed(report, device);
            result(f, ok, number, format_args!("device.{}", device.name))?;
            f.write_str(" # ")?;
            // The words before the reason keep it from being read as a directive (SKIP, TODO, ERROR).
            match device.group {
                Some(group) => write!(OneLine(f), "group {group}: {}", device.why)?,
                None => write!(OneLine(f), "no group: {}", device.why)?,
            }
            f.write_char('\n')?;
        }
        let cases = report.suites.iter().flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)));
        for (number, (suite, case)) in (report.invariants.len() + report.devices.len() + 1..).zip(cases) {
            let ok = case.outcome != CaseOutcome::Failed;
            result(f, ok, number, format_args!("suite.{}.{}", suite.name, case.id))?;
            // Only a skipped case has a directive.
            let directive = if case.outcome == CaseOutcome::Skipped { "SKIP" } else { case.outcome.word() };
            write!(OneLine(f), " # {directive} {}", case.detail)?;
            f.write_char('\n')?;
        }
        for finding in &report.findings {
            diagnostic(f, format_args!("{finding}"))?;
        }
        for warning in &report.warnings {
            diagnostic(f, format_args!("warning: {warning}"))?;
        }
        if let Some(error) = &report.error {
            for line in error.lines() {
                diagnostic(f, format_args!("error: {line}"))?;
            }
        }
        for reason in &report.failed_because {
            diagnostic(f, format_args!("failed because: {reason}"))?;
        }
        result(f, report.result == Verdict::Pass, plan, format_args!("verdict"))?;
        f.write_char('\n')
    }
}

/// Whether a violated invariant names the device.
fn is_blamed(report: &Report, device: &Device) -> bool {
    let names = |word: &str| word.trim_matches([',', '.', ':', ';', '(', ')']) == device.name;
    let broken = report.invariants.iter().filter(|invariant| !invariant.holds);
    broken.filter_map(|invariant| invariant.broken_by.as_ref()).any(|cause| cause.split(' ').any(names))
}

/// A result line without its line end. `#` would begin a directive, so names are written without it.
fn result(f: &mut fmt::Formatter<'_>, ok: bool, number: usize, name: fmt::Arguments<'_>) -> fmt::Result {
    write!(f, "{}ok {number} ", if ok { "" } else { "not " })?;
    write!(Name(f), "{name}")
}

/// A line that test harnesses show but do not evaluate.
fn diagnostic(f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>) -> fmt::Result {
    f.write_str("# ")?;
    write!(OneLine(f), "{text}")?;
    f.write_char('\n')
}

/// Writes text from outside so that it cannot end its line.
struct OneLine<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| self.0.write_char(if c.is_control() { ' ' } else { c }))
    }
}

/// Writes a name so that it cannot end its line or begin a directive.
struct Name<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Name<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| {
            self.0.write_char(if c == '#' || c.is_control() || c.is_whitespace() { '_' } else { c })
        })
    }
}
