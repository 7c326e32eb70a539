//! One scenario, on some paths.

use std::fmt::Write as _;
use std::path::{Path as FilePath, PathBuf};
use std::time::Instant;

use anyhow::Result;
use comfy_table::{Table, presets};
use probe::Path;
use scenario::{Exploration, Limits};

use super::counterexample::counterexample;
use super::differences::differences;
use super::files::write;
use super::progress::bar;
use super::row::{number, row};
use crate::outcome::Kind;
use crate::output;
use crate::scenarios::Named;

/// Explores one scenario on some paths, shows the results, and writes the counterexamples.
pub(super) fn explore(named: &Named, paths: &[Path], limits: Limits, out: Option<&FilePath>) -> Result<Kind> {
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
        let mut row = row(found);
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
        let _ = writeln!(text, "  {groups}  ({} final states)", number(**states as u128));
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
