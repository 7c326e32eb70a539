//! `virtio-rng`: writes random bytes to any address.

use alloc::boxed::Box;
use alloc::vec::Vec;

use addr::Iova;
use kernel::{Handle, Hardware};

use super::{Engine, EngineError, raw_transport};
use crate::dma::deadline::DEVICE_DEADLINE_US;
use crate::dma::hal::SessionError;
use crate::dma::memory::DeviceMemory;
use crate::dma::raw_queue::{RawQueue, Segment};

/// An entropy source with queue 0.
pub(crate) struct RngEngine(RawQueue);

impl RngEngine {
    /// Starts the device.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub(crate) fn start(
        hardware: &Hardware,
        device: Handle,
        memory: &DeviceMemory,
    ) -> Result<Self, EngineError> {
        Ok(Self(RawQueue::start(raw_transport(hardware, device, true)?, 0, memory)?))
    }
}

impl Engine for RngEngine {
    fn store(&mut self, address: Iova, bytes: usize) -> Result<Option<Vec<u8>>, EngineError> {
        let chain = [Segment { address, bytes: bytes as u32, is_written: true }];
        match self.0.run(&chain, DEVICE_DEADLINE_US) {
            true => Ok(None),
            false => Err(EngineError::Late(DEVICE_DEADLINE_US)),
        }
    }

    fn stop(self: Box<Self>) -> Result<(), SessionError> {
        Ok(self.0.stop()?)
    }
}
