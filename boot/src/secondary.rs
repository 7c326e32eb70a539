//! A second CPU: its entry point, and the signal to the first one that it runs.
//!
//! Firmware starts it by PSCI CPU_ON; the kernel makes that call. The CPU drops to EL1 as the first
//! one does, on the map that the first one made, with its own stacks, and runs the function given
//! to [`entry!`](crate::entry). There is room for one second CPU, CPU 1; it cannot be stopped and
//! started again.

use core::sync::atomic::{AtomicBool, Ordering};

use addr::PhysAddr;
use sync::Latch;

use crate::layout;
use crate::memory::{self, MapError};

/// The arguments of CPU_ON besides the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuStart {
    /// Its entry point (`entry_point_address`).
    pub entry: PhysAddr,
    /// The value of x0 at that point (`context_id`).
    pub context: u64,
}

/// Why a second CPU cannot be prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrepareError {
    /// It was done before.
    Twice,
    /// Its stacks cannot be mapped.
    Map(MapError),
}

/// Shows that a CPU started at the right entry point: any number that is unlikely to be in a
/// register by chance.
const CONTEXT: u64 = 0x6f69_6772_6f75_7073;

static PREPARED: AtomicBool = AtomicBool::new(false);

static UP: Latch = Latch::new();

/// Maps the second CPU's stacks and returns the arguments that start it. Must be followed by one
/// CPU_ON.
///
/// # Errors
///
/// See [`PrepareError`].
pub fn prepare() -> Result<CpuStart, PrepareError> {
    if PREPARED.swap(true, Ordering::Relaxed) {
        return Err(PrepareError::Twice);
    }
    memory::map_secondary_stacks().map_err(PrepareError::Map)?;
    Ok(CpuStart { entry: PhysAddr(layout::secondary_entry()), context: CONTEXT })
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
