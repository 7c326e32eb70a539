//! The figures of all scenarios, and whether they are still those of the repository.

use std::fmt::Write as _;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use probe::Path;
use scenario::Limits;

use super::counterexample::counterexample;
use super::differences::differences;
use super::files::write as write_file;
use super::progress::bar;
use super::row::row;
use crate::outcome::Kind;
use crate::output;
use crate::replay::Replay;
use crate::scenarios::{self, Named};

/// What an exploration of one scenario on one path came to.
struct Explored {
    row: Vec<String>,
    differences: Vec<String>,
}

/// Explores all scenarios on all paths, and compares everything with what is expected; `write` makes the figures
/// what came out.
///
/// # Errors
///
/// A scenario is malformed, or a file cannot be read or written.
pub(super) fn command(limits: Limits, write: bool) -> Result<Kind> {
    let all = Named::all()?;
    let (explored, took) = {
        let started = Instant::now();
        (explore_all(&all, limits), started.elapsed())
    };
    let mut differences = Vec::new();
    for (named, paths) in all.iter().zip(&explored) {
        for (path, explored) in Path::ALL.iter().zip(paths) {
            let of_one = expected_of(named, *path).into_iter().chain(explored.differences.clone());
            differences.extend(of_one.map(|difference| format!("{} on {path}: {difference}", named.name)));
        }
    }
    let text = table(&all, &explored);
    let file = scenarios::directory().join("FIGURES.md");
    if write {
        write_file(&file, &text)?;
    } else {
        let ours = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        differences.extend(lines_that_differ(&ours, &text));
    }
    let explorations = all.len() * Path::ALL.len();
    for difference in &differences {
        output::show(&format!("NOT AS EXPECTED  {difference}\n"));
    }
    let verdict = if differences.is_empty() { "all as expected" } else { "not all as expected" };
    output::show(&format!(
        "{} scenarios, {explorations} explorations in {:.1} s: {verdict}\n",
        all.len(),
        took.as_secs_f32()
    ));
    Ok(if differences.is_empty() { Kind::Pass } else { Kind::Fail })
}

/// What replaying it shows, and what its file lacks.
pub(super) fn expected_of(named: &Named, path: Path) -> Vec<String> {
    match named.scenario.expect.get(path.word()) {
        Some(expect) => Replay::run(&named.plan(), path).differences(expect),
        None => vec!["nothing is expected".into()],
    }
}

/// Each scenario on each path, on as many threads as there are CPUs.
fn explore_all(all: &[Named], limits: Limits) -> Vec<Vec<Explored>> {
    let jobs: Vec<(usize, usize)> =
        (0..all.len()).flat_map(|place| (0..Path::ALL.len()).map(move |path| (place, path))).collect();
    let bar = bar(jobs.len() as u64, "exploring");
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some((place, path)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let named = &all[*place];
            let found = scenario::explore(&named.plan(), Path::ALL[*path], limits, &mut |_| bar.tick());
            let mut differences = differences(&named.scenario, &found);
            for broken in &found.broken {
                // A counterexample is one only if it is one again.
                differences
                    .extend(counterexample(named, found.path, broken).err().map(|error| error.to_string()));
            }
            let explored = Explored { row: row(&found), differences };
            done.lock().expect("no worker panics").push(((*place, *path), explored));
            bar.inc(1);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    let mut done = done.into_inner().expect("no worker panics");
    done.sort_by_key(|(job, _)| *job);
    let mut explored: Vec<Vec<Explored>> = all.iter().map(|_| Vec::new()).collect();
    for ((place, _), one) in done {
        explored[place].push(one);
    }
    explored
}

/// The file of figures.
fn table(all: &[Named], explored: &[Vec<Explored>]) -> String {
    let mut text = String::from(
        "# Every order of every scenario\n\n\
         Made by `cargo xtask explore --all --write`, compared by `cargo xtask test`. States are those of the whole\n\
         machine; an order is one way through them, from nothing to rest; partitions are the different groups that\n\
         orders end in; violated: by at least one order.\n\n\
         | scenario | path | states | transitions | orders | partitions | violated |\n\
         | --- | --- | ---: | ---: | ---: | ---: | --- |\n",
    );
    for (named, paths) in all.iter().zip(explored) {
        for one in paths {
            // Writing to a text does not fail.
            let _ = writeln!(text, "| {} | {} |", named.name, one.row.join(" | "));
        }
    }
    text
}

/// What came out and is not in the repository, or the other way round.
pub(super) fn lines_that_differ(ours: &str, found: &str) -> Vec<String> {
    let only = |one: &str, other: &str, where_from: &str| -> Vec<String> {
        let lines = one.lines().filter(|line| !other.lines().any(|other| other == *line));
        lines.map(|line| format!("{where_from}: {line}")).collect()
    };
    let mut differences = only(found, ours, "figures that come out");
    differences.extend(only(ours, found, "figures in FIGURES.md"));
    differences
}
