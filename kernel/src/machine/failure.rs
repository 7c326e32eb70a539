//! The end of a run that went wrong by our own fault: a panic, or an exception that nobody expected.
//!
//! Both use neither the heap nor a lock without which they could not go on, as they may have come from inside of
//! one. The first CPU that fails is heard, and ends the run; another one that fails meanwhile waits for that.

use core::fmt;
use core::panic::PanicInfo;

use boot::cpu::this_cpu;
use boot::exception::Exception;
use boot::unanswered;

use super::first_failure::is_first;
use super::{console, power};
use crate::log;

/// Exit status of a run that could not be completed.
pub(crate) const STATUS_ERROR: u8 = 1;

/// Which CPU fails, if it is not the first one, which does not have to say so.
struct CpuPrefix;

impl fmt::Display for CpuPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match this_cpu() {
            0 => Ok(()),
            cpu => write!(f, "CPU {cpu}: "),
        }
    }
}

/// Reports an exception and ends the run as an error. Called by `boot`, on a stack for exceptions.
pub fn exception(exception: &Exception) -> ! {
    if !is_first() {
        // The first report was cut short: one line more, without what it may have stumbled over.
        log!(
            "ERROR: {CpuPrefix}{} while an error was reported, at {:#x}",
            exception.class_name(),
            exception.elr
        );
        power::end(STATUS_ERROR);
    }
    console::init_if_absent();
    if let Some(stack) = boot::memory::overflowed_stack(exception.far)
        && exception.fault_name().is_some()
    {
        log!("ERROR: {CpuPrefix}stack overflow: the {stack} is full");
    }
    if exception.is_unanswered_access() && unanswered::is_exhausted() {
        let at = exception.far;
        log!(
            "ERROR: {CpuPrefix}nothing answers at {at:#x}, as at {} accesses before, which is the limit",
            unanswered::LIMIT
        );
    }
    log!("ERROR: {CpuPrefix}{exception}");
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
    if is_first() {
        console::init_if_absent();
        log!("ERROR: {CpuPrefix}{info}");
    }
    power::end(STATUS_ERROR);
}
