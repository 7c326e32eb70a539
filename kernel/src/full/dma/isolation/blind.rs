//! Devices that may not reach any memory, not even their own queue.

use alloc::boxed::Box;

use addr::Iova;
use kernel::Hardware;

use super::bench;
use crate::deadline::wait_until;
use crate::dma::devices::{self, DmaDevice};
use crate::dma::engine::{BlkEngine, Engine, EngineError};
use crate::dma::faults::SeenFaults;

/// Time for such a device to try, in microseconds; it ends at the first fault.
pub(super) const BLIND_US: u64 = 300_000;

/// The device as an engine. Nothing is asked of it at the start.
///
/// # Errors
///
/// It does not start.
pub(super) fn engine(
    hardware: &Hardware,
    device: &DmaDevice,
    accepts_platform: bool,
) -> Result<Box<dyn Engine>, EngineError> {
    let (handle, memory) = (device.handle, &device.memory);
    match device.engine {
        devices::Engine::Block => {
            Ok(Box::new(BlkEngine::start_blind(hardware, handle, memory, accepts_platform)?))
        }
        _ => bench::engine(hardware, device, accepts_platform),
    }
}

/// Tells the device to write, and waits until it has, or a fault is reported, at most `limit_us`.
pub(super) fn write(
    engine: &mut dyn Engine,
    address: Iova,
    bytes: usize,
    limit_us: u64,
    take_faults: impl Fn() -> SeenFaults,
) -> SeenFaults {
    engine.begin_store(address, bytes);
    let mut seen = SeenFaults::default();
    wait_until(limit_us, || {
        seen.add(take_faults());
        engine.is_done() || seen.count() > 0
    });
    // The device may have ended between the two questions.
    seen.add(take_faults());
    seen
}
