//! What is known of one machine; the same for both languages of firmware.

use probe::Severity;
use serde::{Serialize, Serializer};

/// A machine, as its firmware describes it.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    /// The file, or the directory of the tables.
    pub(super) name: String,
    /// What was read, in words: `device tree, 96 nodes`, `ACPI: DSDT FACP IORT`.
    pub(super) content: String,
    pub(super) iommus: Vec<Iommu>,
    /// PCI host bridges that Linux would use.
    pub(super) host_bridges: Vec<HostBridge>,
    pub(super) findings: Vec<Finding>,
}

/// An IOMMU, and everything that leads to it.
#[derive(Debug, Serialize)]
pub(super) struct Iommu {
    pub(super) name: String,
    /// `compatible`, or the kind of the table's node.
    pub(super) kind: Vec<String>,
    /// The file of the table; none for a tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    /// Byte of the blob or table where its node begins.
    pub(super) offset: Option<Offset>,
    /// False if firmware disables it.
    pub(super) enabled: bool,
    /// The field's word for its IDs: stream ID, endpoint ID.
    pub(super) id_word: &'static str,
    pub(super) entries: Vec<Entry>,
}

/// One entry of a property or table.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    /// A node, a device of the namespace, or the segment of PCI functions.
    pub(super) device: String,
    /// First and last requester ID (of a tree: input ID); none for a device's own entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<[Number; 2]>,
    /// First and last ID at the IOMMU; none if the specifier is not one.
    pub(super) ids: Option<[Number; 2]>,
    /// The cells of a tree's specifier.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) cells: Vec<Number>,
    /// Bits of a stream ID that do not count (second cell of an `arm,smmu`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mask: Option<Number>,
    /// Property and entry, or table and node.
    pub(super) place: String,
    /// Byte of the blob or table.
    pub(super) offset: Offset,
    /// What Linux makes of it.
    pub(super) linux: String,
}

/// The word of [`Entry::linux`] for an entry that is used.
pub(super) const TRANSLATED: &str = "translated";

/// A PCI host bridge.
#[derive(Debug, Serialize)]
pub(super) struct HostBridge {
    pub(super) name: String,
    pub(super) segment: Number,
    pub(super) buses: [Number; 2],
    /// Where its first requester ID leads, or why nowhere.
    pub(super) linux: String,
}

/// Something about the description that its author should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) id: &'static str,
    pub(super) severity: &'static str,
    /// Node and property, table and node, object of the namespace.
    pub(super) place: String,
    /// The file of the table; none for a tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    /// Byte of the blob or table.
    pub(super) offset: Option<Offset>,
    pub(super) sentence: String,
}

/// A number that is shown in base 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(pub(super) u32);

/// A byte of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Offset(pub(super) usize);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Serialize for Offset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0 as u64)
    }
}

impl std::fmt::Display for Offset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "byte {:#x}", self.0)
    }
}

/// The word of a severity.
pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

impl Machine {
    /// A file that is no description at all.
    pub(super) fn unreadable(name: &str, why: &str) -> Self {
        let finding = Finding {
            id: "not-a-description",
            severity: "error",
            place: name.to_owned(),
            file: None,
            offset: None,
            sentence: why.to_owned(),
        };
        Self {
            name: name.to_owned(),
            content: "not read".into(),
            iommus: Vec::new(),
            host_bridges: Vec::new(),
            findings: vec![finding],
        }
    }

    /// How many findings of a severity there are.
    pub(super) fn count(&self, severity: &str) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}
