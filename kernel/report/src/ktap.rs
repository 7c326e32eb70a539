//! The report as a kernel test, in KTAP version 1 (Linux: Documentation/dev-tools/ktap.rst).

use core::fmt;

use crate::{Report, Verdict};

/// Writes a report as KTAP: a line an invariant, a line a group, the verdict last.
#[derive(Clone, Copy, Debug)]
pub struct Ktap<'a>(pub &'a Report);

impl fmt::Display for Ktap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let plan = report.invariants.len() + report.groups.len() + 1;
        writeln!(f, "KTAP version 1\n1..{plan}")?;
        let mut number = 0..;
        let mut line = |f: &mut fmt::Formatter<'_>, ok: bool, name: fmt::Arguments<'_>| {
            let number = number.next().unwrap_or(0) + 1;
            writeln!(f, "{}ok {number} {name}", if ok { "" } else { "not " })
        };
        for invariant in &report.invariants {
            line(f, invariant.holds, format_args!("invariant.{}", invariant.id))?;
            if let Some(cause) = &invariant.broken_by {
                diagnostic(f, cause)?;
            }
        }
        for group in &report.groups {
            line(f, !group.devices.is_empty(), format_args!("group.{}", group.id))?;
            for device in &group.devices {
                diagnostic(f, device)?;
            }
        }
        line(f, report.result == Verdict::Pass, format_args!("verdict"))?;
        match &report.error {
            Some(error) => diagnostic(f, error),
            None => Ok(()),
        }
    }
}

/// A line that test harnesses show and do not judge.
fn diagnostic(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.lines().try_for_each(|line| writeln!(f, "# {line}"))
}
