//! The CPU that runs this: its number, its affinity, and how it waits for another one.

use core::arch::asm;

use aarch64_cpu::registers::{MPIDR_EL1, Readable, TPIDR_EL1};
use addr::CpuAffinity;

/// Relaxes this CPU in a loop that waits for another one.
///
/// It executes `YIELD`, and not `ISB` as [`core::hint::spin_loop`] does: an emulator that runs its
/// CPUs in turn switches to the next one at `YIELD`; one that runs them in parallel continues at
/// once.
pub fn relax() {
    // SAFETY: A hint, without any effect on state. `nomem` is left out so that earlier accesses to
    // memory stay before it.
    unsafe { asm!("yield", options(nostack, preserves_flags)) };
}

/// The number of this CPU: 0 is the one that entered the image.
#[must_use]
pub fn this_cpu() -> usize {
    TPIDR_EL1.get() as usize
}

/// The affinity of this CPU.
#[must_use]
pub fn this_affinity() -> CpuAffinity {
    CpuAffinity::of_mpidr(MPIDR_EL1.get())
}
