//! What happened, and what was found out about the machine.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use crate::data::event::Event;
use crate::data::finding::Finding;

/// Events in order, and findings, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    events: Vec<Event>,
    findings: Vec<Finding>,
    /// ID and place of each finding.
    found: BTreeSet<(&'static str, String)>,
}

impl Log {
    pub(crate) fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Adds a finding, once for each ID and place.
    pub(crate) fn find(&mut self, finding: Finding) {
        if self.found.insert((finding.id, finding.place.clone())) {
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
        &self.findings
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
