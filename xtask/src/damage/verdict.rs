//! What to think of the end of a boot with damage.

use crate::outcome::{Kind, Outcome};

/// How a boot ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A report that differs from that of the undamaged machine in a finding, a warning or the verdict.
    Noted,
    /// A report of the same groups and devices.
    Same,
    /// A report of other groups or devices, without a finding: damage may have made a right description of another
    /// machine.
    Other,
    /// A report of an error, which names a place.
    Error(String),
    /// Anything else, and why.
    Failed(Kind, String),
}

impl Verdict {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Noted => "report with a finding",
            Self::Same => "report as without damage",
            Self::Other => "other report without a finding",
            Self::Error(_) => "error that names a place",
            Self::Failed(Kind::Timeout, _) => "FAILED: did not end",
            Self::Failed(Kind::Crash, _) => "FAILED: crash, panic or no report",
            Self::Failed(Kind::Unable, _) => "FAILED: QEMU did not start",
            Self::Failed(..) => "FAILED: report is wrong",
        }
    }

    pub(super) fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(..))
    }
}

/// What to think of the end of a boot, given that of the same machine without damage.
pub(super) fn judge(outcome: &Outcome, whole: &Outcome) -> Verdict {
    let report = &outcome.report;
    let failed = |why: &str| Verdict::Failed(outcome.kind, why.to_owned());
    match outcome.kind {
        Kind::Error => {
            let error = report.error.as_deref().unwrap_or_default();
            if names_a_place(error) {
                Verdict::Error(error.to_owned())
            } else {
                failed(&format!("the error does not name a place: {error}"))
            }
        }
        Kind::Pass | Kind::Fail => {
            let broken = report.invariants.iter().find(|invariant| !invariant.holds);
            if let Some(broken) = broken.filter(|_| whole.report.invariants.iter().all(|whole| whole.holds)) {
                let by = broken.broken_by.as_deref().unwrap_or_default();
                return failed(&format!("invariant {} violated: {by}", broken.id));
            }
            let is_noted = report.findings.iter().any(|finding| !whole.report.findings.contains(finding))
                || report.warnings.iter().any(|warning| !whole.report.warnings.contains(warning))
                || outcome.kind != whole.kind;
            let is_same = report.groups == whole.report.groups && report.devices == whole.report.devices;
            match (is_noted, is_same) {
                (true, _) => Verdict::Noted,
                (false, true) => Verdict::Same,
                (false, false) => Verdict::Other,
            }
        }
        _ => failed(report.error.as_deref().unwrap_or_default()),
    }
}

/// Whether an error names a place: a node, an offset or an address, or a table.
pub(super) fn names_a_place(error: &str) -> bool {
    let is_table = |word: &str| word.len() == 4 && word.chars().all(|c| c.is_ascii_uppercase());
    error.contains('/')
        || error.chars().any(|c| c.is_ascii_digit())
        || error.split(|c: char| !c.is_ascii_alphanumeric()).any(is_table)
}
