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
}

/// A device that accesses addresses of the caller's choice. A refused access is not an error: the caller looks at the
/// memory and at the faults.
pub(crate) trait Engine {
    /// Makes the device write `bytes` bytes to `address`; returns what it writes, if that is known.
    ///
    /// # Errors
    ///
    /// The device did not try.
    fn store(&mut self, address: Iova, bytes: usize) -> Result<Option<Vec<u8>>, EngineError>;

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
