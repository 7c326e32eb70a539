//! What each kind of device transfers, and how its data is checked.

pub(super) mod blk;
pub(super) mod edu;
pub(super) mod net;
pub(super) mod rng;
pub(super) mod test_device;

use alloc::string::ToString;

use addr::PhysAddr;
use dma::{Direction, UnmapError};
use kernel::TransportError;
use report::Transfer;

use super::engine::EngineError;
use super::hal::{SessionError, Shared, take_log, with_device};
use super::memory::{Buffer, DeviceMemory, ShareError};
use super::transport::{Negotiation, PlatformTransport};
use crate::deadline::{DEVICE_DEADLINE_US, wait_until};

/// Why a device did not transfer what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Its registers cannot be used.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Memory cannot be shared with it.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// As above, for a driver of ours.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// Memory cannot be taken back from it.
    #[error(transparent)]
    Unmap(#[from] UnmapError),
    /// The engine for a refused access does not work.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The driver of `virtio-drivers` fails.
    #[error("{what}: {error}")]
    Driver {
        /// What it did.
        what: &'static str,
        /// Its error.
        error: virtio_drivers::Error,
    },
    /// The device does not accept the driver's features.
    #[error("the device does not accept the driver's features; it needs VIRTIO_F_ACCESS_PLATFORM")]
    FeaturesRefused,
    /// The device does not finish.
    #[error("{what}: the device does not finish within {limit_us} us")]
    Late {
        /// What it did.
        what: &'static str,
        /// The deadline.
        limit_us: u64,
    },
    /// Data is not what it should be.
    #[error("{what}: byte {offset} is {found:#04x}, expected {expected:#04x}")]
    Data {
        /// What was transferred.
        what: &'static str,
        /// The first such byte.
        offset: usize,
        /// What it is.
        found: u8,
        /// What it should be.
        expected: u8,
    },
    /// Random bytes are all the same.
    #[error("random bytes are all 0, or the same twice")]
    NotRandom,
    /// The device reports that the data is wrong.
    #[error("{what}: the device reports {status:#x}")]
    Status {
        /// What was transferred.
        what: &'static str,
        /// Its report.
        status: u32,
    },
}

/// Makes an error of `virtio-drivers` ours.
fn driver(what: &'static str) -> impl FnOnce(virtio_drivers::Error) -> ClientError {
    move |error| ClientError::Driver { what, error }
}

/// Runs `work` with a driver that `start` makes on the device's registers, and that shares only `memory` with the
/// device.
///
/// # Errors
///
/// See [`ClientError`]; a device that does not accept the features gets no work.
fn with_driver<D, T>(
    registers: kernel::Transport,
    memory: DeviceMemory,
    accepts_platform: bool,
    start: impl FnOnce(PlatformTransport) -> Result<D, virtio_drivers::Error>,
    work: impl FnOnce(D) -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    with_device(memory, || {
        let (transport, negotiation) = PlatformTransport::new(registers, accepts_platform);
        let device = start(transport).map_err(driver("start"))?;
        match negotiation.get() {
            Negotiation::Accepted => work(device),
            Negotiation::Open | Negotiation::Refused => Err(ClientError::FeaturesRefused),
        }
    })
}

/// Waits until the device has done `what`.
///
/// # Errors
///
/// It does not within its deadline.
fn wait_for(what: &'static str, is_done: impl FnMut() -> bool) -> Result<(), ClientError> {
    match wait_until(DEVICE_DEADLINE_US, is_done) {
        true => Ok(()),
        false => Err(ClientError::Late { what, limit_us: DEVICE_DEADLINE_US }),
    }
}

/// Compares data with what is expected.
pub(super) fn compare(what: &'static str, found: &[u8], expected: &[u8]) -> Result<(), ClientError> {
    let differs = found.iter().zip(expected).position(|(found, expected)| found != expected);
    match differs {
        Some(offset) => {
            Err(ClientError::Data { what, offset, found: found[offset], expected: expected[offset] })
        }
        None => Ok(()),
    }
}

/// The buffer of `bytes` bytes in the log of what was shared for a request, as a line of the report.
fn transfer_of(what: &str, direction: Direction, bytes: usize) -> Option<Transfer> {
    let is_data = |shared: &Shared| shared.bytes == bytes && shared.direction == direction;
    let shared = take_log().into_iter().find(is_data)?;
    Some(transfer(what, direction, shared.address.0, shared.phys, bytes))
}

/// A transfer from or to a buffer.
fn transfer_with(what: &str, direction: Direction, buffer: &Buffer) -> Transfer {
    transfer(what, direction, buffer.address().0, buffer.phys().start(), buffer.bytes())
}

fn transfer(what: &str, direction: Direction, iova: u64, phys: PhysAddr, bytes: usize) -> Transfer {
    let direction = if direction == Direction::ToDevice { "to-device" } else { "from-device" };
    Transfer {
        what: what.to_string(),
        direction: direction.to_string(),
        iova: alloc::format!("{iova:#x}"),
        physical: phys.to_string(),
        bytes: bytes as u64,
    }
}
