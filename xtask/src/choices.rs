//! Choices that a word makes, on command lines and in data files.
//!
//! The words that the kernel knows too are defined in `report` and in `probe`.

use std::collections::BTreeMap;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use report::{Console, Firmware, Form};
use serde::de::{Deserialize, Deserializer, Error};

/// A choice out of a closed set.
pub(crate) trait Choice: Copy + Send + Sync + 'static {
    /// The set, in the order of help texts.
    const ALL: &'static [Self];

    /// The word that makes the choice.
    fn word(self) -> &'static str;

    /// What it means, for help texts.
    fn help(self) -> &'static str;
}

/// With or without an IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Iommu {
    On,
    Off,
}

impl Choice for Iommu {
    const ALL: &'static [Self] = &[Self::On, Self::Off];

    fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::On => "One with QEMU's defaults, unless the topology has one",
            Self::Off => "None, even if the topology has one",
        }
    }
}

impl Choice for Firmware {
    const ALL: &'static [Self] = &Firmware::ALL;

    fn word(self) -> &'static str {
        self.word()
    }

    fn help(self) -> &'static str {
        match self {
            Self::Dt => "QEMU's device tree, without any firmware",
            Self::Acpi => "QEMU's ACPI tables, without any firmware",
            Self::UefiDt => "UEFI firmware that hands over QEMU's device tree",
            Self::UefiAcpi => "UEFI firmware that hands over ACPI tables",
        }
    }
}

impl Choice for Console {
    const ALL: &'static [Self] = &Console::ALL;

    fn word(self) -> &'static str {
        self.word()
    }

    fn help(self) -> &'static str {
        match self {
            Self::Semihosting => "A file on the host",
            Self::Pl011 => "The serial port, between the lines of the log; the machine has no semihosting",
        }
    }
}

impl Choice for Form {
    const ALL: &'static [Self] = &Form::ALL;

    fn word(self) -> &'static str {
        self.word()
    }

    fn help(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Verbose => "Text with a separate line for every device",
            Self::Json => "As --json",
            Self::Ktap => "The format of Linux's test harnesses",
        }
    }
}

impl Choice for probe::Path {
    const ALL: &'static [Self] = &probe::Path::ALL;

    fn word(self) -> &'static str {
        self.word()
    }

    fn help(self) -> &'static str {
        match self {
            Self::Fixed => "Ours, which keeps every invariant",
            Self::Upstream => "Linux 6.17 to 7.3, as it is",
            Self::Regressed => "Linux 6.15 to 6.16.3",
            Self::Legacy => "Linux 6.14 and older",
        }
    }
}

/// Reads the value of an option.
pub(crate) fn parser<C: Choice>() -> impl TypedValueParser<Value = C> {
    let values = C::ALL.iter().map(|choice| PossibleValue::new(choice.word()).help(choice.help()));
    PossibleValuesParser::new(values).try_map(|word| of_word::<C>(&word))
}

/// The choice that `word` makes.
///
/// # Errors
///
/// It does not make any; the error lists the words that do.
pub(crate) fn of_word<C: Choice>(word: &str) -> Result<C, String> {
    C::ALL.iter().copied().find(|choice| choice.word() == word).ok_or_else(|| {
        let words: Vec<&str> = C::ALL.iter().map(|choice| choice.word()).collect();
        format!("expected {}", words.join(", "))
    })
}

/// Reads a choice from a data file.
pub(crate) fn deserialize<'de, D: Deserializer<'de>, C: Choice>(from: D) -> Result<C, D::Error> {
    of_word(&String::deserialize(from)?).map_err(D::Error::custom)
}

/// Reads an optional list of choices from a data file.
pub(crate) fn list<'de, D: Deserializer<'de>, C: Choice>(from: D) -> Result<Option<Vec<C>>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    words.iter().map(|word| of_word(word).map_err(D::Error::custom)).collect::<Result<_, _>>().map(Some)
}

/// Reads a table with one entry for each of some choices from a data file.
pub(crate) fn table<'de, D, C, T>(from: D) -> Result<BTreeMap<C, T>, D::Error>
where
    D: Deserializer<'de>,
    C: Choice + Ord,
    T: Deserialize<'de>,
{
    let entries = BTreeMap::<String, T>::deserialize(from)?;
    let read = |(word, value): (String, T)| Ok((of_word(&word).map_err(D::Error::custom)?, value));
    entries.into_iter().map(read).collect()
}
