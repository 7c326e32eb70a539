//! Devices as DMA engines: each makes its device access an address that the caller chooses, whether or not the device
//! may.

mod blk;
mod edu;
mod rng;
mod test_device;

use alloc::vec::Vec;

use addr::Iova;
use kernel::{Hardware, TransportError};

pub(crate) use self::blk::BlkEngine;
pub(crate) use self::edu::{EduEngine, EduRegisters};
pub(crate) use self::rng::RngEngine;
pub(crate) use self::test_device::{TestDevice, TestDeviceEngine};
use super::hal::SessionError;
use super::memory::ShareError;
use super::raw_queue::QueueError;
use super::transport::{Negotiation, PlatformTransport};
use crate::deadline::{DEVICE_DEADLINE_US, wait_until};

/// Why an engine cannot do what is asked of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// The device's registers cannot be used.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The device does not start.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Memory for the engine itself cannot be shared.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// The device did not answer.
    #[error("the device does not finish within {0} us")]
    Late(u64),
    /// The device cannot do this kind of access.
    #[error("the device cannot {0}")]
    Unable(&'static str),
}

/// A device that accesses addresses of the caller's choice. A refused access is not an error: the caller looks at the
/// memory and at the faults.
pub(crate) trait Engine {
    /// The most bytes of one access.
    fn limit(&self) -> usize;

    /// Tells the device to write `bytes` bytes to `address`.
    fn begin_store(&mut self, address: Iova, bytes: usize);

    /// Whether the device has finished, with or without success.
    fn is_done(&self) -> bool;

    /// The bytes that the device writes, if they are known.
    fn content(&self, bytes: usize) -> Option<Vec<u8>>;

    /// Makes the device write, and waits for the end.
    ///
    /// # Errors
    ///
    /// The device does not finish.
    fn store(&mut self, address: Iova, bytes: usize) -> Result<(), EngineError> {
        self.begin_store(address, bytes);
        match wait_until(DEVICE_DEADLINE_US, || self.is_done()) {
            true => Ok(()),
            false => Err(EngineError::Late(DEVICE_DEADLINE_US)),
        }
    }

    /// Makes the device read `bytes` bytes from `address`; returns what it read.
    ///
    /// # Errors
    ///
    /// The device did not try, or cannot show what it read.
    fn load(&mut self, address: Iova, bytes: usize) -> Result<Vec<u8>, EngineError>;

    /// Stops the device and gives its memory back.
    ///
    /// # Errors
    ///
    /// It keeps its access.
    fn stop(self: alloc::boxed::Box<Self>) -> Result<(), SessionError>;
}

/// The transport of a virtio device, without a driver of `virtio-drivers`.
fn raw_transport(
    hardware: &Hardware,
    device: kernel::Handle,
    accepts_platform: bool,
) -> Result<(PlatformTransport, alloc::rc::Rc<core::cell::Cell<Negotiation>>), EngineError> {
    Ok(PlatformTransport::new(hardware.virtio_transport(device)?, accepts_platform))
}
