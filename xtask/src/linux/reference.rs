//! What a Linux is compared with: our kernel on the same machine, saved reports, and recorded answers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use report::Report;

use super::grouping::Grouping;
use super::machines::Subject;
use crate::answer::LinuxAnswer;
use crate::boot::Boot;
use crate::choices;
use crate::image::{Binary, Kernel};
use crate::paths::Paths;
use crate::run::Log;

/// How long our kernel may take; it takes less than a second, with firmware some.
const DEADLINE: Duration = Duration::from_secs(60);

/// The reference that `--like` selects.
#[derive(Clone, Debug)]
pub(super) enum Like {
    /// Our kernel on this path.
    Path(probe::Path),
    /// A report, an answer, or a directory with some.
    Saved(PathBuf),
}

impl Like {
    pub(super) fn of_word(word: &str) -> Self {
        choices::of_word(word).map_or_else(|_| Self::Saved(word.into()), Self::Path)
    }

    /// Its name in differences.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Path(path) => path.word().into(),
            Self::Saved(place) => place.display().to_string(),
        }
    }
}

/// Our kernel's answers.
pub(super) struct References<'a> {
    pub(super) program: &'a str,
    pub(super) kernels: &'a BTreeMap<Binary, Kernel>,
    pub(super) paths: &'a Paths,
}

/// One path's answers for one machine: mostly one. Where the Linux that the path models answers differently from run to
/// run, each of its answers counts.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) groupings: Vec<Grouping>,
    /// Invariants that the path violates on this machine.
    pub(super) breaks: Vec<String>,
}

impl Reference {
    pub(super) fn is(&self, grouping: &Grouping) -> bool {
        self.groupings.iter().any(|one| one == grouping)
    }
}

impl References<'_> {
    /// Boots our kernel on a machine.
    ///
    /// # Errors
    ///
    /// There was no report.
    pub(super) fn boot(&self, subject: &Subject, path: probe::Path) -> Result<Reference> {
        let mut boot = Boot::of_topology(&subject.topology, self.program)?;
        (boot.start.firmware, boot.start.path) = (subject.firmware, path);
        let kernel = &self.kernels[&boot.start.binary()];
        let outcome =
            boot.run(kernel, Some(DEADLINE), &Log::Hidden).map_err(|stop| anyhow::anyhow!(stop.message))?;
        let report = &outcome.report;
        if report.devices.is_empty() {
            bail!("{}", report.error.as_deref().unwrap_or("there are no devices in the report"));
        }
        let mut groupings = vec![Grouping::of_report(report)];
        groupings.extend(self.variants(subject, path).iter().map(Grouping::of_answer));
        let broken = report.invariants.iter().filter(|one| !one.holds);
        Ok(Reference { groupings, breaks: broken.map(|one| one.id.clone()).collect() })
    }

    /// The recorded answers of the Linux that a path models, where they vary.
    fn variants(&self, subject: &Subject, path: probe::Path) -> Vec<LinuxAnswer> {
        let by_tables = subject.firmware.is_acpi();
        let answer = LinuxAnswer::read(&subject.recorded_as, by_tables, self.paths.linux(path));
        let alternatives = answer.map(LinuxAnswer::alternatives).unwrap_or_default();
        if path == probe::Path::Fixed || alternatives.len() < 2 { Vec::new() } else { alternatives }
    }
}

/// The groups in a saved report or answer, or in the one for this machine in a directory of them. Where the directory has
/// answers of several versions of Linux, that of `version` counts.
///
/// # Errors
///
/// There is none, or it is malformed.
pub(super) fn saved(place: &Path, subject: &Subject, version: &str) -> Result<Vec<Grouping>> {
    if !place.is_dir() {
        return read(place);
    }
    let ours = place.join(format!("{}.json", subject.id));
    if ours.is_file() {
        return read(&ours);
    }
    // As `--record` names them.
    let prefix = subject.recorded_prefix();
    let of_version = place.join(format!("{prefix}{version}.json"));
    if of_version.is_file() {
        return read(&of_version);
    }
    let entries = fs::read_dir(place).with_context(|| format!("cannot read {}", place.display()))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let fitting: Vec<String> = names.filter(|name| name.starts_with(&prefix)).collect();
    match &fitting[..] {
        [one] => read(&place.join(one)),
        [] => bail!("{} has neither {}.json nor {prefix}VERSION.json", place.display(), subject.id),
        _ => bail!("{} has several answers for {}: {}", place.display(), subject.id, fitting.join(", ")),
    }
}

/// The groups of a file; several if Linux gave different groups in different runs.
fn read(file: &Path) -> Result<Vec<Grouping>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let json: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))?;
    if json.get("schema").is_some() {
        let report = Report::from_json(&text);
        let report = report.with_context(|| format!("{} is not a report", file.display()))?;
        return Ok(vec![Grouping::of_report(&report)]);
    }
    if let Some(error) = json.get("error") {
        bail!("{} does not have an answer, but an error: {error}", file.display());
    }
    let answer: LinuxAnswer = serde_json::from_value(json)
        .with_context(|| format!("{} is neither a report nor an answer of Linux", file.display()))?;
    Ok(answer.alternatives().iter().map(Grouping::of_answer).collect())
}

#[cfg(test)]
mod tests;
