//! Time since reset, from the generic timer.
//!
//! The counter starts at zero when the machine is reset (QEMU does so for the virtual counter; the head
//! sets its offset to zero), so it also shows how long the way to the first instruction took.

use aarch64_cpu::registers::{CNTFRQ_EL0, CNTVCT_EL0, Readable};

/// Microseconds since reset.
#[must_use]
pub fn micros() -> u64 {
    let ticks = CNTVCT_EL0.get();
    // Firmware sets the frequency; a zero would only make all times wrong, not divide by it.
    let per_second = CNTFRQ_EL0.get().max(1);
    let rest = (ticks % per_second) * 1_000_000 / per_second;
    (ticks / per_second).wrapping_mul(1_000_000).wrapping_add(rest)
}

/// This clock, for those that measure by whatever clock they are given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MachineClock;

impl viommu::Clock for MachineClock {
    fn now_us(&self) -> u64 {
        micros()
    }
}
