//! Time since reset, from the generic timer.
//!
//! The counter starts at zero when the machine is reset (in QEMU the virtual counter does; the head
//! sets its offset to zero), so it includes the time before the first instruction.

use aarch64_cpu::registers::{CNTFRQ_EL0, CNTVCT_EL0, Readable};

/// Microseconds since reset. Not inlined: an emulator translates one copy only.
#[must_use]
#[inline(never)]
pub fn micros() -> u64 {
    let ticks = CNTVCT_EL0.get();
    // Firmware sets the frequency; if it is zero, times are wrong but the division does not fail.
    let per_second = CNTFRQ_EL0.get().max(1);
    let rest = (ticks % per_second) * 1_000_000 / per_second;
    (ticks / per_second).wrapping_mul(1_000_000).wrapping_add(rest)
}

/// This clock as an argument for code that is generic over clocks.
#[derive(Clone, Copy, Debug)]
pub struct MachineClock;

impl viommu::Clock for MachineClock {
    fn now_us(&self) -> u64 {
        micros()
    }
}
