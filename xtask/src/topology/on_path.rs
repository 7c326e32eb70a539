//! What is different about a machine on one probe path of Linux.

use serde::Deserialize;

/// The settings of a topology for one path.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OnPath {
    /// Invariants that must be broken, by number, in place of the path's own; the others must hold.
    pub(crate) breaks: Option<Vec<String>>,
    /// For each expected warning that the log of Linux does not have, a part of it.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    /// For each expected finding, words that are all in it.
    #[serde(default)]
    pub(crate) findings: Vec<Vec<String>>,
    /// What is so only if a tree describes the machine.
    pub(crate) dt: Option<Deviation>,
    /// What is so only if tables describe it.
    pub(crate) acpi: Option<Deviation>,
}

/// What is so only by one description of a machine. As [`OnPath`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deviation {
    pub(crate) breaks: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    #[serde(default)]
    pub(crate) findings: Vec<Vec<String>>,
}
