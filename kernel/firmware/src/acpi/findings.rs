//! A list of findings that cannot grow without end.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use probe::{Finding, Severity};

/// Most findings about one set of tables; the last one says how many more there were.
const MAX_FINDINGS: usize = 256;

/// What has been found so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    left_out: usize,
}

impl Findings {
    /// Adds one about `subject`, with which its sentence begins.
    pub(super) fn add(&mut self, id: &'static str, severity: Severity, subject: &str, what: &str) {
        let sentence = format!("{subject}: {what}");
        self.push(Finding { id, severity, subject: String::from(subject), sentence });
    }

    /// Adds one that is made already.
    pub(super) fn push(&mut self, finding: Finding) {
        if self.list.len() < MAX_FINDINGS {
            self.list.push(finding);
        } else {
            self.left_out += 1;
        }
    }

    /// Adds all of `findings`.
    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.push(finding);
        }
    }

    /// All of them.
    pub(super) fn into_list(mut self) -> Vec<Finding> {
        if self.left_out > 0 {
            let sentence = format!("{} more findings about the ACPI tables were left out", self.left_out);
            self.list.push(Finding {
                id: "findings-left-out",
                severity: Severity::Warning,
                subject: String::from("ACPI"),
                sentence,
            });
        }
        self.list
    }
}
