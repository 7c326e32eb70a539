//! Findings about the machine or its firmware.

use alloc::string::String;

/// How much a [`Finding`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For information; everything works.
    Info,
    /// Something was left out or worked around.
    Warning,
    /// Isolation is lost, or the description of a part of the machine; the verdict is then a failure.
    Error,
}

/// One observation about the machine or its firmware, never about a defect of this kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A stable word that scripts can match, in lower case with dashes: `map-covers-iommu`.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The most exact place: a device by its name in the report, a PCI address and register, a device tree node or
    /// property (`/node:property[entry]`), a table's node with its offset, an object of the namespace.
    pub place: String,
    /// `what; consequence`, without the place and without a full stop.
    pub sentence: String,
}
