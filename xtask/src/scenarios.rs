//! Scenarios as data: one TOML file each below `xtask/scenarios`; counterexamples are written in the same form.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow};
use scenario::{Plan, Scenario, ScenarioError, Step, World};
use serde::Serialize;

use crate::outcome::Stop;
use crate::output;

/// A scenario with the name of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// The file's name without its ending.
    pub(crate) name: String,
    pub(crate) scenario: Scenario,
}

impl Named {
    /// Reads the scenario `name`: one of ours, or a file.
    ///
    /// # Errors
    ///
    /// There is no such scenario or file, or it is malformed; the error contains the place.
    pub(crate) fn find(name: &str) -> Result<Self, Stop> {
        let ours = directory().join(format!("{name}.toml"));
        let file = if !name.contains('/') && ours.is_file() { ours } else { PathBuf::from(name) };
        if !file.is_file() {
            return Err(Stop::usage(format!(
                "{name} is neither a scenario in {} nor a file; `cargo xtask replay` lists the scenarios",
                directory().display()
            )));
        }
        Self::read(&file).map_err(|error| Stop::usage(format!("{error:#}")))
    }

    /// Every scenario of ours, in the order of their names.
    ///
    /// # Errors
    ///
    /// One that is malformed, or the directory cannot be read.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let place = directory();
        let entries = fs::read_dir(&place).with_context(|| format!("cannot read {}", place.display()))?;
        let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
        files.sort();
        files.iter().map(|file| Self::read(file)).collect()
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is malformed; the error contains the place.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let scenario = parse(&text).with_context(|| format!("{} is malformed", file.display()))?;
        Ok(Self { name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), scenario })
    }

    /// The scenario, ready to run.
    ///
    /// # Panics
    ///
    /// Never: what was read makes sense.
    pub(crate) fn plan(&self) -> Rc<Plan> {
        Rc::new(Plan::new(self.scenario.clone()).expect("a scenario that was read makes sense"))
    }
}

/// Reads a scenario that makes sense.
///
/// # Errors
///
/// The text is not a scenario, or a name in it does not exist; the error contains the line.
pub(crate) fn parse(text: &str) -> Result<Scenario> {
    let scenario: Scenario = toml::from_str(text)?;
    Plan::new(scenario.clone()).map_err(|error| match line_of(text, &error) {
        Some(line) => anyhow!("line {line}: {error}"),
        None => anyhow!(error),
    })?;
    Ok(scenario)
}

/// The line in which what is wrong stands last: there it is used, or given a second time. Of several steps with the same
/// text it is the one that is meant.
fn line_of(text: &str, error: &ScenarioError) -> Option<usize> {
    let times = |line: &str| {
        let code = line.split(" #").next().unwrap_or(line);
        if matches!(error, ScenarioError::RepeatedDevice(_) | ScenarioError::RepeatedDriver(_))
            && !code.contains("name =")
        {
            return 0;
        }
        let begins = |before: &str| before.is_empty() || before.ends_with(['"', '\'', ' ', '[', '.']);
        let ends = |rest: &str| rest.is_empty() || rest.starts_with(['"', '\'', ' ', ']', '.']);
        code.match_indices(error.what())
            .filter(|(at, what)| begins(&code[..*at]) && ends(&code[at + what.len()..]))
            .count()
    };
    let places = (1..).zip(text.lines()).flat_map(|(number, line)| std::iter::repeat_n(number, times(line)));
    match error {
        ScenarioError::OutOfOrder { nth, .. } => places.into_iter().nth(*nth),
        _ => places.last(),
    }
}

/// A scenario as a file. Beside each step stands `remarks` of the same place, if it is not empty.
///
/// # Errors
///
/// As `toml::to_string`; the types give it no reason.
pub(crate) fn to_text(scenario: &Scenario, remarks: &[String]) -> Result<String> {
    let rest = Scenario {
        steps: Vec::new(),
        devices: Vec::new(),
        drivers: Vec::new(),
        maps: Vec::new(),
        ..scenario.clone()
    };
    let text = toml::to_string(&rest)?;
    let (head, expect) =
        text.rsplit_once(NO_LISTS).context("the lists of a scenario are not where they were")?;
    let mut text = head.to_owned();
    list(&mut text, "steps", &scenario.steps, remarks)?;
    list(&mut text, "device", &scenario.devices, &[])?;
    list(&mut text, "driver", &scenario.drivers, &[])?;
    list(&mut text, "map", &scenario.maps, &[])?;
    text.push_str(expect);
    Ok(text)
}

/// How a scenario is written whose lists are empty, between what it is and what is expected of it.
const NO_LISTS: &str = "steps = []\ndevice = []\ndriver = []\n";

/// A list with one line for each entry; nothing if there is none.
fn list<T: Serialize>(text: &mut String, key: &str, entries: &[T], remarks: &[String]) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let entry = |entry: &T| {
        let mut line = String::new();
        entry.serialize(toml::ser::ValueSerializer::new(&mut line))?;
        Ok(line + ",")
    };
    let entries = entries.iter().map(entry).collect::<Result<Vec<String>>>()?;
    let width = entries.iter().map(String::len).max().unwrap_or(0);
    // Writing to a text does not fail.
    let _ = writeln!(text, "{key} = [");
    for (place, entry) in entries.iter().enumerate() {
        let _ = match remarks.get(place).filter(|remark| !remark.is_empty()) {
            Some(remark) => writeln!(text, "    {entry:width$} # {remark}"),
            None => writeln!(text, "    {entry}"),
        };
    }
    text.push_str("]\n");
    Ok(())
}

/// What a `go` is going to do in this world; nothing for other steps.
pub(crate) fn piece(world: &World, step: &Step) -> &'static str {
    world.meant(step).map_or("", |choice| world.describe(choice))
}

/// Where our scenarios are.
pub(crate) fn directory() -> PathBuf {
    output::workspace().join("xtask/scenarios")
}

#[cfg(test)]
mod tests;
