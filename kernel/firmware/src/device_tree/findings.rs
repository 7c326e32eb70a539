//! A list of findings that cannot grow without end.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use probe::{Finding, Severity};

/// Most findings about one tree; the last one says how many more there were.
const MAX_FINDINGS: usize = 256;

/// What has been found so far.
#[derive(Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    left_out: usize,
}

impl Findings {
    /// Adds one, about the node with the path `subject`.
    pub(super) fn add(&mut self, id: &'static str, severity: Severity, subject: String, sentence: String) {
        self.push(Finding { id, severity, subject, sentence });
    }

    /// Adds one that is made already.
    pub(super) fn push(&mut self, finding: Finding) {
        if self.list.len() < MAX_FINDINGS {
            self.list.push(finding);
        } else {
            self.left_out += 1;
        }
    }

    /// All of them.
    pub(super) fn into_list(mut self) -> Vec<Finding> {
        if self.left_out > 0 {
            let sentence = format!("{} more findings about the device tree were left out", self.left_out);
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
