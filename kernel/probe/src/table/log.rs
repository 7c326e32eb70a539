//! Events, and findings about the machine.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use crate::data::event::Event;
use crate::data::finding::Finding;
use crate::data::findings::{FindingSource, Findings};

/// The probe path's own findings: one for each of the functions that a machine may have, and some.
static PROBE: FindingSource = FindingSource { place: "probe", name: "devices and IOMMUs", limit: 4096 };

/// Events in order, and findings, each once.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    /// Since the last call of [`Self::take_events`].
    events: Vec<Event>,
    findings: Findings,
    /// ID and place of each finding that is listed.
    found: BTreeSet<(&'static str, String)>,
}

impl Default for Log {
    fn default() -> Self {
        Self { events: Vec::new(), findings: Findings::about(&PROBE), found: BTreeSet::new() }
    }
}

impl Log {
    pub(crate) fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Adds a finding, once for each ID and place. Beyond the limit, each time counts.
    pub(crate) fn find(&mut self, finding: Finding) {
        let key = (finding.id, finding.place.clone());
        if !self.found.contains(&key) {
            if !self.findings.is_full() {
                self.found.insert(key);
            }
            self.findings.push(finding);
        }
    }

    /// Adds findings, each in the same way.
    pub(crate) fn find_all(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            self.find(finding);
        }
    }

    /// Takes the events since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        mem::take(&mut self.events)
    }

    pub(crate) fn findings(&self) -> &[Finding] {
        self.findings.list()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::finding::Severity;

    #[test]
    fn a_finding_is_listed_once_and_the_list_ends() {
        let mut log = Log::default();
        let finding = |place: usize| Finding {
            id: "odd",
            severity: Severity::Info,
            place: place.to_string(),
            sentence: "it is odd".into(),
        };
        for place in 0..PROBE.limit {
            log.find(finding(place));
            log.find(finding(place));
        }
        assert_eq!(log.findings().len(), PROBE.limit);
        log.find_all((0..3 * PROBE.limit).map(finding).collect());
        assert_eq!(log.findings().len(), PROBE.limit + 1);
        assert_eq!(log.found.len(), PROBE.limit);
        let last = log.findings().last().unwrap();
        assert!(last.sentence.starts_with("8192 more findings"), "{}", last.sentence);
    }
}
