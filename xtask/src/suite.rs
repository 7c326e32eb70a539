//! `cargo xtask test`: every check in one list, each with a name, a verdict and, if it failed, the
//! exact command and what differs.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use crate::boot::{self, Boot};
use crate::cli::{ProbePath, TestArgs};
use crate::image::{self, Kernel, TARGET};
use crate::judge;
use crate::linux::Answer;
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::paths::Paths;
use crate::qemu;
use crate::run;
use crate::setup;
use crate::topology::{self, Malformed, Topology};

/// Boots at a time. More make each one slower, and a deadline is in wall-clock time.
const AT_A_TIME: usize = 2;

/// Warnings are errors, in documentation as everywhere.
const STRICT: &str = "-Dwarnings";

/// A check that needs no QEMU.
struct HostCheck {
    name: &'static str,
    /// Arguments of cargo.
    arguments: &'static [&'static str],
}

/// The checks of the sources, and the tests that run on the host.
const HOST_CHECKS: [HostCheck; 7] = [
    HostCheck { name: "format", arguments: &["fmt", "--all", "--check"] },
    HostCheck { name: "lints", arguments: &["clippy", "--quiet", "--all-targets", "--", STRICT] },
    HostCheck {
        name: "lints of the image",
        arguments: &[
            "clippy",
            "--quiet",
            "--release",
            "--package",
            "boot",
            "--package",
            "kernel",
            "--target",
            TARGET,
            "--",
            STRICT,
        ],
    },
    HostCheck { name: "documentation", arguments: &["doc", "--quiet", "--no-deps"] },
    HostCheck {
        name: "documentation of the image",
        arguments: &[
            "doc",
            "--quiet",
            "--no-deps",
            "--package",
            "boot",
            "--package",
            "kernel",
            "--target",
            TARGET,
        ],
    },
    HostCheck { name: "tests", arguments: &["test", "--quiet"] },
    HostCheck { name: "scenarios", arguments: &["xtask", "explore", "--all"] },
];

/// The result of one check.
struct Checked {
    name: String,
    /// `host` or `boot`.
    layer: &'static str,
    took: Duration,
    /// What to paste to get the same.
    command: String,
    /// Nothing if it passed.
    differences: Vec<String>,
}

impl Checked {
    fn passed(&self) -> bool {
        self.differences.is_empty()
    }

    /// What people see.
    fn text(&self) -> String {
        let verdict = if self.passed() { "ok    " } else { "FAILED" };
        let mut text = format!("{verdict} {} {} ({:.1} s)", self.layer, self.name, self.took.as_secs_f32());
        for difference in &self.differences {
            // Writing to a text does not fail.
            let _ = write!(text, "\n       {}", difference.replace('\n', "\n       "));
        }
        if !self.passed() {
            let _ = write!(text, "\n       {}", self.command.replace('\n', "\n       "));
        }
        text
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "layer": self.layer,
            "result": if self.passed() { "pass" } else { "fail" },
            "seconds": self.took.as_secs_f32(),
            "command": self.command,
            "differences": self.differences,
        })
    }
}

