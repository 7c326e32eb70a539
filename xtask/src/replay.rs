//! `cargo xtask replay`: what each probe path does in a scenario, step by step, and whether that is what the
//! scenario expects of it.

use probe::Path;
use serde_json::{Value, json};

use crate::cli::ReplayArgs;
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::scenarios::Named;

mod text;
mod trace;

pub(crate) use trace::{Replay, list};

/// Runs the command; the kind says whether every path did what is expected of it.
///
/// # Errors
///
/// There is no such scenario, or one is malformed.
pub(crate) fn command(options: &ReplayArgs) -> Result<Kind, Stop> {
    let scenarios = match &options.scenario {
        Some(name) => vec![Named::find(name)?],
        None => Named::all()?,
    };
    let paths: Vec<Path> = options.path.map_or(Path::ALL.into(), |path| vec![path]);
    let mut judged = Vec::new();
    for named in &scenarios {
        let plan = named.plan();
        let replays = paths.iter().map(|path| judge(named, Replay::run(&plan, *path)));
        judged.push((named, replays.collect::<Vec<_>>()));
    }
    let is_as_expected =
        |replays: &Vec<(Replay, Vec<String>)>| replays.iter().all(|(_, differences)| differences.is_empty());
    let kind =
        if judged.iter().all(|(_, replays)| is_as_expected(replays)) { Kind::Pass } else { Kind::Fail };
    let text = match (&options.scenario, &judged[..]) {
        (Some(_), [(named, replays)]) => text::of_one(named, replays),
        _ => text::of_all(&judged),
    };
    let scenarios: Vec<Value> = judged.iter().map(|(named, replays)| scenario_json(named, replays)).collect();
    let form = json!({ "outcome": kind.word(), "exit_status": kind.exit_status(), "scenarios": scenarios });
    output::results(&text, &form, options.json.as_deref())?;
    Ok(kind)
}

fn scenario_json(named: &Named, replays: &[(Replay, Vec<String>)]) -> Value {
    let paths = replays.iter().map(|(replay, differences)| replay.to_json(differences));
    json!({
        "name": named.name,
        "about": named.scenario.about,
        "source": named.scenario.source,
        "paths": paths.collect::<Vec<_>>(),
    })
}

/// A replay with what is not as the scenario expects it; of a path that is not spoken of, nothing is expected.
fn judge(named: &Named, replay: Replay) -> (Replay, Vec<String>) {
    let expect = named.scenario.expect.get(replay.path.word());
    let differences = expect.map(|expect| replay.differences(expect)).unwrap_or_default();
    (replay, differences)
}

#[cfg(test)]
mod tests;
