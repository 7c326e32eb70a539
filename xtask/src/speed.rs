//! `cargo xtask speed`: what a boot costs beyond QEMU itself.
//!
//! The same QEMU command starts our kernel and an Image whose first instructions exit, in turn, so that
//! a busy machine slows both. The difference of the medians is our part, and QEMU's work for us. The other
//! routes to a description of the machine stand beside that of the device tree.
//!
//! Times differ from host to host, and from run to run. What does not is the code that QEMU translates and
//! the instructions that it executes ([`work`]), which have a budget ([`budget`]).

use std::fs;
use std::time::Duration;

use anyhow::Context;
use report::Firmware;
use serde_json::json;

use crate::boot::Boot;
use crate::cli::SpeedArgs;
use crate::image::{self, Binary, Kernel};
use crate::outcome::{Kind, Stop};
use crate::output;
use crate::program;
use crate::run::Log;
use crate::setup::{self, Need};
use crate::topology::Topology;

pub(crate) mod budget;
pub(crate) mod map;
mod work;

use work::Work;

/// Boots of each Image on each route.
const BOOTS: usize = 10;

/// The routes, the one that the others are compared with first.
const ROUTES: [Firmware; 4] = [Firmware::Dt, Firmware::Acpi, Firmware::UefiDt, Firmware::UefiAcpi];

/// Times of one Image, sorted.
struct Times(Vec<Duration>);

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    /// In milliseconds; of an even number, the mean of the two in the middle.
    fn median(&self) -> f64 {
        let (low, high) = (self.0[(self.0.len() - 1) / 2], self.0[self.0.len() / 2]);
        (low + high).as_secs_f64() * 500.0
    }

    fn text(&self) -> String {
        let milliseconds = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
        let [first, last] = [self.0.first(), self.0.last()].map(milliseconds);
        format!("{:8.1} ms, median of {} ({first:.1} to {last:.1})", self.median(), self.0.len())
    }
}

/// Measures and prints.
///
/// # Errors
///
/// Something is missing, or a boot does not end as it must.
pub(crate) fn command(options: &SpeedArgs) -> Result<(), Stop> {
    if options.map {
        return map::command(options);
    }
    let program = program::qemu(options.common.qemu.as_deref());
    let topology = Topology::find(&options.topology).map_err(|error| Stop::usage(format!("{error:#}")))?;
    setup::provide(&[Need::Target, Need::Qemu, Need::Firmware], &options.common)?;
    let kernel = image::build(Binary::Main, options.common.verbose)?;
    let place = tempfile::tempdir().context("no directory for the Image")?;
    let floor = Kernel { elf: kernel.elf.clone(), image: place.path().join("floor.Image") };
    fs::write(&floor.image, image::that_exits()).context("cannot write the Image that exits")?;
    let usual = Boot::of_topology(&topology, &program)?;
    let boot_by = |firmware: Firmware| {
        let mut boot = usual.clone();
        boot.start.firmware = firmware;
        boot
    };
    let bare = boot_by(Firmware::Dt);
    let deadline = Duration::from_secs(options.timeout);
    let routes = ROUTES.map(boot_by);
    for route in &routes {
        // Times of a kernel that fails say nothing. This also fills the host's caches.
        let first = route.run(&kernel, Some(deadline), &Log::Hidden)?;
        if first.kind != Kind::Pass {
            return Err(Stop { kind: first.kind, message: first.report.to_string() });
        }
    }
    let mut floors = Vec::new();
    let mut times = ROUTES.map(|_| Vec::new());
    for _ in 0..BOOTS {
        floors.push(bare.time(&floor, deadline)?);
        for (route, times) in routes.iter().zip(&mut times) {
            times.push(route.time(&kernel, deadline)?);
        }
    }
    let mut works = Vec::new();
    for route in budget::ROUTES {
        works.push((route.word(), Work::measure(&boot_by(route), &kernel, deadline)?));
    }
    let (floors, times) = (Times::of(floors), times.map(Times::of));
    let [dt, ..] = &times;
    let line = json!({
        "schema": "iogroups-speed/1",
        "topology": topology.name,
        "boots": BOOTS,
        "kernel_ms": dt.median(),
        "floor_ms": floors.median(),
        "ratio": dt.median() / floors.median(),
        "routes": ROUTES.iter().zip(&times).map(|(route, times)| {
            json!({
                "firmware": route.word(),
                "ms": times.median(),
                "to_floor": times.median() / floors.median(),
                "to_dt": times.median() / dt.median(),
            })
        }).collect::<Vec<_>>(),
        "work": works.iter().map(|(route, work)| json!({"firmware": route, "work": work})).collect::<Vec<_>>(),
        "exit_status": Kind::Pass.exit_status(),
    });
    if output::is_only_json(options.json.as_deref()) {
        println!("{line}");
        return Ok(());
    }
    println!("{:10} {}", "floor", floors.text());
    for (route, times) in ROUTES.iter().zip(&times) {
        let (to_floor, to_dt) = (times.median() / floors.median(), times.median() / dt.median());
        println!("{:10} {}; {to_floor:.2} of the floor, {to_dt:.2} of dt", route.word(), times.text());
    }
    for (route, Work { translated, blocks, executed_thousand }) in &works {
        println!(
            "{route:10} {translated} guest instructions in {blocks} blocks translated, {executed_thousand} thousand executed"
        );
    }
    match &options.json {
        Some(file) => fs::write(file, format!("{line}\n"))
            .with_context(|| format!("cannot write {}", file.display()))
            .map_err(Stop::from),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_depend_on_order_or_on_one_slow_run() {
        let times = |list: &[u64]| Times::of(list.iter().map(|&ms| Duration::from_millis(ms)).collect());
        assert!((times(&[900, 10, 12]).median() - 12.0).abs() < 1e-9);
        assert!((times(&[14, 900, 10, 12]).median() - 13.0).abs() < 1e-9);
    }
}
