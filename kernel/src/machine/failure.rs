//! The end of a run because of a defect in the kernel: a panic, or an unexpected exception.
//!
//! Both may interrupt code that holds a lock or uses the heap, so they use neither the heap nor a
//! lock without a deadline. The first CPU that fails reports the failure and ends the run; another
//! CPU that fails meanwhile waits for that.

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

/// A prefix with the failing CPU's number; empty for CPU 0.
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
        // The first report did not complete: print one more line, without the parts that may have
        // failed.
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
    // The address in the image's ELF file, and that of the caller.
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
