//! Ctrl-C, SIGTERM and SIGHUP: they end the runs instead of this program alone.

use std::sync::atomic::{AtomicBool, Ordering};

/// Set by the handler; every run then ends its QEMU and stops.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Installs the handler.
pub(crate) fn catch() {
    // A second handler cannot be there, and without one an interrupt ends us as it always did.
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
}

/// Whether there was an interrupt.
pub(crate) fn is_pending() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
