//! The image: from reset to the report of IOMMU groups.
//!
//! [`kernel_main`] reads as the story; each step is a module of its own. What touches the machine is in
//! [`machine`]; what thinks about it is in the crates below this one, which run on a host as well.

#![no_std]
#![no_main]

extern crate alloc;

mod drivers;
mod hardware;
mod input;
mod machine;
mod output;
mod probing;
mod two_cpus;

use alloc::format;
use alloc::string::{String, ToString};
use core::mem;

use boot::Handover;
use pci::Policy;
use probe::Core;
use report::{Report, Run};

use crate::drivers::Iommus;
use crate::hardware::{Handle, Hardware};
use crate::input::description::{self, HandedOver};
use crate::input::options::Options;
use crate::machine::{console, power};
use crate::output::unanswered::Windows;
use crate::output::{event_log, summary};
use crate::probing::devices::{self, Devices};
use crate::probing::order::{self, Step};
use crate::probing::pending::PendingSteps;
use crate::two_cpus::{OnDemand, binds, race, self_test};

boot::entry!(kernel_main, machine::second_cpu::main, machine::failure::exception);

fn kernel_main(handover: Handover) -> ! {
    machine::init(&handover);
    let handed_over = description::handed_over(&handover);
    let options = Options::parse(&handed_over.command_line);
    console::set_report_channel(options.console);

    let mut report = Report::new(Run {
        firmware: description::route(&handover, &options).to_string(),
        path: options.path.to_string(),
        cmdline: handed_over.command_line.clone(),
        exception_level: handover.entry_exception_level,
        order: options.order.as_ref().map(ToString::to_string),
        ..Run::default()
    });
    log!("iogroups {}: entered at EL{}", env!("CARGO_PKG_VERSION"), handover.entry_exception_level);
    report.warnings.extend(handed_over.warnings.iter().chain(&options.warnings).cloned());
    summary::add_findings(&mut report, handed_over.console_absent.as_slice());
    let mut windows = Windows::default();
    if let Err(error) = probe_machine(&handover, handed_over, &options, &mut report, &mut windows) {
        log!("ERROR: {error}");
        report.error = Some(error);
    }
    summary::add_findings(&mut report, &windows.unanswered());

    summary::close(&mut report);
    console::write_report(&options.form.render(&report));
    power::end(report.exit_status())
}

/// From the device tree to the groups; what is known is in `report`, also after an error, and what has registers
/// where is in `windows`.
fn probe_machine(
    handover: &Handover,
    handed_over: HandedOver,
    options: &Options,
    report: &mut Report,
    windows: &mut Windows,
) -> Result<(), String> {
    if let Some(refused) = &options.refused {
        return Err(refused.clone());
    }
    let described = description::chosen(handover, handed_over.start, options)?;
    summary::add_description(report, &described.description);
    windows.add_description(&described.description);
    summary::add_findings(report, &description::use_memory(handover, handed_over.memory, &described));

    let buses = Policy { virtual_functions: options.virtual_functions, ..described.buses };
    let hardware = Hardware::enumerate(
        &described.description,
        &*described.map,
        &buses,
        &options.config_acs,
        options.path,
    );
    summary::add_hardware(report, &hardware);
    windows.add_functions(&hardware.topology);

    event_log::policy(options);
    let iommus = Iommus::default();
    let (mut core, found) = devices::machine(&hardware, described.map, options);
    let Devices { first: mut steps, mut virtual_functions } = found;
    steps.extend(drivers::all(&hardware, &iommus, options.path).into_iter().map(Step::Register));
    options.drivers.apply(&mut steps, &mut core)?;
    if let Some(order) = &options.order {
        steps.append(&mut virtual_functions);
        steps = order.arrange(steps)?;
        log!("order: {}", order::names(&steps));
    }
    let mut pending = PendingSteps::new(&hardware, &options.drivers.late);
    let mut second_cpu = OnDemand::new(&described.description);
    if options.binds_on_second_cpu {
        let cpu = second_cpu.cpu("binds=second-cpu")?;
        let steps = steps.into_iter().filter_map(|step| pending.pass(step, &core)).collect();
        let did = binds::run(cpu, &mut core, &hardware, steps, options.seed, &mut report.warnings)?;
        summary::add_findings(report, &[did]);
    } else {
        for step in steps {
            if let Some(step) = pending.pass(step, &core) {
                step.take(&mut core);
            }
            run(&mut core, &hardware, &mut pending, report);
            if options.order.is_some() {
                // Between any two steps too, everything must be as it should.
                core.settle();
            }
        }
    }
    settle(&mut core, &hardware, &mut pending, report);
    for step in virtual_functions {
        if let Some(step) = pending.pass(step, &core) {
            step.take(&mut core);
        }
        run(&mut core, &hardware, &mut pending, report);
    }
    settle(&mut core, &hardware, &mut pending, report);
    core.expire_deferrals();
    settle(&mut core, &hardware, &mut pending, report);
    for step in pending.drivers() {
        step.take(&mut core);
        settle(&mut core, &hardware, &mut pending, report);
    }

    summary::add_core(report, &core, &hardware, &iommus);
    if let Some(pieces) = options.smp_test {
        let cpu = second_cpu.cpu(&format!("smp-test={pieces}"))?;
        summary::add_two_cpus(report, self_test::run(cpu, pieces)?);
    }
    if let Some(file) = &options.race_file {
        let cpu = second_cpu.cpu(&format!("race={file}"))?;
        summary::add_race(report, race::run(cpu, file, options)?);
    }
    // The run is over. Taking everything down in order, which resets every device, would only cost time.
    mem::forget((core, hardware, iommus));
    Ok(())
}

/// Does everything that is queued, and adds the functions of host bridges that it has bound.
fn run(core: &mut Core<Handle>, hardware: &Hardware, pending: &mut PendingSteps, report: &mut Report) {
    loop {
        event_log::run(core, hardware, &mut report.warnings);
        let functions = pending.functions(core);
        if functions.is_empty() {
            return;
        }
        for step in functions {
            step.take(core);
        }
    }
}

/// As [`run`], and checks the invariants that hold at rest.
fn settle(core: &mut Core<Handle>, hardware: &Hardware, pending: &mut PendingSteps, report: &mut Report) {
    run(core, hardware, pending, report);
    core.settle();
}
