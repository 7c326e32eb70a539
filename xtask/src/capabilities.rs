//! What one QEMU has, by its own word: its version, its types and their properties.
//!
//! QEMU is asked once for all that a set of topologies needs ([`Capabilities::ask`]). Only what QEMU says that it
//! does not have counts as missing; what it did not answer is tried.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::requirement::{MACHINE_TYPE, Release, Requirement};

mod ask;

/// What one QEMU has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Capabilities {
    release: Release,
    /// Release, number of bug fixes, and the name of the distribution's package, if it has one.
    version: String,
    /// The properties of each type that QEMU was asked about; none if it does not have the type. About a type that
    /// is not here, nothing is known.
    types: BTreeMap<String, Option<BTreeSet<String>>>,
}

impl Capabilities {
    /// Release, number of bug fixes and package.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Why QEMU does not meet a requirement; nothing if it does, or if it is not known.
    pub(crate) fn lacks(&self, requirement: &Requirement) -> Option<String> {
        let Release { major, minor, .. } = self.release;
        let is = format!("QEMU {major}.{minor}");
        match requirement {
            Requirement::AtLeast(least) => {
                (self.release < *least).then(|| format!("needs QEMU {least} or newer, this is {is}"))
            }
            Requirement::Before(end) => {
                (self.release >= *end).then(|| format!("needs a QEMU older than {end}, this is {is}"))
            }
            Requirement::Type(name) => {
                let missing = matches!(self.types.get(name), Some(None));
                missing.then(|| format!("{is} does not have {name}"))
            }
            Requirement::Property(name, property) => match self.types.get(name)? {
                None => self.lacks(&Requirement::Type(name.clone())),
                Some(properties) if properties.contains(property) => None,
                Some(_) if name == MACHINE_TYPE => Some(format!("{is} does not have -M virt,{property}=")),
                Some(_) => Some(format!("{is} does not have the property {property} of {name}")),
            },
        }
    }

    /// Reads the lines that QEMU wrote on QMP, where the answer about a type has its name as `id`.
    fn of_answers(lines: &str) -> Option<Self> {
        let mut answers = lines.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
        let Greeting { version } = answers.find_map(|message| message.greeting)?;
        let Numbers { major, minor, micro } = version.qemu;
        let package =
            if version.package.is_empty() { String::new() } else { format!(" ({})", version.package) };
        let about_types = answers.filter_map(|message| {
            let name = message.id?;
            match message.error {
                None => Some((name, Some(message.properties?.into_iter().map(|one| one.name).collect()))),
                Some(error) if error.class == NOT_FOUND => Some((name, None)),
                Some(_) => None,
            }
        });
        Some(Self {
            release: Release { major, minor, micro },
            version: format!("{major}.{minor}.{micro}{package}"),
            types: about_types.collect(),
        })
    }
}

/// Class of the error that says that there is no such type.
const NOT_FOUND: &str = "DeviceNotFound";

/// A line of QMP, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    #[serde(rename = "QMP")]
    greeting: Option<Greeting>,
    id: Option<String>,
    #[serde(rename = "return")]
    properties: Option<Vec<Property>>,
    error: Option<QmpError>,
}

#[derive(Deserialize)]
struct Greeting {
    version: Version,
}

#[derive(Deserialize)]
struct Version {
    qemu: Numbers,
    package: String,
}

#[derive(Deserialize)]
struct Numbers {
    major: u32,
    minor: u32,
    micro: u32,
}

#[derive(Deserialize)]
struct Property {
    name: String,
}

#[derive(Deserialize)]
struct QmpError {
    class: String,
}

#[cfg(test)]
mod tests;
