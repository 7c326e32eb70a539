//! Test suites that run in the guest (`suite=`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

/// The cases of one suite.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteReport {
    /// `protocol`, `isolation`.
    pub name: String,
    /// Time that it took, in microseconds.
    #[serde(default)]
    pub duration_us: u64,
    /// The cases, in the order in which they ran.
    pub cases: Vec<SuiteCase>,
}

/// One case of a suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteCase {
    /// Stable name, unique in the suite: `unmapped-read/virtio-blk`.
    pub id: String,
    /// How it ended.
    pub outcome: CaseOutcome,
    /// The clause of the specification that it checks, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clause: Option<String>,
    /// What was seen, and what was expected where that is something else.
    pub detail: String,
    /// What the device answered, where a [`Deviation`](CaseOutcome::Deviation) is an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseOutcome {
    /// As expected.
    Passed,
    /// Not as specified, but as this device is known to behave.
    Deviation,
    /// The machine does not have what the case needs.
    Skipped,
    /// Otherwise.
    Failed,
}

impl CaseOutcome {
    /// The word in the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Deviation => "deviation",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

impl SuiteReport {
    /// Number of cases that ended in one way.
    pub fn count(&self, outcome: CaseOutcome) -> usize {
        self.cases.iter().filter(|case| case.outcome == outcome).count()
    }

    /// A sentence for each case that failed; one if there is no case at all.
    pub(crate) fn failures(&self) -> Vec<String> {
        if self.cases.is_empty() {
            return alloc::vec![format!("suite {}: no case ran", self.name)];
        }
        let failed = self.cases.iter().filter(|case| case.outcome == CaseOutcome::Failed);
        failed.map(|case| format!("suite {}: {}: {}", self.name, case.id, case.detail)).collect()
    }
}

impl fmt::Display for SuiteReport {
    /// A line for the suite, and one for each case that did not pass.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcomes =
            [CaseOutcome::Passed, CaseOutcome::Deviation, CaseOutcome::Skipped, CaseOutcome::Failed];
        write!(f, "Suite {}: {} cases", self.name, self.cases.len())?;
        for outcome in outcomes {
            write!(f, ", {} {}", self.count(outcome), outcome.word())?;
        }
        writeln!(f, ", {} us", self.duration_us)?;
        for case in self.cases.iter().filter(|case| case.outcome != CaseOutcome::Passed) {
            write!(f, "\t{} {}", case.outcome.word(), case.id)?;
            if let Some(clause) = &case.clause {
                write!(f, " [{clause}]")?;
            }
            writeln!(f, ": {}", case.detail)?;
        }
        Ok(())
    }
}
