//! `cargo xtask growth`: how the cost of a boot grows with the number of PCI functions.
//!
//! Each machine has twice the functions of the one before, until the number that was asked for or until QEMU does not
//! run the machine. The cost is the guest's instructions from reset to the report, counted by QEMU (`-icount`), so that
//! it is the same on every host. A function costs QEMU more time the more there are (QEMU 7.2 and 11.1 rebuild the
//! address spaces of all devices when one BAR is enabled); the time is printed, and not judged.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use crate::boot::Boot;
use crate::cli::GrowthArgs;
use crate::image::{self, Binary, Kernel};
use crate::interrupt;
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::program;
use crate::run::Log;
use crate::setup::{self, Need};
use crate::topology::Topology;

pub(crate) mod devices;

use devices::devices;

/// Functions of the first machine.
const FIRST: usize = 32;

/// What a further function may cost on the largest machine, in terms of what it costs on the first ones. Lists that
/// are searched for every function would exceed it after a few doublings.
const MOST_GROWTH: f64 = 1.5;

/// One machine that booted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Boots {
    /// PCI functions, without the host bridge and the IOMMU.
    functions: usize,
    groups: usize,
    /// Guest instructions from reset to the report.
    instructions: u64,
    /// Time of the whole QEMU run, in milliseconds.
    ms: u64,
}

impl Boots {
    /// Guest instructions for each function that it has more than `smaller`.
    fn per_function(self, smaller: Self) -> f64 {
        (self.instructions as f64 - smaller.instructions as f64) / (self.functions - smaller.functions) as f64
    }
}

/// The numbers of functions: each twice the one before, and the last the number that was asked for.
fn steps(most: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(FIRST), |functions| Some(functions * 2));
    doubled.take_while(|&functions| functions < most).chain([most]).collect()
}

/// How much more the last functions cost than the first ones; none if there are too few machines to tell.
fn growth(machines: &[Boots]) -> Option<f64> {
    let [first, second, .., before_last, last] = machines else { return None };
    Some(last.per_function(*before_last) / second.per_function(*first))
}

/// Boots the machines and prints a line for each.
///
/// # Errors
///
/// Something is missing, or a boot ends with anything but a report that passes.
pub(crate) fn command(options: &GrowthArgs) -> Result<Kind, Stop> {
    let program = program::qemu(options.common.qemu.as_deref());
    let mut needs = vec![Need::Target, Need::Qemu];
    needs.extend(options.firmware.is_uefi().then_some(Need::Firmware));
    setup::provide(&needs, &options.common)?;
    let kernel = image::build(Binary::Main, options.common.verbose)?;
    let only_json = output::is_only_json(options.json.as_deref());
    let say = |text: String| if only_json { eprintln!("{text}") } else { println!("{text}") };
    say(format!(
        "{:>9} {:>7} {:>13} {:>23} {:>9}",
        "functions", "groups", "instructions", "per further function", "time"
    ));
    let (mut machines, mut not_run) = (Vec::<Boots>::new(), None);
    for functions in steps(options.functions) {
        match boot_with(functions, options, &program, &kernel) {
            Ok(boots) => {
                let per = machines
                    .last()
                    .map_or("".into(), |&smaller| format!("{:.0}", boots.per_function(smaller)));
                let (ms, groups, instructions) = (boots.ms, boots.groups, boots.instructions);
                say(format!(
                    "{functions:>9} {groups:>7} {instructions:>13} {per:>23} {:>7.1} s",
                    ms as f64 / 1000.0
                ));
                machines.push(boots);
            }
            Err(stop) if machines.len() >= 4 && matches!(stop.kind, Kind::Timeout | Kind::Crash) => {
                say(format!(
                    "{functions:>9} this QEMU does not support this many functions: {}",
                    stop.message
                ));
                not_run = Some(functions);
                break;
            }
            Err(stop) => return Err(stop),
        }
        if interrupt::is_pending() {
            return Err(Stop::unable("interrupted"));
        }
    }
    let growth = growth(&machines);
    let kind = if growth.is_some_and(|growth| growth > MOST_GROWTH) { Kind::Fail } else { Kind::Pass };
    if let Some(growth) = growth {
        let word = if kind == Kind::Pass { "PASS" } else { "FAIL" };
        say(format!(
            "{word}: a further function costs {growth:.2} times what it costs on the first machines, at most {MOST_GROWTH} is expected"
        ));
    }
    let line = json!({
        "schema": "iogroups-growth/1",
        "firmware": options.firmware.word(),
        "machines": machines,
        "not_run": not_run,
        "growth": growth,
        "exit_status": kind.exit_status(),
    });
    output::results("", &line, options.json.as_deref())?;
    Ok(kind)
}

/// Boots the machine with this many functions.
fn boot_with(functions: usize, options: &GrowthArgs, program: &str, kernel: &Kernel) -> Result<Boots, Stop> {
    let topology = Topology::find("default").map_err(|error| Stop::usage(format!("{error:#}")))?;
    let mut boot = Boot::of_topology(&topology, program)?;
    boot.start.firmware = options.firmware;
    let fixed = ["-icount", "shift=0,sleep=off", "-device", "virtio-iommu-pci,addr=1"];
    boot.machine.devices = fixed.map(String::from).into_iter().chain(devices(functions)).collect();
    let started = Instant::now();
    let outcome = boot.run(kernel, Some(Duration::from_secs(options.timeout)), &Log::Hidden)?;
    let report = &outcome.report;
    if outcome.kind != Kind::Pass {
        return Err(Stop {
            kind: outcome.kind,
            message: report.error.clone().unwrap_or_else(|| report.to_string()),
        });
    }
    let groups = report.groups.len();
    // With `shift=0` each instruction takes a nanosecond.
    let (instructions, ms) = (report.timing_us.total * 1000, started.elapsed().as_millis() as u64);
    Ok(Boots { functions, groups, instructions, ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booted(functions: usize, instructions: u64) -> Boots {
        Boots { functions, groups: 0, instructions, ms: 0 }
    }

    #[test]
    fn the_last_machine_is_the_one_that_was_asked_for() {
        assert_eq!(steps(200), [32, 64, 128, 200]);
        assert_eq!(steps(32), [32]);
    }

    #[test]
    fn linear_cost_does_not_grow_and_quadratic_cost_does() {
        let machines = |cost: fn(u64) -> u64| {
            steps(512).into_iter().map(move |n| booted(n, cost(n as u64))).collect::<Vec<_>>()
        };
        let linear = growth(&machines(|n| 5_000_000 + 100_000 * n)).unwrap();
        assert!((linear - 1.0).abs() < 1e-9);
        assert!(growth(&machines(|n| 5_000_000 + 100_000 * n + 500 * n * n)).unwrap() > MOST_GROWTH);
    }
}
