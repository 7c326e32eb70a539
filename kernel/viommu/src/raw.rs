//! A device without a driver: the caller chooses features, bytes and descriptors.

use alloc::vec::Vec;
use core::fmt;

use virtio_drivers::transport::{DeviceStatus, Transport};
use virtio_drivers::{Error, Hal};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::clock::Clock;
use crate::death::Death;
use crate::event::{Event, EventError};
use crate::limits::EVENT_BUFFERS;
pub use crate::queue::SplitAnswer;
use crate::queue::{Link, Parts};
use crate::start::{agree, identify};
use crate::start_error::StartError;
use crate::wire::config_offset;

/// Bytes for one request and its answer; each may be as long as this minus the other.
const BUFFER_SIZE: usize = 64 * 1024;

/// A started virtio-iommu that is sent any bytes, to find out how it answers.
///
/// It checks nothing of what it sends or receives. As in the driver, every wait has a deadline, a
/// device that misses one is dead until it is started again, and memory that the device may write
/// to is not reused before. Dropping it resets the device.
pub struct RawDevice<H: Hal, T: Transport, C: Clock> {
    link: Link<H, T, C>,
    offered: u64,
    accepted: u64,
}

/// Why a raw device was not started.
pub struct RawStartError<T> {
    /// Why.
    pub error: StartError,
    /// The transport, for another attempt; `None` if the device does not confirm a reset.
    pub transport: Option<T>,
}

impl<T> fmt::Debug for RawStartError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawStartError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<H: Hal, T: Transport, C: Clock> RawDevice<H, T, C> {
    /// Resets the device, accepts exactly `features`, sets both queues up and sets DRIVER_OK.
    ///
    /// # Errors
    ///
    /// See [`StartError`]: above all, the device does not accept the features.
    pub fn start(transport: T, clock: C, features: u64) -> Result<Self, RawStartError<T>> {
        if let Err(error) = identify(&transport) {
            return Err(RawStartError { error, transport: Some(transport) });
        }
        let mut link = Link::new(transport, clock);
        let (transport, clock) = link.parts();
        let started = agree(transport, clock, |_| Ok(features))
            .and_then(|(offered, accepted)| link.open(BUFFER_SIZE).map(|()| (offered, accepted)));
        match started {
            Ok((offered, accepted)) => Ok(Self { link, offered, accepted }),
            Err(error) => {
                link.set_failed();
                Err(RawStartError { error, transport: link.close().ok() })
            }
        }
    }

    /// The features that the device offers.
    pub fn offered(&self) -> u64 {
        self.offered
    }

    /// The features that were accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Sends one request of one readable and one writable descriptor, each left out if it is empty.
    ///
    /// Returns the used length and the answer. The used length is what the device claims; bytes of the
    /// answer that the device did not write are 0xff.
    ///
    /// # Errors
    ///
    /// The device is dead, or does not answer: then it is dead until it is started again. A device
    /// that asks for a reset is not waited for.
    ///
    /// # Panics
    ///
    /// If both parts are empty, or they have more than 64 KiB together.
    pub fn exchange(&mut self, request: &[u8], answer_len: usize) -> Result<(u32, Vec<u8>), Death> {
        let (readable, writable) = ([request], [answer_len]);
        let (used, answers) = self.exchange_split(
            &readable[..usize::from(!request.is_empty())],
            &writable[..usize::from(answer_len > 0)],
        )?;
        Ok((used, answers.into_iter().flatten().collect()))
    }

    /// Sends one request with a descriptor for each part: readable ones with their bytes, writable ones
    /// with their lengths.
    ///
    /// # Errors
    ///
    /// As [`exchange`](Self::exchange).
    ///
    /// # Panics
    ///
    /// If there is no part, a part is empty, there are more than [`QUEUE_SIZE`](crate::QUEUE_SIZE)
    /// parts, or they have more than 64 KiB together.
    pub fn exchange_split(&mut self, readable: &[&[u8]], writable: &[usize]) -> Result<SplitAnswer, Death> {
        let answers = self.exchange_batch(&[(readable, writable)])?;
        Ok(answers.into_iter().next().unwrap_or_default())
    }

    /// Sends requests as [`exchange_split`](Self::exchange_split) does, with one notification for all of
    /// them. The answers are in the order of the requests.
    ///
    /// # Errors
    ///
    /// As [`exchange`](Self::exchange).
    ///
    /// # Panics
    ///
    /// As [`exchange_split`](Self::exchange_split); the limits are for all requests together.
    pub fn exchange_batch(&mut self, batch: &[(&[&[u8]], &[usize])]) -> Result<Vec<SplitAnswer>, Death> {
        let parts = |&(readable, writable): &(_, _)| Parts { readable, writable };
        let batch: Vec<Parts<'_>> = batch.iter().map(parts).collect();
        let is_empty = |parts: &Parts<'_>| parts.readable.is_empty() && parts.writable.is_empty();
        assert!(!batch.iter().any(is_empty), "a request has at least one part");
        self.link.exchange_split(&batch)
    }

    /// The next event, if there is one; its buffer goes back to the device.
    ///
    /// # Errors
    ///
    /// The event queue cannot be followed any more.
    pub fn next_event(&mut self) -> Result<Option<Event>, EventError> {
        let event = self.link.next_event()?;
        if event.is_some() {
            self.link.give_event_buffers(EVENT_BUFFERS);
        }
        Ok(event)
    }

    /// Reads a field of the configuration space with the field's width, as the standard requires.
    ///
    /// # Errors
    ///
    /// The space ends before it.
    pub fn config<V: FromBytes + IntoBytes>(&self, offset: usize) -> Result<V, Error> {
        self.link.transport().read_config_space(offset)
    }

    /// Writes a field of the configuration space.
    ///
    /// # Errors
    ///
    /// The space ends before it.
    pub fn write_config<V: IntoBytes + Immutable>(&mut self, offset: usize, value: V) -> Result<(), Error> {
        self.link.parts().0.write_config_space(offset, value)
    }

    /// Writes the configuration's bypass byte.
    ///
    /// # Errors
    ///
    /// The space ends before it.
    pub fn write_bypass(&mut self, value: u8) -> Result<(), Error> {
        self.write_config(config_offset::BYPASS, value)
    }

    /// The device status.
    pub fn status(&self) -> DeviceStatus {
        self.link.transport().get_status()
    }

    /// Why the device has been given up, if it has.
    pub fn death(&self) -> Option<Death> {
        self.link.death()
    }

    /// Resets the device and returns its transport, for another start.
    ///
    /// # Errors
    ///
    /// The device does not confirm the reset; its transport and memory are leaked.
    pub fn reset(self) -> Result<T, StartError> {
        self.link.close()
    }
}
