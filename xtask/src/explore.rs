//! `cargo xtask explore`: every order of a scenario's steps, with a file for each invariant that one of them breaks.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use probe::Path;
use scenario::{Broken, Expect, Exploration, Limits, Plan, Scenario, World};

use crate::cli::ExploreArgs;
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::replay::{Replay, list};
use crate::scenarios::{self, Named};

mod figures;

/// Runs the command; the kind is a failure if a result is not as expected.
///
/// # Errors
///
/// There is no such scenario, one is malformed, or a file cannot be written.
pub(crate) fn command(options: &ExploreArgs) -> Result<Kind, Stop> {
    let limits = Limits { states: options.limit };
    if options.all {
        return Ok(figures::command(limits, options.write)?);
    }
    let Some(name) = &options.scenario else {
        return Err(Stop::usage(
            "give a scenario, a file, or --all; `cargo xtask replay` lists the scenarios",
        ));
    };
    let named = Named::find(name)?;
    let paths: Vec<Path> = options.path.map_or(Path::ALL.into(), |path| vec![path]);
    let kind = one(&named, &paths, limits, options.out.as_deref())?;
    Ok(kind)
}

/// Explores one scenario on some paths, shows what came of it, and writes the counterexamples.
fn one(named: &Named, paths: &[Path], limits: Limits, out: Option<&FilePath>) -> Result<Kind> {
    output::show(&format!("{}: {}\n\n", named.name, named.scenario.about));
    let plan = named.plan();
    let mut explored = Vec::new();
    for path in paths {
        let started = Instant::now();
        let bar = bar(limits.states as u64, path.word());
        let found = scenario::explore(&plan, *path, limits, &mut |states| bar.set_position(states as u64));
        bar.finish_and_clear();
        explored.push((found, started.elapsed()));
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header([
        "path",
        "states",
        "transitions",
        "orders",
        "partitions",
        "some order violates",
        "took",
    ]);
    for (found, took) in &explored {
        let mut row = figures::row(found);
        row.push(format!("{:.1} s", took.as_secs_f32()));
        table.add_row(row);
    }
    output::show(&format!("{table}\n"));
    for (found, _) in &explored {
        output::show(&partitions(found));
    }
    let mut out = out.map(FilePath::to_path_buf);
    for (found, _) in &explored {
        for broken in &found.broken {
            // What was asked for by name is the first one; there is a place for the others.
            let file = out.take().unwrap_or_else(|| place(&named.name, found.path, broken.id));
            let text = counterexample(named, found.path, broken)?;
            write(&file, &text)?;
            output::show(&format!("\n{} violates {}: {}\n", found.path, broken.id, broken.by));
            output::show(&steps(&text));
            output::show(&format!(
                "  cargo xtask replay {}\n",
                output::shell_line([file.display().to_string()])
            ));
        }
    }
    let mut kind = Kind::Pass;
    for (found, _) in &explored {
        for difference in differences(&named.scenario, found) {
            output::show(&format!("NOT AS EXPECTED  {}: {difference}\n", found.path));
            kind = Kind::Fail;
        }
    }
    Ok(kind)
}

/// Where an exploration is not as the scenario expects it, and what never may be.
fn differences(scenario: &Scenario, found: &Exploration) -> Vec<String> {
    if !found.complete {
        // What there is to compare is not known.
        return vec![format!("not every order was tried: stopped at {} states", found.states)];
    }
    let mut differences = Vec::new();
    let broken: BTreeSet<&str> = found.broken.iter().map(|broken| broken.id).collect();
    if found.path == Path::Fixed && !broken.is_empty() {
        differences.push(format!("some order violates {}", list(&broken)));
    }
    let nothing = Expect::default();
    let expect = scenario.expect.get(found.path.word()).unwrap_or(&nothing);
    if let Some(expected) = &expect.some_order_breaks {
        let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
        if expected != broken {
            let (expected, broken) = (list(&expected), list(&broken));
            differences.push(format!("some order violates: expected {expected}, found {broken}"));
        }
    }
    if let Some(expected) = expect.partitions
        && expected != found.partitions.len()
    {
        differences.push(format!("partitions: expected {expected}, found {}", found.partitions.len()));
    }
    differences
}

/// A counterexample as a file that can be replayed. It has been replayed, and violates the invariant.
///
/// # Errors
///
/// It does not, or the file does not mean what it was made from: a defect of the explorer.
fn counterexample(named: &Named, path: Path, broken: &Broken) -> Result<String> {
    let mut shortest = broken.shortest.clone();
    shortest.about = format!("{path} violates {}: {}", broken.id, broken.by);
    shortest.source =
        format!("found by trying every order of {}, which comes from: {}", named.name, named.scenario.source);
    let plan = Rc::new(Plan::new(shortest.clone())?);
    let replay = Replay::run(&plan, path);
    ensure!(
        replay.broken().contains(broken.id),
        "the shortest order of {} on {path} does not break {} again",
        named.name,
        broken.id
    );
    let breaks = replay.breaks.iter().map(|broken| broken.id.to_owned()).collect();
    let expect = Expect { breaks: Some(breaks), ..Expect::default() };
    shortest.expect.insert(path.word().into(), expect);
    let text = scenarios::to_text(&shortest, &remarks(&plan, path))?;
    ensure!(scenarios::parse(&text)? == shortest, "{} is read back as another scenario", named.name);
    Ok(text)
}

/// What each step does on this path.
fn remarks(plan: &Rc<Plan>, path: Path) -> Vec<String> {
    let mut world = World::new(plan, path);
    let remark = |step| {
        let remark = scenarios::piece(&world, step).to_owned();
        // A step that is not possible is an error of the replay.
        let _ = world.take(step);
        remark
    };
    plan.scenario().steps.iter().map(remark).collect()
}

/// The steps of a scenario file, without the rest of it.
fn steps(text: &str) -> String {
    let lines = text.lines().skip_while(|line| *line != "steps = [").skip(1).take_while(|line| *line != "]");
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// The partitions that orders end in; the most frequent first.
fn partitions(found: &Exploration) -> String {
    if found.partitions.len() < 2 {
        return String::new();
    }
    let mut text = format!("\n{}: where the orders end\n", found.path);
    let mut partitions: Vec<_> = found.partitions.iter().collect();
    partitions.sort_by_key(|(_, states)| std::cmp::Reverse(**states));
    for (partition, states) in partitions.iter().take(PARTITIONS_SHOWN) {
        let groups: Vec<String> = partition
            .iter()
            .map(|members| members.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
            .collect();
        let groups = if groups.is_empty() { "no groups".into() } else { groups.join(" | ") };
        // Writing to a text does not fail.
        let _ = writeln!(text, "  {groups}  ({} final states)", figures::number(**states as u128));
    }
    if let Some(more @ 1..) = partitions.len().checked_sub(PARTITIONS_SHOWN) {
        let _ = writeln!(text, "  and {more} more");
    }
    text
}

/// So many are shown of a path.
const PARTITIONS_SHOWN: usize = 10;

/// The default file of a counterexample.
fn place(name: &str, path: Path, id: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    output::workspace().join(target).join("counterexamples").join(format!("{name}-{path}-{id}.toml"))
}

fn write(file: &FilePath, text: &str) -> Result<()> {
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// A bar on standard error, if that is a terminal.
fn bar(length: u64, what: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg:10} {bar:40} {human_pos} of at most {human_len}, {elapsed}");
    let bar = ProgressBar::new(length).with_message(what.to_owned());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests;
