//! `virtio-rng`: writes random bytes to any address.

use alloc::boxed::Box;
use alloc::vec::Vec;

use addr::Iova;
use kernel::{Handle, Hardware};

use super::{Engine, EngineError, raw_transport};
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
        accepts_platform: bool,
    ) -> Result<Self, EngineError> {
        Ok(Self(RawQueue::start(raw_transport(hardware, device, accepts_platform)?, 0, memory)?))
    }
}

impl Engine for RngEngine {
    fn limit(&self) -> usize {
        64
    }

    fn begin_store(&mut self, address: Iova, bytes: usize) {
        self.0.submit(&[Segment { address, bytes: bytes as u32, is_written: true }]);
    }

    fn is_done(&self) -> bool {
        self.0.is_done()
    }

    fn content(&self, _: usize) -> Option<Vec<u8>> {
        None
    }

    fn load(&mut self, _: Iova, _: usize) -> Result<Vec<u8>, EngineError> {
        Err(EngineError::Unable("read"))
    }

    fn stop(self: Box<Self>) -> Result<(), SessionError> {
        Ok(self.0.stop()?)
    }
}
