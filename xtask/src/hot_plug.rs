//! Devices that are plugged in and out while a kernel runs, as a topology lists them.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

mod pull;
mod qmp;

use qmp::Qmp;

/// One change of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SlotChange {
    /// Devices to add, each in the form of an argument of `-device`; of one slot, function 0 is the last.
    Add(Vec<String>),
    /// ID of a device to remove: its attention button is pressed, and the kernel releases it.
    Remove(String),
    /// ID of a device to pull: it is gone before the kernel knows.
    Pull(String),
}

/// Sockets in the run directory.
pub(crate) const QMP_SOCKET: &str = "qmp";
pub(crate) const QTEST_SOCKET: &str = "qtest";

/// How the kernel asks for the next change on its console.
const REQUEST: &str = "hot-plug: waiting for change ";

/// Makes the changes of a topology, each when the kernel asks for it.
pub(crate) struct SlotChanges<'a> {
    directory: &'a Path,
    changes: std::slice::Iter<'a, SlotChange>,
    qmp: Option<Qmp>,
}

impl<'a> SlotChanges<'a> {
    /// The changes of the QEMU that runs in `directory`.
    pub(crate) fn new(directory: &'a Path, changes: &'a [SlotChange]) -> Self {
        Self { directory, changes: changes.iter(), qmp: None }
    }

    /// Makes the next change if `line` of the console asks for it.
    ///
    /// # Errors
    ///
    /// QEMU cannot be reached, or refuses the change.
    pub(crate) fn follow(&mut self, line: &str) -> Result<()> {
        if !line.contains(REQUEST) {
            return Ok(());
        }
        let Some(change) = self.changes.next() else { return Ok(()) };
        self.make(change).with_context(|| format!("hot_plug: {change}"))
    }

    fn make(&mut self, change: &SlotChange) -> Result<()> {
        let qmp = match &mut self.qmp {
            Some(qmp) => qmp,
            none => none.insert(Qmp::connect(&self.directory.join(QMP_SOCKET))?),
        };
        match change {
            SlotChange::Add(devices) => {
                ensure!(!devices.is_empty(), "there is nothing to add");
                devices.iter().try_for_each(|device| qmp.add_device(device))
            }
            SlotChange::Remove(id) => qmp.remove_device(id),
            SlotChange::Pull(id) => pull::pull(qmp, &self.directory.join(QTEST_SOCKET), id),
        }
    }
}

impl std::fmt::Display for SlotChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Add(devices) => write!(f, "add {}", devices.join(", ")),
            Self::Remove(id) => write!(f, "remove {id}"),
            Self::Pull(id) => write!(f, "pull {id}"),
        }
    }
}

#[cfg(test)]
mod tests;
