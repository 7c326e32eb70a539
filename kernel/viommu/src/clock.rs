//! Time, and how long the driver waits for the device.

/// How long the device may take to answer one request, in microseconds.
///
/// Generous on purpose: an emulated device answers in microseconds, but its host may be busy, and a
/// device that is declared dead by mistake loses all its groups.
pub const REQUEST_DEADLINE_US: u64 = 2_000_000;

/// How long the device may take to confirm a reset, in microseconds.
pub const RESET_DEADLINE_US: u64 = 2_000_000;

/// A monotonic clock, and a pause between two polls of the device.
pub trait Clock {
    /// Time since some fixed moment, in microseconds.
    fn now_us(&self) -> u64;

    /// Called between two polls of the device; must return soon.
    ///
    /// In host tests, virtual time passes here, and a slow model device progresses.
    fn relax(&self) {
        core::hint::spin_loop();
    }
}

/// Polls `ready` until it returns true or `limit_us` microseconds have passed; returns whether it
/// did.
///
/// The time is read before the last poll. Otherwise an answer that is already there would miss the
/// deadline if the machine is stopped between the two.
pub(crate) fn wait_until<C: Clock>(clock: &C, limit_us: u64, mut ready: impl FnMut() -> bool) -> bool {
    let start = clock.now_us();
    loop {
        let late = clock.now_us().saturating_sub(start) >= limit_us;
        if ready() {
            return true;
        }
        if late {
            return false;
        }
        clock.relax();
    }
}
