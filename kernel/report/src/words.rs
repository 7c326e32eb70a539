//! Words of the kernel command line that the kernel and `cargo xtask` both know.

use alloc::string::{String, ToString};

use crate::{Ktap, Report, Verbose};

/// Names of words that only the full image, `iogroups-full`, supports. A boot with one of them uses that image.
pub const FULL_IMAGE_WORDS: [&str; 14] = [
    "explain",
    "smp-test",
    "binds",
    "race",
    "rounds",
    "seed",
    "dma",
    "decline",
    "mutate",
    "suite",
    "hazards",
    "then",
    "map-speed",
    "hotplug",
];

/// Form of the report (`report=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Text.
    #[default]
    Text,
    /// Text with a separate line for every device.
    Verbose,
    /// One JSON object on one line.
    Json,
    /// KTAP, the format of Linux's test harnesses.
    Ktap,
}

/// The channel that carries the report (`console=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Console {
    /// The host's console or a file of the host, by semihosting.
    #[default]
    Semihosting,
    /// The UART.
    Pl011,
}

/// Source of the machine description (`firmware=`, and [`Run::firmware`](crate::Run::firmware)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Firmware {
    /// A device tree, without any firmware.
    #[default]
    Dt,
    /// ACPI tables, without any firmware.
    Acpi,
    /// UEFI firmware that hands over a device tree.
    UefiDt,
    /// UEFI firmware that hands over ACPI tables.
    UefiAcpi,
}

impl Form {
    /// The name of the word.
    pub const NAME: &'static str = "report";

    /// All forms.
    pub const ALL: [Self; 4] = [Self::Text, Self::Verbose, Self::Json, Self::Ktap];

    /// The value of the word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Verbose => "verbose",
            Self::Json => "json",
            Self::Ktap => "ktap",
        }
    }

    /// The form that `word` means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.word() == word)
    }

    /// The report in this form, with a newline at its end.
    #[must_use]
    pub fn render(self, report: &Report) -> String {
        match self {
            Self::Text => report.to_string(),
            Self::Verbose => Verbose(report).to_string(),
            Self::Json => report.to_json_line() + "\n",
            Self::Ktap => Ktap(report).to_string(),
        }
    }
}

impl Console {
    /// The name of the word.
    pub const NAME: &'static str = "console";

    /// Both channels.
    pub const ALL: [Self; 2] = [Self::Semihosting, Self::Pl011];

    /// The value of the word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Semihosting => "semihosting",
            Self::Pl011 => "pl011",
        }
    }

    /// The channel that `word` means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|console| console.word() == word)
    }
}

impl Firmware {
    /// The name of the word.
    pub const NAME: &'static str = "firmware";

    /// All sources.
    pub const ALL: [Self; 4] = [Self::Dt, Self::Acpi, Self::UefiDt, Self::UefiAcpi];

    /// The source with these properties: from UEFI firmware or not, in ACPI tables or in a device tree.
    #[must_use]
    pub const fn new(is_uefi: bool, is_acpi: bool) -> Self {
        match (is_uefi, is_acpi) {
            (false, false) => Self::Dt,
            (false, true) => Self::Acpi,
            (true, false) => Self::UefiDt,
            (true, true) => Self::UefiAcpi,
        }
    }

    /// The value of the word, which is also the word in the report.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dt => "dt",
            Self::Acpi => "acpi",
            Self::UefiDt => "uefi-dt",
            Self::UefiAcpi => "uefi-acpi",
        }
    }

    /// The source that `word` means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|firmware| firmware.word() == word)
    }

    /// Whether UEFI firmware starts the kernel.
    #[must_use]
    pub const fn is_uefi(self) -> bool {
        matches!(self, Self::UefiDt | Self::UefiAcpi)
    }

    /// Whether the description is in ACPI tables.
    #[must_use]
    pub const fn is_acpi(self) -> bool {
        matches!(self, Self::Acpi | Self::UefiAcpi)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_means_what_it_is_the_word_of() {
        assert!(Form::ALL.into_iter().all(|form| Form::from_word(form.word()) == Some(form)));
        assert!(Console::ALL.into_iter().all(|console| Console::from_word(console.word()) == Some(console)));
        for firmware in Firmware::ALL {
            assert_eq!(Firmware::from_word(firmware.word()), Some(firmware));
            assert_eq!(Firmware::new(firmware.is_uefi(), firmware.is_acpi()), firmware);
        }
        assert_eq!(Firmware::from_word("bios"), None);
    }
}
