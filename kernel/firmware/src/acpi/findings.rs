//! The findings about one set of tables, up to a limit.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use probe::{Finding, Severity};

/// Limit of findings about one set of tables; a last one counts the rest.
const MAX_FINDINGS: usize = 256;

/// The findings so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    left_out: usize,
}

impl Findings {
    /// Adds one about `subject`: a table, an entry or node of it with its offset, or an object of the namespace.
    pub(super) fn add(&mut self, id: &'static str, severity: Severity, subject: &str, sentence: &str) {
        self.push(Finding { id, severity, subject: String::from(subject), sentence: String::from(sentence) });
    }

    /// Adds a finding.
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

    /// The findings, with a last one for those beyond the limit.
    pub(super) fn into_list(mut self) -> Vec<Finding> {
        if self.left_out > 0 {
            let sentence = format!("{} more findings about ACPI tables; they are not listed", self.left_out);
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
