//! Scenarios as data: one TOML file each below `xtask/scenarios`; counterexamples are written in the same form.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow};
use scenario::{Plan, Scenario, ScenarioError, Step, World};

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
    /// There is no such scenario or file, or it is malformed; the error says where.
    pub(crate) fn find(name: &str) -> Result<Self, Stop> {
        let ours = directory().join(format!("{name}.toml"));
        let file = if !name.contains('/') && ours.is_file() { ours } else { PathBuf::from(name) };
        if !file.is_file() {
            return Err(Stop::usage(format!(
                "there is no scenario {name} in {} and no such file; `cargo xtask replay` lists them",
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

    fn read(file: &Path) -> Result<Self> {
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
/// The text is no scenario, or a name in it does not exist; the error names the line.
pub(crate) fn parse(text: &str) -> Result<Scenario> {
    let scenario: Scenario = toml::from_str(text)?;
    Plan::new(scenario.clone()).map_err(|error| match line_of(text, &error) {
        Some(line) => anyhow!("line {line}: {error}"),
        None => anyhow!(error),
    })?;
    Ok(scenario)
}

/// The line in which what is wrong stands last: where it is used, and not where its like is defined.
fn line_of(text: &str, error: &ScenarioError) -> Option<usize> {
    let is_there = |line: &str| {
        let code = line.split(" #").next().unwrap_or(line);
        let ends = |rest: &str| rest.starts_with(['"', '\'', ' ', ']', '.']) || rest.is_empty();
        code.match_indices(error.what()).any(|(at, what)| ends(&code[at + what.len()..]))
    };
    text.lines().enumerate().filter(|(_, line)| is_there(line)).map(|(place, _)| place + 1).last()
}

/// A scenario as a file. Beside each step stands `remarks` of the same place, if it is not empty.
///
/// # Errors
///
/// As `toml::to_string`; the types give it no reason.
pub(crate) fn to_text(scenario: &Scenario, remarks: &[String]) -> Result<String> {
    let mut text = String::new();
    let without_steps = toml::to_string(&Scenario { steps: Vec::new(), ..scenario.clone() })?;
    for line in without_steps.lines() {
        if line == "steps = []" {
            text.push_str(&steps(&scenario.steps, remarks)?);
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    Ok(text)
}

fn steps(steps: &[Step], remarks: &[String]) -> Result<String> {
    let quoted = steps.iter().map(|step| Ok(format!("{},", toml::Value::try_from(step)?)));
    let quoted = quoted.collect::<Result<Vec<String>>>()?;
    let width = quoted.iter().map(String::len).max().unwrap_or(0);
    let mut text = String::from("steps = [\n");
    for (place, step) in quoted.iter().enumerate() {
        let remark = remarks.get(place).filter(|remark| !remark.is_empty());
        // Writing to a text does not fail.
        let _ = match remark {
            Some(remark) => writeln!(text, "    {step:width$} # {remark}"),
            None => writeln!(text, "    {step}"),
        };
    }
    text.push_str("]\n");
    Ok(text)
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
