//! A list of findings that cannot grow without end.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use probe::{Finding, Severity};

/// Most findings about one description.
const MAX_FINDINGS: usize = 256;

/// The findings about one description so far.
#[derive(Clone, Debug)]
pub(crate) struct Findings {
    /// The place of a finding about all of it.
    place: &'static str,
    /// What it is called in a sentence.
    what: &'static str,
    list: Vec<Finding>,
    left_out: usize,
}

impl Findings {
    /// No findings yet about a device tree.
    pub(crate) const fn about_tree() -> Self {
        Self { place: "/", what: "the device tree", list: Vec::new(), left_out: 0 }
    }

    /// No findings yet about a set of ACPI tables.
    pub(crate) const fn about_tables() -> Self {
        Self { place: "ACPI", what: "ACPI tables", list: Vec::new(), left_out: 0 }
    }

    /// No findings yet about the definition blocks of a set of tables.
    pub(crate) const fn about_aml() -> Self {
        Self { place: "AML", what: "AML", list: Vec::new(), left_out: 0 }
    }

    /// Adds one about `place`: a table, an entry or node of it with its offset, or an object of the namespace; a node's
    /// path, or a property as dtc writes it (`/path:property`), with the number of an entry in brackets.
    pub(crate) fn add(
        &mut self,
        id: &'static str,
        severity: Severity,
        place: impl Into<String>,
        sentence: impl Into<String>,
    ) {
        self.push(Finding { id, severity, place: place.into(), sentence: sentence.into() });
    }

    /// Adds a finding.
    pub(crate) fn push(&mut self, finding: Finding) {
        if self.is_full() {
            self.leave_out();
        } else {
            self.list.push(finding);
        }
    }

    /// Adds all of `findings`.
    pub(crate) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.push(finding);
        }
    }

    /// Whether a further finding is only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MAX_FINDINGS
    }

    /// Counts a finding beyond the limit.
    pub(crate) fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// The findings, with a last one for those beyond the limit.
    pub(crate) fn into_list(mut self) -> Vec<Finding> {
        if self.left_out > 0 {
            let sentence =
                format!("{} more findings about {}; they are not listed", self.left_out, self.what);
            let place = String::from(self.place);
            self.list.push(Finding { id: "findings-left-out", severity: Severity::Warning, place, sentence });
        }
        self.list
    }
}
