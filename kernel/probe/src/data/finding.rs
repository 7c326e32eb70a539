//! What a developer should know about the machine or its firmware.

use alloc::string::String;

/// How much a [`Finding`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; everything works.
    Info,
    /// Something was left out or worked around.
    Warning,
    /// Isolation is lost, or the description of a part of the machine; the verdict is then a failure.
    Error,
}

/// One observation about the machine or its firmware, never about our own mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A stable word that scripts can match, in lower case with dashes: `map-covers-iommu`.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The device, node or table that it is about, by its name in the report.
    pub subject: String,
    /// One sentence: what was found, where (node and property, table and offset, PCI address), and
    /// what was done about it.
    pub sentence: String,
}
