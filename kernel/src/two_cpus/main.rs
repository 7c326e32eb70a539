//! The image for two CPUs: the boot of the main image, and the features that need a second CPU.
//!
//! It binds drivers on the second CPU (`binds=`), tests whether both run at the same time (`smp-test=`), and runs a
//! scenario on both (`race=`). The second CPU is started when the first of these needs it, never by default.

#![no_std]
#![no_main]

extern crate alloc;

mod binds;
mod confined;
mod error;
mod lock;
mod on_demand;
mod options;
mod race;
mod report;
mod rounds;
mod second_cpu;
mod self_test;

use alloc::format;

use boot::Handover;
use kernel::{HandedOver, Run, summary};

use self::error::TwoCpuError;
use self::on_demand::OnDemand;
use self::options::TwoCpuOptions;

boot::entry!(kernel_main, second_cpu::main, kernel::report_exception);

fn kernel_main(handover: Handover) -> ! {
    let (mut run, handed_over) = Run::begin(handover);
    let options = TwoCpuOptions::parse(&run.options.two_cpu_words, &mut run.report.warnings);
    let outcome = probe_machine(&mut run, handed_over, &options);
    run.end(outcome)
}

/// As in the main image, with the additional `options`.
fn probe_machine(run: &mut Run, handed_over: HandedOver, options: &TwoCpuOptions) -> Result<(), TwoCpuError> {
    let described = run.describe(handed_over)?;
    let mut second_cpu = OnDemand::new(&described.description);
    let hardware = run.enumerate(&described);
    let mut probing = run.prepare(&hardware, described.map)?;
    if options.binds_on_second_cpu {
        let cpu = second_cpu.cpu("binds=second-cpu")?;
        let did = binds::run(cpu, &mut probing, options.seed, &mut run.report.warnings)?;
        summary::add_findings(&mut run.report, &[did]);
    } else {
        probing.take_steps(&mut run.report);
    }
    probing.take_late_steps(&mut run.report);
    probing.finish(&mut run.report);

    if let Some(pieces) = options.smp_test {
        let cpu = second_cpu.cpu(&format!("smp-test={pieces}"))?;
        report::add_self_test(&mut run.report, self_test::run(cpu, pieces)?);
    }
    if let Some(file) = &options.race_file {
        let cpu = second_cpu.cpu(&format!("race={file}"))?;
        report::add_race(&mut run.report, race::run(cpu, file, run.options.path, options)?);
    }
    Ok(())
}
