//! The full image: the boot of the main image, and everything that a minimal boot does not need.
//!
//! `two_cpus` binds drivers on the second CPU (`binds=`), tests whether both CPUs run at the same time (`smp-test=`), and
//! runs a scenario on both (`race=`). The second CPU is started when the first of these needs it, never by default.
//!
//! `operations` changes devices and groups after the boot (`then=`), and `hot_plug` adds and removes devices (`hotplug=`). `dma` transfers data with the devices of the machine
//! after that (`dma=on`), and `map_speed` measures mappings (`map-speed=`). `suite` tests devices of the machine after
//! the groups have been reported (`suite=`).

#![no_std]
#![no_main]

extern crate alloc;

mod deadline;
mod dma;
mod error;
mod explain;
mod hot_plug;
mod map_speed;
mod memory_routines;
mod operations;
mod options;
mod suite;
mod two_cpus;
mod value_error;

use alloc::format;
use core::mem;

use boot::Handover;
use kernel::{HandedOver, Run, summary};

use self::dma::isolation::before_attach::{self, Cases};
use self::error::FullError;
use self::operations::operation::Operation;
use self::options::FullOptions;
use self::two_cpus::on_demand::OnDemand;
use self::two_cpus::{binds, race, results, second_cpu, self_test};

boot::entry!(kernel_main, second_cpu::main, kernel::report_exception);

fn kernel_main(handover: Handover) -> ! {
    let (mut run, handed_over) = Run::begin(handover);
    let options = FullOptions::parse(&run.options.full_words);
    let outcome =
        options.map_err(Into::into).and_then(|options| probe_machine(&mut run, handed_over, &options));
    run.end(outcome)
}

/// As in the main image, with the additional `options`.
fn probe_machine(run: &mut Run, handed_over: HandedOver, options: &FullOptions) -> Result<(), FullError> {
    let two_cpus = &options.two_cpus;
    run.options.room_for_hot_plug = options.slot_changes.is_some();
    let mut described = run.describe(handed_over)?;
    let mut second_cpu = OnDemand::new(&described.description);
    let hardware = run.enumerate(&mut described);
    run.options.declined = options.declined;
    let mut probing = run.prepare(&hardware, described.map)?;
    if options.dma.is_some() || options.suite.has_isolation() {
        dma::drivers::all(&hardware, &probing.claims.clone()).for_each(|driver| probing.add_driver(driver));
    }
    let mut before_attach = Cases::default();
    if options.suite.has_isolation() {
        let (watch, cases) = before_attach::watch(&probing, options.mutation);
        probing.watch(Some(watch));
        before_attach = cases;
    }
    if two_cpus.binds_on_second_cpu {
        let cpu = second_cpu.cpu("binds=second-cpu")?;
        let did = binds::run(cpu, &mut probing, two_cpus.seed, &mut run.report.warnings)?;
        summary::add_findings(&mut run.report, &[did]);
    } else {
        probing.take_steps(&mut run.report);
    }
    probing.take_late_steps(&mut run.report);
    probing.watch(None);
    if let Some(list) = &options.operations {
        operations::run::run(&Operation::parse_list(list)?, &mut probing, &mut run.report)?;
    }
    let changed =
        options.slot_changes.map(|changes| hot_plug::run::run(changes, &mut probing, &mut run.report));
    if let Some(dma) = options.dma {
        dma::run::run(&probing, dma, options.mutation, &mut run.report)?;
    }
    if let Some(pairs) = options.map_speed {
        run.report.map_speed = Some(map_speed::run(&probing, pairs)?);
    }
    let explained = explain::facts(&probing, &options.explain, &mut run.report.warnings);
    probing.add_result(&mut run.report);
    explain::add(&mut run.report, explained);
    // Even if a change did not happen, the report has the groups.
    changed.transpose()?;
    suite::run(&options.suite, options.mutation, before_attach.take(), &mut probing, &mut run.report)?;
    // As in `Probing::finish`.
    mem::forget(probing);

    if let Some(pieces) = two_cpus.smp_test {
        memory_routines::check()?;
        let cpu = second_cpu.cpu(&format!("smp-test={pieces}"))?;
        results::add_self_test(&mut run.report, self_test::run(cpu, pieces)?);
    }
    if let Some(file) = &two_cpus.race_file {
        let cpu = second_cpu.cpu(&format!("race={file}"))?;
        results::add_race(&mut run.report, race::run(cpu, file, run.options.path, two_cpus)?);
    }
    Ok(())
}
