//! What lists of findings about a description are about.

use probe::FindingSource;

/// The maximum number of findings about one description.
const LIMIT: usize = 256;

/// A device tree.
pub(crate) static TREE: FindingSource = FindingSource { place: "/", name: "the device tree", limit: LIMIT };

/// A set of ACPI tables.
pub(crate) static TABLES: FindingSource = FindingSource { place: "ACPI", name: "ACPI tables", limit: LIMIT };

/// The definition blocks of a set of tables.
pub(crate) static AML: FindingSource = FindingSource { place: "AML", name: "AML", limit: LIMIT };
