//! The findings about one tree, up to a limit.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use probe::{Finding, Severity};

/// Limit of findings about one tree; a last one counts the rest.
const MAX_FINDINGS: usize = 256;

/// The findings so far.
#[derive(Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    left_out: usize,
}

impl Findings {
    /// Adds one about `subject`: a node's path, or a property as dtc writes it (`/path:property`), with the number of
    /// an entry in brackets.
    pub(super) fn add(&mut self, id: &'static str, severity: Severity, subject: String, sentence: String) {
        self.push(Finding { id, severity, subject, sentence });
    }

    /// Adds a finding.
    pub(super) fn push(&mut self, finding: Finding) {
        if self.list.len() < MAX_FINDINGS {
            self.list.push(finding);
        } else {
            self.left_out += 1;
        }
    }

    /// The findings, with a last one for those beyond the limit.
    pub(super) fn into_list(mut self) -> Vec<Finding> {
        if self.left_out > 0 {
            let sentence =
                format!("{} more findings about the device tree; they are not listed", self.left_out);
            let subject = String::from("/");
            self.list.push(Finding {
                id: "findings-left-out",
                severity: Severity::Warning,
                subject,
                sentence,
            });
        }
        self.list
    }
}
