//! The findings about one source, up to a limit.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::data::finding::{Finding, Severity};

/// What a list of findings is about.
#[derive(Debug, PartialEq, Eq)]
pub struct FindingSource {
    /// The place of a finding about all of it.
    pub place: &'static str,
    /// Its name in a sentence.
    pub name: &'static str,
    /// The maximum number of findings that are listed. A machine with more has the same defect many times.
    pub limit: usize,
}

/// The findings about one source. Those beyond the limit are only counted, in one more finding at the end.
#[derive(Clone, Debug)]
pub struct Findings {
    source: &'static FindingSource,
    list: Vec<Finding>,
    left_out: LeftOut,
}

/// The findings beyond the limit.
#[derive(Clone, Copy, Debug)]
struct LeftOut {
    count: usize,
    /// The highest severity among them; a warning at least.
    severity: Severity,
}

/// A state of the list.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    length: usize,
    left_out: LeftOut,
}

impl Findings {
    /// An empty list.
    #[must_use]
    pub const fn about(source: &'static FindingSource) -> Self {
        Self { source, list: Vec::new(), left_out: LeftOut { count: 0, severity: Severity::Warning } }
    }

    /// Adds a finding about `place`, of which [`Finding::place`] lists the forms.
    pub fn add(
        &mut self,
        id: &'static str,
        severity: Severity,
        place: impl Into<String>,
        sentence: impl Into<String>,
    ) {
        self.push(Finding { id, severity, place: place.into(), sentence: sentence.into() });
    }

    /// Adds a finding.
    pub fn push(&mut self, finding: Finding) {
        if self.is_full() {
            self.leave_out(finding.severity);
        } else {
            self.list.push(finding);
        }
    }

    /// Adds all of `findings`.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.push(finding);
        }
    }

    /// Whether a further finding is only counted.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.list.len() >= self.source.limit
    }

    /// Counts a finding beyond the limit.
    pub fn leave_out(&mut self, severity: Severity) {
        self.left_out.count += 1;
        self.left_out.severity = self.left_out.severity.max(severity);
        self.update_last();
    }

    /// The findings, with a last one for those beyond the limit.
    #[must_use]
    pub fn list(&self) -> &[Finding] {
        &self.list
    }

    /// The same as an owned list.
    #[must_use]
    pub fn into_list(self) -> Vec<Finding> {
        self.list
    }

    /// The current state, for [`Self::roll_back`].
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { length: self.list.len(), left_out: self.left_out }
    }

    /// Removes the findings since `mark`: those of an attempt that is going to be repeated.
    pub fn roll_back(&mut self, mark: Mark) {
        self.list.truncate(mark.length);
        self.left_out = mark.left_out;
        self.update_last();
    }

    fn update_last(&mut self) {
        self.list.truncate(self.source.limit);
        let LeftOut { count, severity } = self.left_out;
        if count > 0 {
            let sentence = format!("{count} more findings about {}; they are not listed", self.source.name);
            let place = String::from(self.source.place);
            self.list.push(Finding { id: "findings-left-out", severity, place, sentence });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SOURCE: FindingSource = FindingSource { place: "all", name: "the test", limit: 2 };

    fn ids(findings: &Findings) -> Vec<&str> {
        findings.list().iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn findings_beyond_the_limit_are_counted_and_keep_their_severity() {
        let mut findings = Findings::about(&SOURCE);
        for (id, severity) in [("a", Severity::Error), ("b", Severity::Info), ("c", Severity::Info)] {
            findings.add(id, severity, "here", "it is odd");
        }
        assert_eq!(ids(&findings), ["a", "b", "findings-left-out"]);
        assert_eq!(findings.list()[2].severity, Severity::Warning);
        findings.add("d", Severity::Error, "here", "it is wrong");
        let last = findings.into_list().pop().unwrap();
        assert_eq!(last.severity, Severity::Error, "an error makes the run fail, listed or not");
        assert_eq!(last.sentence, "2 more findings about the test; they are not listed");
    }

    #[test]
    fn an_attempt_is_forgotten_with_what_it_left_out() {
        let mut findings = Findings::about(&SOURCE);
        findings.add("a", Severity::Info, "here", "it is odd");
        let mark = findings.mark();
        findings.extend(["b", "c", "d"].map(|id| Finding {
            id,
            severity: Severity::Error,
            place: "there".into(),
            sentence: "it is wrong".into(),
        }));
        assert_eq!(ids(&findings), ["a", "b", "findings-left-out"]);
        findings.roll_back(mark);
        assert_eq!(ids(&findings), ["a"]);
    }
}
