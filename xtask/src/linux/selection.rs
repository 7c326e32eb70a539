//! The machines that the options select.

use std::collections::BTreeMap;

use report::Firmware;

use super::machines::Subject;
use crate::answer::LinuxAnswer;
use crate::cli::LinuxArgs;
use crate::outcome::Stop;
use crate::topology::{self, Topology};

/// The topology that is booted if none is named.
const USUAL: &str = "default";

/// Machines, and those that were left out.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) subjects: Vec<Subject>,
    /// Reasons, and the machines that were left out for them.
    pub(super) skipped: BTreeMap<String, Vec<String>>,
}

impl Selection {
    /// Reads the topologies.
    ///
    /// # Errors
    ///
    /// A topology that was named is not there, is malformed, or is not one for Linux.
    pub(super) fn of(options: &LinuxArgs, program: &str) -> Result<Self, Stop> {
        let routes = if options.firmware.is_empty() { vec![Firmware::Dt] } else { options.firmware.clone() };
        if let Some(other) = routes.iter().find(|route| !matches!(route, Firmware::Dt | Firmware::UefiAcpi)) {
            let what = format!("--firmware {}: Linux is booted by dt or uefi-acpi", other.word());
            return Err(Stop::usage(what));
        }
        let mut selection = Self::default();
        let every = options.all || options.recorded;
        for topology in topologies(options)? {
            for route in &routes {
                match Subject::of(&topology, *route, program, &options.append) {
                    Ok(subject) => selection.subjects.push(subject),
                    Err(reason) if every => selection.skip(reason.into(), topology.name.clone()),
                    Err(reason) => {
                        return Err(Stop::usage(format!("--topology {}: it {reason}", topology.name)));
                    }
                }
            }
        }
        Ok(selection)
    }

    fn skip(&mut self, reason: String, name: String) {
        self.skipped.entry(reason).or_default().push(name);
    }

    /// Leaves out the machines for which `check` returns a reason.
    pub(super) fn keep(&mut self, check: impl Fn(&Subject) -> Result<(), String>) {
        for subject in std::mem::take(&mut self.subjects) {
            match check(&subject) {
                Ok(()) => self.subjects.push(subject),
                Err(reason) => self.skip(reason, subject.id),
            }
        }
    }
}

/// The topologies that the options name.
fn topologies(options: &LinuxArgs) -> Result<Vec<Topology>, Stop> {
    if options.all || options.recorded {
        let all = Topology::all(&topology::directory())?;
        // The suite reports malformed files.
        let all = all.into_iter().flatten();
        return Ok(all.filter(|topology| options.all || LinuxAnswer::exists_for(&topology.name)).collect());
    }
    let names = if options.topology.is_empty() { vec![USUAL.to_owned()] } else { options.topology.clone() };
    let find = |name: &String| Topology::find(name).map_err(|error| Stop::usage(format!("{error:#}")));
    names.iter().map(find).collect()
}
