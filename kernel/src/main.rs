//! The main image: from reset to the report of IOMMU groups.
//!
//! [`probe_machine`] is the sequence of steps; each is a function of [`Run`] or
//! [`kernel::Probing`].

#![no_std]
#![no_main]

use core::mem;

use boot::Handover;
use kernel::{Error, HandedOver, Run};

boot::entry!(kernel_main, kernel::park, kernel::report_exception);

fn kernel_main(handover: Handover) -> ! {
    let (mut run, handed_over) = Run::begin(handover);
    let outcome = probe_machine(&mut run, handed_over);
    run.end(outcome)
}

/// From the description to the groups. After an error, the report contains everything found until
/// then.
fn probe_machine(run: &mut Run, handed_over: HandedOver) -> Result<(), Error> {
    run.options.refuse_full_image_words()?;
    let mut described = run.describe(handed_over)?;
    let hardware = run.enumerate(&mut described);
    let mut probing = run.prepare(&hardware, described.map)?;
    probing.take_steps(&mut run.report);
    probing.take_late_steps(&mut run.report);
    probing.finish(&mut run.report);
    // The run is over: freeing it piece by piece would only cost time.
    mem::forget(described.description);
    Ok(())
}
