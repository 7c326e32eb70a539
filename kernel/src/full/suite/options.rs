//! The words of the command line that select suites and cases.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::value_error::ValueError;

/// A suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    /// Protocol cases for each virtio-iommu.
    Protocol,
    /// Accesses of devices that do DMA.
    Isolation,
}

/// Which suites to run.
#[derive(Debug, Default)]
pub(crate) struct SuiteOptions {
    /// The suites (`suite=`).
    pub(crate) suites: Vec<Suite>,
    /// Identifiers of cases that are run although they have a hazard (`hazards=A,B`).
    pub(crate) hazards: Vec<String>,
}

impl Suite {
    /// All suites, by the value of the word.
    const ALL: [(&str, Self); 2] = [("protocol", Self::Protocol), ("isolation", Self::Isolation)];
}

impl SuiteOptions {
    /// Whether devices try to reach what they must not.
    pub(crate) fn has_isolation(&self) -> bool {
        self.suites.contains(&Suite::Isolation)
    }

    /// Reads one word, `name=value`.
    ///
    /// # Errors
    ///
    /// The value cannot be used.
    pub(crate) fn read(&mut self, name: &str, value: &str) -> Result<(), ValueError> {
        if name == "hazards" {
            self.hazards = value.split(',').map(ToString::to_string).collect();
            return Ok(());
        }
        let chosen = Suite::ALL.iter().filter(|(word, _)| value == "all" || value == *word);
        self.suites = chosen.map(|(_, suite)| *suite).collect();
        if self.suites.is_empty() { Err(ValueError::Unknown) } else { Ok(()) }
    }
}
