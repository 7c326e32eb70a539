//! The probe path as a word, on the command line and in data files. The paths themselves are the core's.

use std::collections::BTreeMap;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use probe::Path;
use serde::de::{Deserialize, Deserializer, Error};

/// Reads the value of an option.
pub(crate) fn parser() -> impl TypedValueParser<Value = Path> {
    let values = Path::ALL.map(|path| PossibleValue::new(path.word()).help(help(path)));
    PossibleValuesParser::new(values).try_map(|word| of_word(&word))
}

fn help(path: Path) -> &'static str {
    match path {
        Path::Fixed => "Ours, which keeps every invariant",
        Path::Upstream => "Linux 6.17 to 7.3, as it is",
        Path::Regressed => "Linux 6.15 to 6.16.3",
        Path::Legacy => "Linux 6.14 and older",
    }
}

/// The path that `word` means.
///
/// # Errors
///
/// It does not mean any; the error lists the words that do.
pub(crate) fn of_word(word: &str) -> Result<Path, String> {
    Path::from_word(word).ok_or_else(|| format!("expected {}", Path::ALL.map(Path::word).join(", ")))
}

/// Reads a path from a data file.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Path, D::Error> {
    of_word(&String::deserialize(from)?).map_err(D::Error::custom)
}

/// Reads an optional list of paths from a data file.
pub(crate) fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Path>>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    words.iter().map(|word| of_word(word).map_err(D::Error::custom)).collect::<Result<_, _>>().map(Some)
}

/// Reads a table with one entry for each of some paths from a data file.
pub(crate) fn table<'de, D, T>(from: D) -> Result<BTreeMap<Path, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let entries = BTreeMap::<String, T>::deserialize(from)?;
    let read = |(word, value): (String, T)| Ok((of_word(&word).map_err(D::Error::custom)?, value));
    entries.into_iter().map(read).collect()
}
