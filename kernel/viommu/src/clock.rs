//! Time, and how long the driver waits for the device.

/// How long the device may take to answer one request, in microseconds.
///
/// Generous on purpose: an emulated device answers in microseconds, but the machine that emulates
/// it may be busy, and a device taken for dead by mistake costs all its groups.
pub const REQUEST_DEADLINE_US: u64 = 2_000_000;

/// How long the device may take to confirm a reset, in microseconds.
pub const RESET_DEADLINE_US: u64 = 2_000_000;

/// A clock that never goes back, and a pause between two looks at the device.
pub trait Clock {
    /// Time since some fixed moment, in microseconds.
    fn now_us(&self) -> u64;

    /// Called between two polls of the device; must return soon.
    ///
    /// On the host, this is where virtual time passes and a slow model device moves on.
    fn relax(&self) {
        core::hint::spin_loop();
    }
}

/// Polls `ready` until it holds or `limit_us` microseconds have passed; says whether it held.
///
/// The time is read before the last look, so that a machine that was stopped between the two does
/// not turn an answer that is already there into a missed deadline.
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
