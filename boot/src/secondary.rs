//! A second CPU: where it begins, and how the first one knows that it has come up.
//!
//! Firmware starts it, by PSCI CPU_ON; how firmware is called is the kernel's. It comes to EL1 as the first one
//! does, on the map that the first one made, with stacks of its own, and runs what [`entry!`](crate::entry) names.
//! There is room for one, which is CPU 1; it cannot be stopped and started again.

use core::sync::atomic::{AtomicBool, Ordering};

use addr::PhysAddr;
use sync::Latch;

use crate::layout;
use crate::memory::{self, MapError};

/// What CPU_ON takes besides the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Where it begins (`entry_point_address`).
    pub entry: PhysAddr,
    /// What it finds in x0 there (`context_id`).
    pub context: u64,
}

/// Why a second CPU cannot be prepared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrepareError {
    /// It was done before.
    Twice,
    /// Its stacks cannot be mapped.
    Map(MapError),
}

/// Shows that a CPU began where it should: any number that is unlikely to be in a register by itself.
const CONTEXT: u64 = 0x6f69_6772_6f75_7073;

static PREPARED: AtomicBool = AtomicBool::new(false);

static UP: Latch = Latch::new();

/// Maps the second CPU's stacks, and says how to start it. To be followed by one CPU_ON.
///
/// # Errors
///
/// See [`PrepareError`].
pub fn prepare() -> Result<Start, PrepareError> {
    if PREPARED.swap(true, Ordering::Relaxed) {
        return Err(PrepareError::Twice);
    }
    memory::map_secondary_stacks().map_err(PrepareError::Map)?;
    Ok(Start { entry: PhysAddr(layout::secondary_entry()), context: CONTEXT })
}

/// Whether the second CPU runs Rust code.
#[must_use]
pub fn is_up() -> bool {
    UP.is_set()
}

/// Called by the head on the second CPU.
pub(crate) fn has_come_up(context: u64) {
    assert_eq!(context, CONTEXT, "CPU 1 was started by someone else");
    UP.set();
}