/// Runs what was asked for; the kind says how it went as a whole.
///
/// # Errors
///
/// Something that the checks need is not there, or no test has a name that was asked for.
pub(crate) fn command(options: &TestArgs) -> Result<Kind, Stop> {
    let paths = Paths::read()?;
    let (mut topologies, malformed) = wanted(Topology::all(&topology::directory())?, options, &paths);
    let with_host = options.filters.is_empty() && !options.boot_only;
    if topologies.is_empty() && malformed.is_empty() && !with_host && !options.host_only {
        return Err(Stop::usage("no boot test has such a name; --list shows all"));
    }
    if options.list {
        list(if with_host { &HOST_CHECKS } else { &[] }, &topologies, &malformed);
        return Ok(Kind::Pass);
    }
    let needs_firmware = topologies.iter().any(|topology| topology.firmware.is_uefi());
    let needs = if options.host_only { 2 } else { 3 + usize::from(needs_firmware) };
    setup::provide(&setup::EVERYTHING[..needs], &options.common)?;
    let only_json = options.json.as_deref() == Some(Path::new("-"));
    let say = |text: &str| if only_json { eprintln!("{text}") } else { println!("{text}") };

    let mut results = Vec::new();
    for check in HOST_CHECKS.iter().filter(|_| with_host) {
        let checked = run_host_check(check)?;
        say(&checked.text());
        results.push(checked);
    }
    for checked in malformed.into_iter().map(of_malformed) {
        say(&checked.text());
        results.push(checked);
    }
    let mut left_out = 0;
    if !topologies.is_empty() {
        let program = program(options);
        let has = qemu::machine_options(&program).with_context(|| format!("{program} cannot be started"))?;
        topologies.retain(|topology| {
            let missing = topology.needs.as_ref().filter(|option| !has.contains(*option));
            if let Some(option) = missing {
                say(&format!("left out boot {}: this QEMU has no -M virt,{option}=", topology.name));
                left_out += 1;
            }
            missing.is_none()
        });
        let started = Instant::now();
        let mut keep = |checked: Checked| {
            say(&checked.text());
            results.push(checked);
        };
        match image::build(options.common.verbose) {
            Ok(kernel) => boot_all(options, &topologies, &paths, &kernel, keep),
            Err(error) => keep(Checked {
                name: "image".into(),
                layer: "boot",
                took: started.elapsed(),
                command: image::command_line(),
                differences: vec![format!("{error:#}, so that nothing could be booted")],
            }),
        }
    }
    if run::interrupted() {
        return Err(Stop::unable("interrupted"));
    }
    if results.is_empty() {
        return Err(Stop::unable("nothing was left to run"));
    }
    let failed = results.iter().filter(|checked| !checked.passed()).count();
    let kind = if failed == 0 { Kind::Pass } else { Kind::Fail };
    if let Some(file) = &options.junit {
        write_junit(file, &results)?;
    }
    if let Some(file) = &options.json {
        let text = summary(&results, kind).to_string();
        if only_json {
            println!("{text}");
        } else {
            fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    let left_out = if left_out > 0 { format!(", {left_out} left out") } else { String::new() };
    say(&format!("{} passed, {failed} failed{left_out}", results.len() - failed));
    Ok(kind)
}

/// The topologies that the options ask for, and those of them whose files are malformed.
fn wanted(
    all: Vec<Result<Topology, Malformed>>,
    options: &TestArgs,
    paths: &Paths,
) -> (Vec<Topology>, Vec<Malformed>) {
    let is_wanted = |name: &str| {
        !options.host_only
            && (options.filters.is_empty() || options.filters.iter().any(|word| name.contains(word)))
    };
    let (mut topologies, mut malformed) = (Vec::new(), Vec::new());
    for one in all {
        match one {
            Ok(topology) => {
                topologies
                    .extend(topology.on_all_routes(paths).into_iter().filter(|route| is_wanted(&route.name)));
            }
            Err(error) if is_wanted(&error.name) => malformed.push(error),
            _ => (),
        }
    }
    (topologies, malformed)
}

fn of_malformed(malformed: Malformed) -> Checked {
    Checked {
        command: format!("cargo xtask qemu --topology {}", malformed.name),
        name: malformed.name,
        layer: "boot",
        took: Duration::ZERO,
        differences: vec![malformed.why],
    }
}

fn list(checks: &[HostCheck], topologies: &[Topology], malformed: &[Malformed]) {
    for check in checks {
        println!("host {}: cargo {}", check.name, output::shell_line(check.arguments));
    }
    for topology in topologies {
        println!("boot {}: {}", topology.name, topology.probes);
    }
    for one in malformed {
        println!("boot {}: {}", one.name, one.why.replace('\n', " "));
    }
}

fn run_host_check(check: &HostCheck) -> Result<Checked, Stop> {
    let started = Instant::now();
    let mut cargo = Command::new(output::cargo());
    cargo.args(check.arguments).current_dir(output::workspace()).env("RUSTDOCFLAGS", STRICT);
    // What is said is kept, and colours are for terminals.
    cargo.env("CARGO_TERM_COLOR", "never").env("TERM", "dumb");
    output::announce(&cargo);
    let done = cargo.output().context("cargo cannot be started")?;
    let said = [done.stdout, done.stderr].concat();
    let differences = (!done.status.success())
        .then(|| format!("{}\n{}", done.status, String::from_utf8_lossy(&said).trim_end()))
        .into_iter()
        .collect();
    let strict = if check.arguments[0] == "doc" { format!("RUSTDOCFLAGS={STRICT} ") } else { String::new() };
    Ok(Checked {
        name: check.name.into(),
        layer: "host",
        took: started.elapsed(),
        command: format!("{strict}cargo {}", output::shell_line(check.arguments)),
        differences,
    })
}

fn program(options: &TestArgs) -> String {
    options.common.qemu.as_ref().map_or(setup::QEMU.into(), |path| boot::absolute(path))
}

/// Boots every topology, some at a time, and hands over each result as it comes.
fn boot_all(
    options: &TestArgs,
    topologies: &[Topology],
    paths: &Paths,
    kernel: &Kernel,
    mut done: impl FnMut(Checked),
) {
    let program = program(options);
    let deadline = Duration::from_secs(options.timeout);
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            let sender = sender.clone();
            scope.spawn(|| {
                let sender = sender;
                while let Some(topology) = topologies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if run::interrupted()
                        || sender.send(boot_one(topology, paths, &program, kernel, deadline)).is_err()
                    {
                        break;
                    }
                }
            });
        }
        drop(sender);
        results.iter().for_each(&mut done);
    });
}

