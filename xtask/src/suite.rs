//! `cargo xtask test`: every check in one list, each with a name, a verdict and, if it failed, the
//! exact command and what differs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::boot::{self, Boot};
use crate::capabilities::Capabilities;
use crate::cli::{DamageArgs, ProbePath, TestArgs};
use crate::damage;
use crate::image::{self, Binary, Kernel, TARGET};
use crate::judge;
use crate::linux::Answer;
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::paths::Paths;
use crate::requirement::Requirement;
use crate::run;
use crate::setup;
use crate::speed::budget;
use crate::topology::{self, Expect, Malformed, Topology};
use crate::when::When;

mod checked;

use checked::{Checked, Layer, Verdict};

/// Boots with damage that the suite has, always the same ones; `cargo xtask damage` makes any number.
const DAMAGED_BOOTS: u64 = 150;

/// The name of that check.
const DAMAGED: &str = "damaged-descriptions";

/// The name of the check of what boots cost.
const BUDGET: &str = "budget";

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
const HOST_CHECKS: [HostCheck; 8] = [
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
    // A workspace of its own, which nothing else here compiles; without libFuzzer, stable Rust is enough.
    HostCheck {
        name: "lints of the fuzz targets",
        arguments: &[
            "clippy",
            "--quiet",
            "--manifest-path",
            "kernel/firmware/fuzz/Cargo.toml",
            "--target-dir",
            "target/fuzz",
            "--no-default-features",
            "--all-targets",
            "--",
            STRICT,
        ],
    },
    // `boot` is documented with the image: on a host, most of it is not there.
    HostCheck {
        name: "documentation",
        arguments: &[
            "doc",
            "--quiet",
            "--no-deps",
            "--workspace",
            "--exclude",
            "boot",
            "--exclude",
            "kernel",
        ],
    },
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

/// Runs what was asked for; the kind says how it went as a whole.
///
/// # Errors
///
/// Something that the checks need is not there, or no test has a name that was asked for.
pub(crate) fn command(options: &TestArgs) -> Result<Kind, Stop> {
    let paths = Paths::read()?;
    let (mut topologies, malformed) = wanted(Topology::all(&topology::directory())?, options, &paths);
    let with_host = options.filters.is_empty() && !options.boot_only;
    let (with_damage, with_budget) = (is_wanted(options, DAMAGED), is_wanted(options, BUDGET));
    let with_boots = !topologies.is_empty() || with_damage || with_budget;
    if !with_boots && malformed.is_empty() && !with_host && !options.host_only {
        return Err(Stop::usage("no boot test has such a name; --list shows all"));
    }
    if options.list {
        list(if with_host { &HOST_CHECKS } else { &[] }, &topologies, &malformed);
        if with_damage {
            println!(
                "boot {DAMAGED}: {DAMAGED_BOOTS} boots with damaged trees and tables end with a report or an error"
            );
        }
        if with_budget {
            println!(
                "boot {BUDGET}: a boot of the default machine costs no more than xtask/budget.toml grants"
            );
        }
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
    let mut qemu = None;
    if !topologies.is_empty() {
        let suite = Suite::ask(options, &topologies, paths)?;
        say(&format!("QEMU {}", suite.qemu.version()));
        let mut keep = |checked: Checked| {
            say(&checked.text());
            results.push(checked);
        };
        topologies.retain(|topology| match suite.lacks(topology) {
            Some(reason) => {
                keep(Checked::skipped(topology.name.clone(), reason));
                false
            }
            None => true,
        });
        let started = Instant::now();
        let binaries = topologies.iter().map(|topology| suite.boot(topology).start.binary()).collect();
        match image::build_all(&binaries, options.common.verbose) {
            Ok(kernels) => suite.boot_all(&topologies, &kernels, keep),
            Err(error) => keep(Checked {
                name: "image".into(),
                layer: Layer::Boot,
                took: started.elapsed(),
                command: image::command_line(&binaries),
                verdict: Verdict::Failed(vec![format!("{error:#}, so that nothing could be booted")]),
            }),
        }
        qemu = Some(suite.qemu.version().to_owned());
    }
    if with_damage && !run::interrupted() {
        let checked = boot_damaged(options);
        say(&checked.text());
        results.push(checked);
    }
    if with_budget && !run::interrupted() {
        let checked = compare_with_budget(options);
        say(&checked.text());
        results.push(checked);
    }
    if run::interrupted() {
        return Err(Stop::unable("interrupted"));
    }
    let counts = checked::Counts::of(&results);
    if counts.passed + counts.failed == 0 {
        return Err(Stop::unable(format!("nothing was left to run{}", counts.reasons_text())));
    }
    let kind = if counts.failed == 0 { Kind::Pass } else { Kind::Fail };
    if let Some(file) = &options.junit {
        checked::write_junit(file, &results)?;
    }
    if let Some(file) = &options.json {
        let text = checked::summary(&results, qemu.as_deref(), kind).to_string();
        if only_json {
            println!("{text}");
        } else {
            fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    say(&counts.text());
    Ok(kind)
}

/// Whether the options ask for the boot of this name.
fn is_wanted(options: &TestArgs, name: &str) -> bool {
    !options.host_only
        && (options.filters.is_empty() || options.filters.iter().any(|word| name.contains(word)))
}

/// The topologies that the options ask for, and those of them whose files are malformed.
fn wanted(
    all: Vec<Result<Topology, Malformed>>,
    options: &TestArgs,
    paths: &Paths,
) -> (Vec<Topology>, Vec<Malformed>) {
    let is_wanted = |name: &str| is_wanted(options, name);
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
        layer: Layer::Boot,
        took: Duration::ZERO,
        verdict: Verdict::Failed(vec![malformed.why]),
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
        layer: Layer::Host,
        took: started.elapsed(),
        command: format!("{strict}cargo {}", output::shell_line(check.arguments)),
        verdict: Verdict::of(differences),
    })
}

/// Boots machines whose descriptions are damaged.
fn boot_damaged(options: &TestArgs) -> Checked {
    let damage = DamageArgs {
        common: options.common.clone(),
        seed: 1,
        boots: DAMAGED_BOOTS,
        only: None,
        topology: Vec::new(),
        firmware: Vec::new(),
        jobs: AT_A_TIME as u16,
        json: None,
        timeout: options.timeout,
    };
    let started = Instant::now();
    let kernel = image::build(Binary::Main, options.common.verbose).map_err(Stop::from);
    let checked = kernel.and_then(|kernel| damage::check(&damage, &kernel));
    let differences = checked.unwrap_or_else(|stop| vec![format!("{}: {}", stop.kind.word(), stop.message)]);
    Checked {
        name: DAMAGED.into(),
        layer: Layer::Boot,
        took: started.elapsed(),
        command: format!("cargo xtask damage --seed 1 --boots {DAMAGED_BOOTS}"),
        verdict: Verdict::of(differences),
    }
}

/// Compares what boots of the default machine cost with the budget.
fn compare_with_budget(options: &TestArgs) -> Checked {
    let started = Instant::now();
    let program = options.common.qemu.as_ref().map_or(setup::QEMU.into(), |path| boot::absolute(path));
    let deadline = Duration::from_secs(options.timeout);
    let kernel = image::build(Binary::Main, options.common.verbose).map_err(Stop::from);
    let verdict = match kernel.and_then(|kernel| budget::check(&program, &kernel, deadline)) {
        Ok(budget::Checked::Compared(over)) => Verdict::of(over),
        Ok(budget::Checked::Skipped(reason)) => Verdict::Skipped(reason),
        Err(stop) => Verdict::Failed(vec![format!("{}: {}", stop.kind.word(), stop.message)]),
    };
    let (name, command) = (BUDGET.into(), "cargo xtask speed".into());
    Checked { name, layer: Layer::Boot, took: started.elapsed(), command, verdict }
}

/// The binaries that the boots of a run need.
type Kernels = BTreeMap<Binary, Kernel>;

/// What every boot of a run shares.
struct Suite {
    program: String,
    qemu: Capabilities,
    /// Changes of what is expected that every topology is subject to.
    changes: Vec<When>,
    paths: Paths,
    deadline: Duration,
    /// Where every report is kept.
    reports: Option<PathBuf>,
}

impl Suite {
    /// Asks QEMU about all that the topologies require of it.
    fn ask(options: &TestArgs, topologies: &[Topology], paths: Paths) -> anyhow::Result<Self> {
        let program = options.common.qemu.as_ref().map_or(setup::QEMU.into(), |path| boot::absolute(path));
        let changes = When::of_all()?;
        let of_changes = changes.iter().chain(topologies.iter().flat_map(|topology| &topology.when));
        let stated: Vec<&Requirement> = of_changes.flat_map(When::requirements).collect();
        let needed: Vec<Requirement> = topologies.iter().flat_map(Topology::requirements).collect();
        let types = stated.into_iter().chain(&needed).filter_map(Requirement::type_name);
        let qemu = Capabilities::ask(&program, &types.collect::<BTreeSet<_>>())?;
        if let Some(directory) = &options.reports {
            fs::create_dir_all(directory)
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        let (deadline, reports) = (Duration::from_secs(options.timeout), options.reports.clone());
        Ok(Self { program, qemu, changes, paths, deadline, reports })
    }

    /// Why this QEMU cannot make a topology's machine.
    fn lacks(&self, topology: &Topology) -> Option<String> {
        topology.requirements().iter().find_map(|requirement| self.qemu.lacks(requirement))
    }

    /// Boots every topology, some at a time, and hands over each result as it comes.
    fn boot_all(&self, topologies: &[Topology], kernels: &Kernels, mut done: impl FnMut(Checked)) {
        let (alone, together): (Vec<_>, Vec<_>) = topologies.iter().partition(|topology| topology.alone);
        self.boot_at_a_time(AT_A_TIME, &together, kernels, &mut done);
        self.boot_at_a_time(1, &alone, kernels, &mut done);
    }

    fn boot_at_a_time(
        &self,
        at_a_time: usize,
        topologies: &[&Topology],
        kernels: &Kernels,
        done: &mut impl FnMut(Checked),
    ) {
        let next = AtomicUsize::new(0);
        let (sender, results) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..at_a_time {
                let sender = sender.clone();
                scope.spawn(|| {
                    let sender = sender;
                    while let Some(topology) = topologies.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if run::interrupted() || sender.send(self.boot_one(topology, kernels)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            results.iter().for_each(done);
        });
    }

    /// The boot of a topology.
    fn boot(&self, topology: &Topology) -> Boot {
        Boot::of_topology(topology, &self.program)
    }

    fn boot_one(&self, topology: &Topology, kernels: &Kernels) -> Checked {
        let started = Instant::now();
        let boot = self.boot(topology);
        let kernel = &kernels[&boot.start.binary()];
        let differences = self.differences(topology, &boot, kernel).unwrap_or_else(|error| vec![error]);
        Checked {
            name: topology.name.clone(),
            layer: Layer::Boot,
            took: started.elapsed(),
            command: boot.shell_lines(kernel).join("\n"),
            verdict: Verdict::of(differences),
        }
    }

    /// What is expected on this QEMU, and why that is not what is expected on every one.
    fn expected<'a>(&'a self, topology: &'a Topology, boot: &Boot) -> anyhow::Result<(Expect, Vec<&'a str>)> {
        let route = (topology.firmware, topology.path);
        let tree = || boot.own_tree();
        let (mut expect, of_all) =
            When::expected(&self.changes, topology.expect.clone(), route, &self.qemu, tree)?;
        if expect.result == Kind::Error {
            // A run that ends early may not have seen what every machine has.
            let added = expect.findings.split_off(topology.expect.findings.len());
            expect.tolerated.extend(added);
        }
        let (expect, own) = When::expected(&topology.when, expect, route, &self.qemu, tree)?;
        Ok((expect, [of_all, own].concat()))
    }

    /// Boots once; what differs from what is expected, or why there is nothing to compare.
    fn differences(&self, topology: &Topology, boot: &Boot, kernel: &Kernel) -> Result<Vec<String>, String> {
        let (expect, reasons) = self.expected(topology, boot).map_err(|error| format!("{error:#}"))?;
        let answers =
            expected_answers(topology, &expect, &self.paths).map_err(|error| format!("{error:#}"))?;
        let deadline = topology.timeout.map_or(self.deadline, Duration::from_secs);
        let outcome = boot.run(kernel, Some(deadline), false);
        let outcome = outcome.map_err(|stop| format!("{}: {}", stop.kind.word(), stop.message))?;
        if let Some(directory) = &self.reports {
            let file = directory.join(format!("{}.json", topology.name));
            let written =
                outcome.to_json().map_err(io::Error::from).and_then(|text| fs::write(&file, text + "\n"));
            written.map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        }
        let mut found = judge::differences_from_any(&outcome, &expect, &answers);
        let run = &outcome.report.run;
        found.extend(run_difference("firmware", topology.firmware.word(), &run.firmware));
        found.extend(run_difference("path", topology.path.word(), &run.path));
        // A kernel that does not understand an order says so instead.
        if run.order != topology.order && expect.result != Kind::Error {
            let [expected, is] =
                [&topology.order, &run.order].map(|order| order.as_deref().unwrap_or("Linux's"));
            found.push(format!("order: expected {expected}, is {is}"));
        }
        if !found.is_empty() {
            found.extend(reasons.iter().map(|why| format!("the expectation is that for this QEMU: {why}")));
        }
        Ok(found)
    }
}

/// What differs if the kernel ran otherwise than meant; a run without a report does not say.
fn run_difference(what: &str, meant: &str, is: &str) -> Option<String> {
    (is != meant && !is.is_empty()).then(|| format!("{what}: expected {meant}, is {is}"))
}

/// What Linux answers for the machine: several answers if it varies, and our own path must not. None if it is not
/// compared.
pub(crate) fn expected_answers(
    topology: &Topology,
    expect: &Expect,
    paths: &Paths,
) -> anyhow::Result<Vec<Answer>> {
    let by_tables = topology.firmware.is_acpi();
    let linux = paths.linux(topology.path);
    match &expect.linux {
        None => Ok(Vec::new()),
        Some(machine) if topology.path == ProbePath::Fixed => {
            Ok(vec![Answer::read_any(machine, by_tables, linux)?])
        }
        Some(machine) => Ok(Answer::read(machine, by_tables, linux)?.alternatives()),
    }
}

#[cfg(test)]
mod tests;
