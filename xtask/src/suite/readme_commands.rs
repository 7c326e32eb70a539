//! The check of the READMEs: a command that boots once ends as the README says, and prints what the README shows.
//!
//! Other commands are not run: those of the suite are listed only, and a Linux would have to be there.
//! `documented` tests that all of them are understood.

use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::checked::Verdict;
use crate::boot::Boot;
use crate::cli::{Common, TestArgs};
use crate::outcome::Stop;
use crate::output;
use crate::process::{self, End, Next, OutputSource};
use crate::program;
use crate::readme::{self, Shown};
use crate::topology::{self, Topology};

/// The READMEs.
const READMES: [&str; 2] = ["README.md", "kernel/README.md"];

/// For a command, which has shorter deadlines of its own.
const DEADLINE: Duration = Duration::from_secs(120);

/// Runs the commands, each in a directory with the files that they name.
pub(super) fn verdict(_: &TestArgs, common: &Common) -> Result<Verdict, Stop> {
    let clones = tempfile::tempdir().context("cannot make a directory")?;
    let place = make_files(clones.path(), common)?;
    let mut differences = Vec::new();
    for file in READMES {
        let text = output::workspace().join(file);
        let text = fs::read_to_string(&text).with_context(|| format!("cannot read {}", text.display()))?;
        for shown in readme::commands(&text) {
            if let Some(words) = runnable(&shown.words, common) {
                let found = run(&words, &shown, &place)?;
                let name = shown.words.join(" ");
                differences.extend(found.into_iter().map(|what| format!("{file}: {name}: {what}")));
            }
        }
    }
    Ok(Verdict::of(differences))
}

/// Makes the files that the commands name: a QEMU in a clone of its own, and a topology, a tree and a table where the
/// commands run, which is returned.
fn make_files(clones: &Path, common: &Common) -> Result<PathBuf, Stop> {
    let program = program::qemu(common.qemu.as_deref());
    let found = program::in_path(&program).unwrap_or_else(|| program.clone().into());
    let (place, build) = (clones.join("iogroups"), clones.join("qemu/build"));
    for directory in [&place, &build] {
        fs::create_dir_all(directory).context("cannot make a directory")?;
    }
    symlink(found, build.join(program::QEMU)).context("cannot link QEMU")?;
    let topology = Topology::find("default").map_err(|error| Stop::usage(format!("{error:#}")))?;
    let tree = Boot::of_topology(&topology, &program)?.own_tree()?;
    fs::write(place.join("my.dtb"), tree).context("cannot write a tree")?;
    for (ours, theirs) in [("tables/ssdt-cca-around.aml", "my-table.aml"), ("switch.toml", "my.toml")] {
        let ours = topology::directory().join(ours);
        fs::copy(ours, place.join(theirs)).context("cannot copy a file of the topologies")?;
    }
    Ok(place)
}

/// The words with which a command is run here; none if it is not.
fn runnable(words: &[String], common: &Common) -> Option<Vec<String>> {
    let (command, rest) = words.split_first()?;
    let mut further = vec!["--no-setup".to_owned()];
    match command.as_str() {
        "qemu" | "explain" if !rest.contains(&"--qemu".to_owned()) => {
            further.extend(["--qemu".into(), program::qemu(common.qemu.as_deref())]);
        }
        "qemu" => (),
        // What failed in the last run is not the README's.
        "test" if !rest.contains(&"--failed".to_owned()) => further.push("--list".into()),
        _ => return None,
    }
    Some([command.clone()].into_iter().chain(further).chain(rest.iter().cloned()).collect())
}

/// This program, even if its file has been replaced: the host's tests build it once more.
fn this_program() -> Result<String, Stop> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Ok(running.display().to_string());
    }
    Ok(std::env::current_exe().context("cannot find this program")?.display().to_string())
}

/// Where a command does otherwise than the README says.
fn run(words: &[String], shown: &Shown, place: &Path) -> Result<Vec<String>, Stop> {
    let words: Vec<String> = [this_program()?].into_iter().chain(words.iter().cloned()).collect();
    let (mut printed, mut log) = (Vec::new(), Vec::new());
    let end = process::run(&words, place, Some(DEADLINE), |source, line| {
        if source == OutputSource::Guest {
            printed.push(line)
        } else {
            log.push(line)
        }
        Ok(Next::<Infallible>::Read)
    })?;
    let mut differences = Vec::new();
    match end {
        End::Exited(status) if status.code() == Some(shown.status) => (),
        End::Exited(status) => {
            let last = printed.last().or(log.last()).map_or("", String::as_str);
            differences.push(format!("ended with {status}, expected {}: {last}", shown.status));
        }
        End::Deadline(_) => differences.push("did not end".to_owned()),
        End::Stopped(never) => match never {},
    }
    let mut lines = printed.iter().map(|line| without_time(line));
    for wanted in &shown.prints {
        if !lines.any(|line| line == without_time(wanted)) {
            differences.push(format!("does not print, or not in this place: {wanted}"));
            break;
        }
    }
    Ok(differences)
}

/// A line without indentation, and without the time at the end of the last line of a report.
fn without_time(line: &str) -> &str {
    let line = line.trim();
    match line.rsplit_once(", ") {
        Some((rest, time)) if time.ends_with(" ms") => rest,
        _ => line,
    }
}