fn boot_one(
    topology: &Topology,
    paths: &Paths,
    program: &str,
    kernel: &Kernel,
    deadline: Duration,
) -> Checked {
    let started = Instant::now();
    let boot = Boot::of_topology(topology, program);
    let differences = match expected_answers(topology, paths) {
        Err(error) => vec![format!("{error:#}")],
        Ok(answers) => {
            match boot.run(kernel, Some(topology.timeout.map_or(deadline, Duration::from_secs)), false) {
                Ok(outcome) => {
                    let mut found = judge::differences_from_any(&outcome, &topology.expect, &answers);
                    let run = &outcome.report.run;
                    found.extend(run_difference("firmware", topology.firmware.word(), &run.firmware));
                    found.extend(run_difference("path", topology.path.word(), &run.path));
                    // A kernel that does not understand an order says so instead.
                    if run.order != topology.order && topology.expect.result != Kind::Error {
                        found.push(format!("order: expected {:?}, is {:?}", topology.order, run.order));
                    }
                    found
                }
                Err(stop) => vec![format!("{}: {}", stop.kind.word(), stop.message)],
            }
        }
    };
    Checked {
        name: topology.name.clone(),
        layer: "boot",
        took: started.elapsed(),
        command: boot.shell_lines(kernel).join("\n"),
        differences,
    }
}

/// What differs if the kernel ran otherwise than meant; a run without a report does not say.
fn run_difference(what: &str, meant: &str, is: &str) -> Option<String> {
    (is != meant && !is.is_empty()).then(|| format!("{what}: expected {meant}, is {is}"))
}

/// What Linux answers for the machine: several answers if it varies, and our own path must not. None if it is not
/// compared.
fn expected_answers(topology: &Topology, paths: &Paths) -> anyhow::Result<Vec<Answer>> {
    let by_tables = topology.firmware.is_acpi();
    let linux = paths.linux(topology.path);
    match &topology.expect.linux {
        None => Ok(Vec::new()),
        Some(machine) if topology.path == ProbePath::Fixed => {
            Ok(vec![Answer::read_any(machine, by_tables, linux)?])
        }
        Some(machine) => Ok(Answer::read(machine, by_tables, linux)?.alternatives()),
    }
}

/// Results for scripts.
fn summary(results: &[Checked], kind: Kind) -> Value {
    let failed = results.iter().filter(|checked| !checked.passed()).count();
    json!({
        "schema": "iogroups-test/1",
        "result": kind.word(),
        "exit_status": kind.exit_status(),
        "passed": results.len() - failed,
        "failed": failed,
        "tests": results.iter().map(Checked::to_json).collect::<Vec<_>>(),
    })
}

/// Results for continuous integration.
fn write_junit(file: &Path, results: &[Checked]) -> anyhow::Result<()> {
    let mut report = quick_junit::Report::new("iogroups");
    for layer in ["host", "boot"] {
        let mut suite = TestSuite::new(layer);
        for checked in results.iter().filter(|checked| checked.layer == layer) {
            let mut status = TestCaseStatus::success();
            if !checked.passed() {
                status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(checked.differences.first().cloned().unwrap_or_default());
                status.set_description(checked.text());
            }
            let mut case = TestCase::new(checked.name.clone(), status);
            case.set_time(checked.took);
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    let text = report.to_string()?;
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests;
