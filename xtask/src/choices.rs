//! What is chosen by a word, on the command line as in topology files.

use clap::ValueEnum;

/// Form in which the report is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Text.
    #[default]
    Text,
    /// Text with every device in a line of its own.
    Verbose,
    /// As `--json`.
    Json,
    /// As Linux's test harnesses read it.
    Ktap,
}

impl Form {
    /// The word of the kernel's command line that selects it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Verbose => "verbose",
            Self::Json => "json",
            Self::Ktap => "ktap",
        }
    }
}

/// Where the description of the machine comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Firmware {
    /// QEMU's device tree, without any firmware.
    #[default]
    Dt,
    /// QEMU's ACPI tables, without any firmware.
    Acpi,
    /// UEFI firmware that hands QEMU's device tree over.
    UefiDt,
    /// UEFI firmware that hands ACPI tables over.
    UefiAcpi,
}

impl Firmware {
    /// The word that selects it, and that the report has for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Dt => "dt",
            Self::Acpi => "acpi",
            Self::UefiDt => "uefi-dt",
            Self::UefiAcpi => "uefi-acpi",
        }
    }

    /// Whether the image is started by UEFI firmware.
    pub(crate) fn is_uefi(self) -> bool {
        matches!(self, Self::UefiDt | Self::UefiAcpi)
    }

    /// Whether the description is in ACPI tables.
    pub(crate) fn is_acpi(self) -> bool {
        matches!(self, Self::Acpi | Self::UefiAcpi)
    }
}

/// With or without an IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Iommu {
    On,
    Off,
}

/// What carries the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Console {
    /// A file on the host.
    #[default]
    Semihosting,
    /// The serial port, between the lines of the log. The machine then has no semihosting at all.
    Pl011,
}
