//! The end of a run that went wrong by our own fault: a panic, or an exception that nobody expected.
//!
//! Both use neither the heap nor a lock, as they may have come from inside of one.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use boot::exception::Exception;

use super::{console, power};
use crate::log;

/// Exit status of a run that could not be completed.
pub(crate) const STATUS_ERROR: u8 = 1;

/// Whether a failure is being reported, so that a failure of that does not start again.
static FAILING: AtomicBool = AtomicBool::new(false);

/// Reports an exception and ends the run as an error. Called by `boot`, on a stack for exceptions.
pub(crate) fn exception(exception: &Exception) -> ! {
    if FAILING.swap(true, Ordering::Relaxed) {
        // The first report was cut short: one line more, without what it may have stumbled over.
        log!("ERROR: {} while an error was reported, at {:#x}", exception.class_name(), exception.elr);
        power::end(STATUS_ERROR);
    }
    console::init_if_absent();
    if let Some(stack) = boot::memory::overflowed_stack(exception.far)
        && exception.fault_name().is_some()
    {
        log!("ERROR: stack overflow: the {stack} is full");
    }
    log!("ERROR: {exception}");
    // Where the image's ELF file has the place, and the place that called it.
    for (register, address) in [("ELR", exception.elr), ("x30", exception.x[30])] {
        if let Some(offset) = boot::memory::code_offset(address) {
            log!("  {register} is at {offset:#x} in the image");
        }
    }
    power::end(STATUS_ERROR);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if boot::efi::is_in_boot_services() {
        boot::efi::abandon(format_args!("iogroups: ERROR: {info}"));
    }
    if !FAILING.swap(true, Ordering::Relaxed) {
        console::init_if_absent();
        log!("ERROR: {info}");
    }
    power::end(STATUS_ERROR);
}
