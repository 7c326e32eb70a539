//! The event queue: buffers of one record each, which go to the device and come back.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::Transport;
use virtio_drivers::{Error, Hal};

use crate::event::{Event, EventError};
use crate::limits::QUEUE_SIZE;
use crate::start_error::StartError;
use crate::wire::{EVENT_QUEUE, FAULT_SIZE};

use super::buffers::{Buffers, POISON};
use super::open::open_queue;

/// The event queue and its buffers, numbered in the order of their addresses.
///
/// A buffer is either idle or in flight under one chain, so the driver never accesses a buffer that
/// the device may write to.
pub(super) struct Events<H: Hal> {
    queue: Box<VirtQueue<H, QUEUE_SIZE>>,
    buffers: Buffers<H>,
    /// The buffer that is in flight under each chain, by the chain's head.
    in_flight: Vec<Option<usize>>,
    /// The buffers that the device does not have.
    idle: Vec<usize>,
}

impl<H: Hal> Events<H> {
    /// Sets the queue up; all buffers are idle.
    pub(super) fn open<T: Transport>(transport: &mut T) -> Result<Self, StartError> {
        let (queue, buffers) = open_queue(transport, EVENT_QUEUE, QUEUE_SIZE * FAULT_SIZE)?;
        let idle = (0..QUEUE_SIZE).rev().collect();
        Ok(Self { queue, buffers, in_flight: vec![None; QUEUE_SIZE], idle })
    }

    /// Gives idle buffers to the device until it has `count` of them.
    ///
    /// # Errors
    ///
    /// The queue refuses a buffer that it has room for.
    pub(super) fn give(&mut self, count: usize) -> Result<(), Error> {
        while self.given() < count
            && let Some(slot) = self.idle.pop()
        {
            // The remains of an earlier record must not be mistaken for a new one.
            self.buffers.fill(slot * FAULT_SIZE, FAULT_SIZE, POISON);
            let mut part = self.buffers.part(slot * FAULT_SIZE, FAULT_SIZE);
            // SAFETY: The buffer was idle, so the device does not write to it while the reference exists.
            let output = unsafe { part.as_mut() };
            // SAFETY: The buffer is not idle any more, so it is not accessed before `take` has popped this
            // chain; it is freed only after a confirmed reset.
            let head = unsafe { self.queue.add(&[], &mut [output]) }?;
            *self.in_flight.get_mut(usize::from(head)).ok_or(Error::WrongToken)? = Some(slot);
        }
        Ok(())
    }

    /// The next event, if there is one; its buffer becomes idle.
    ///
    /// # Errors
    ///
    /// The queue cannot be followed any more and must not be polled again.
    pub(super) fn take(&mut self) -> Result<Option<Event>, EventError> {
        let Some(head) = self.queue.peek_used() else { return Ok(None) };
        let Some(slot) = self.in_flight.get_mut(usize::from(head)).and_then(Option::take) else {
            return Err(EventError::WrongChain(head));
        };
        let mut part = self.buffers.part(slot * FAULT_SIZE, FAULT_SIZE);
        // SAFETY: The chain was in flight and the device has returned it, so the part is ours again.
        let output = unsafe { part.as_mut() };
        // SAFETY: `in_flight` says that this is the buffer that `add` was given for this head.
        let popped = unsafe { self.queue.pop_used(head, &[], &mut [output]) };
        let used = popped.map_err(|_| EventError::WrongChain(head))?;
        let mut bytes = [0; FAULT_SIZE];
        self.buffers.read(slot * FAULT_SIZE, &mut bytes);
        self.idle.push(slot);
        Ok(Some(Event { used, bytes }))
    }

    /// The number of buffers that the device has, or has returned and that were not taken.
    pub(super) fn given(&self) -> usize {
        QUEUE_SIZE - self.idle.len()
    }

    /// Whether the device wants to be notified of new buffers.
    pub(super) fn wants_notification(&self) -> bool {
        self.queue.should_notify()
    }

    /// Frees nothing that the device may still access: neither the buffers nor the rings.
    pub(super) fn leak(self) {
        core::mem::forget(*self.queue);
    }

    /// The memory, after the device has confirmed a reset.
    pub(super) fn into_buffers(self) -> Buffers<H> {
        self.buffers
    }
}
