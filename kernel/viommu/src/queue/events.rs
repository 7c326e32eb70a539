//! The event queue: buffers of one record each, which go to the device and come back.

use alloc::vec;
use alloc::vec::Vec;

use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

use crate::event::{Event, EventError};
use crate::limits::QUEUE_SIZE;
use crate::start_error::StartError;
use crate::wire::{EVENT_QUEUE, FAULT_SIZE};

use super::buffers::Buffers;
use super::ring::{FROM_DEVICE, Place, Ring, Used};

/// The event queue and its buffers: descriptor N always leads to buffer N.
///
/// A buffer is either idle or in flight, so the driver never accesses a buffer that the device may
/// write to.
pub(super) struct Events<H: Hal> {
    ring: Ring<H>,
    /// Which buffers are in flight.
    in_flight: Vec<bool>,
    /// The buffers that the device does not have.
    idle: Vec<usize>,
}

impl<H: Hal> Events<H> {
    /// Sets the queue up; all buffers are idle.
    pub(super) fn open<T: Transport>(transport: &mut T) -> Result<Self, StartError> {
        let ring = Ring::open(transport, EVENT_QUEUE, QUEUE_SIZE * FAULT_SIZE)?;
        let idle = (0..QUEUE_SIZE).rev().collect();
        Ok(Self { ring, in_flight: vec![false; QUEUE_SIZE], idle })
    }

    /// Gives idle buffers to the device until it has `count` of them; returns whether it wants to be
    /// notified.
    pub(super) fn give(&mut self, count: usize) -> bool {
        while self.given() < count
            && let Some(slot) = self.idle.pop()
        {
            // The remains of an earlier record must not be mistaken for a new one.
            self.ring.poison(place(slot));
            self.ring.describe(slot, place(slot), FROM_DEVICE, false);
            self.ring.offer(slot);
            self.in_flight[slot] = true;
        }
        self.ring.publish()
    }

    /// The next event, if there is one; its buffer becomes idle.
    ///
    /// # Errors
    ///
    /// The queue cannot be followed any more and must not be polled again.
    pub(super) fn take(&mut self) -> Result<Option<Event>, EventError> {
        let Some(Used { head, len }) = self.ring.take() else { return Ok(None) };
        let slot = head as usize;
        match self.in_flight.get_mut(slot) {
            Some(in_flight @ true) => *in_flight = false,
            _ => return Err(EventError::WrongChain(head)),
        }
        self.ring.withdraw(place(slot), FROM_DEVICE);
        let mut bytes = [0; FAULT_SIZE];
        self.ring.read(place(slot).at, &mut bytes);
        self.idle.push(slot);
        Ok(Some(Event { used: len, bytes }))
    }

    /// The number of buffers that the device has, or has returned and that were not taken.
    pub(super) fn given(&self) -> usize {
        QUEUE_SIZE - self.idle.len()
    }

    /// The memory, after the device has confirmed a reset.
    pub(super) fn into_memory(self) -> Buffers<H> {
        self.ring.into_memory()
    }
}

/// Where a buffer is.
fn place(slot: usize) -> Place {
    Place { at: slot * FAULT_SIZE, len: FAULT_SIZE }
}
