//! Waits for a device.

use boot::cpu::relax;
use kernel::machine::clock::micros;

/// Longest wait for a device in microseconds. `edu` takes 100 ms for a transfer; on a busy host an emulator's
/// other threads may need longer than that for anything.
pub(crate) const DEVICE_DEADLINE_US: u64 = 5_000_000;

/// Waits until `is_done`, at most `limit_us`; whether it was.
pub(crate) fn wait_until(limit_us: u64, mut is_done: impl FnMut() -> bool) -> bool {
    let start = micros();
    loop {
        if is_done() {
            return true;
        }
        if micros().saturating_sub(start) > limit_us {
            return is_done();
        }
        relax();
    }
}
