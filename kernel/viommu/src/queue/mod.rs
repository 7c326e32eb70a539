//! The two queues and the memory that the device may write to.
//!
//! This is the one module with unsafe code. Its claim: memory that was shared with the device is
//! neither freed nor used for anything else before the device has confirmed a reset, whatever the
//! device does and in whatever order the methods are called. To guarantee this, the module owns the
//! transport and keeps everything that the claim depends on private:
//! - buffers are [`Buffers`], which are only freed by `Drop for Link`, after a confirmed reset;
//! - at most one request is in flight; one that is not answered makes the link dead for good;
//! - an index from the used ring is compared with what is in flight before it is used for anything;
//! - data that the device writes is copied out once, through raw pointers, and the copy is checked.

mod buffers;

use core::mem::ManuallyDrop;
use core::sync::atomic::{Ordering, fence};

use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::{DeviceStatus, Transport};
use virtio_drivers::{Error, Hal};

use crate::clock::{Clock, REQUEST_DEADLINE_US, wait_until};
use crate::death::Death;
use crate::event::{Event, EventError};
use crate::limits::{EVENT_QUEUE_SIZE, REQUEST_QUEUE_SIZE};
use crate::start::{FEATURES_AGREED, reset};
use crate::start_error::StartError;
use crate::wire::{EVENT_QUEUE, FAULT_SIZE, MAX_REQUEST_SIZE, REQUEST_QUEUE, TAIL_SIZE};
use buffers::Buffers;

/// Where in the request buffers the device-writable part begins.
const ANSWER_OFFSET: usize = 128;
const _: () = assert!(MAX_REQUEST_SIZE <= ANSWER_OFFSET);

/// Content of a buffer before the device writes: not a status, a valid property or a valid record.
const POISON: u8 = 0xff;

/// A started device: its transport, its queues and the memory it may write to.
pub(crate) struct Link<H: Hal, T: Transport, C: Clock> {
    /// Never dropped: see the crate's documentation.
    transport: ManuallyDrop<T>,
    clock: C,
    requests: Option<VirtQueue<H, REQUEST_QUEUE_SIZE>>,
    events: Option<VirtQueue<H, EVENT_QUEUE_SIZE>>,
    request_buffers: Option<Buffers<H>>,
    event_buffers: Option<Buffers<H>>,
    /// Which event buffer is in flight under which chain; indexed by the chain's head.
    event_in_flight: [Option<usize>; EVENT_QUEUE_SIZE],
    death: Option<Death>,
}

impl<H: Hal, T: Transport, C: Clock> Link<H, T, C> {
    /// Takes over a transport whose device may be in any state.
    pub(crate) fn new(transport: T, clock: C) -> Self {
        Self {
            transport: ManuallyDrop::new(transport),
            clock,
            requests: None,
            events: None,
            request_buffers: None,
            event_buffers: None,
            event_in_flight: [None; EVENT_QUEUE_SIZE],
            death: None,
        }
    }

    /// The transport and the clock, for negotiation and configuration.
    pub(crate) fn parts(&mut self) -> (&mut T, &C) {
        (&mut self.transport, &self.clock)
    }

    /// The transport, for reading.
    pub(crate) fn transport(&self) -> &T {
        &self.transport
    }

    /// Sets the queues up, for answers with up to `probe_size` bytes before the status, and sets DRIVER_OK.
    ///
    /// # Errors
    ///
    /// A queue is missing or too short, memory is short, or the device gives up at once.
    pub(crate) fn open(&mut self, probe_size: u32) -> Result<(), StartError> {
        let answer_size = probe_size as usize + TAIL_SIZE;
        self.request_buffers = Some(Buffers::new(ANSWER_OFFSET + answer_size)?);
        self.event_buffers = Some(Buffers::new(EVENT_QUEUE_SIZE * FAULT_SIZE)?);
        let mut requests = open_queue(&mut *self.transport, REQUEST_QUEUE)?;
        requests.set_dev_notify(false);
        self.requests = Some(requests);
        let mut events = open_queue(&mut *self.transport, EVENT_QUEUE)?;
        events.set_dev_notify(false);
        self.events = Some(events);
        for slot in 0..EVENT_QUEUE_SIZE {
            let posted = self.post_event(slot);
            posted.map_err(|error| {
                queue_error(EVENT_QUEUE, EVENT_QUEUE_SIZE as u32, EVENT_QUEUE_SIZE, error)
            })?;
        }
        let running = FEATURES_AGREED | DeviceStatus::DRIVER_OK;
        self.transport.set_status(running);
        let status = self.transport.get_status();
        if !status.contains(running) || status.contains(DeviceStatus::DEVICE_NEEDS_RESET) {
            return Err(StartError::NotStarted { status: status.bits() });
        }
        self.transport.notify(EVENT_QUEUE);
        Ok(())
    }

    /// Sets FAILED in the device status; dropping the link then resets the device.
    pub(crate) fn set_failed(&mut self) {
        let status = self.transport.get_status();
        self.transport.set_status(status | DeviceStatus::FAILED);
    }

    /// Why the device was given up, if it was.
    pub(crate) fn death(&self) -> Option<Death> {
        self.death
    }

    /// Gives the device up; the first reason stays.
    pub(crate) fn die(&mut self, death: Death) -> Death {
        *self.death.get_or_insert(death)
    }

    /// Sends one request and waits for its answer, which is copied to `answer`.
    ///
    /// Returns the used length: the number of bytes that the device claims to have written. It is
    /// not checked; bytes that the device did not write read as 0xff.
    ///
    /// # Errors
    ///
    /// The device is dead, or is given up because of this request.
    ///
    /// # Panics
    ///
    /// If `request` or `answer` is empty or larger than [`open`](Self::open) was told.
    pub(crate) fn exchange(&mut self, request: &[u8], answer: &mut [u8]) -> Result<u32, Death> {
        if let Some(death) = self.death {
            return Err(death);
        }
        self.try_exchange(request, answer).map_err(|death| self.die(death))
    }

    fn try_exchange(&mut self, request: &[u8], answer: &mut [u8]) -> Result<u32, Death> {
        let (Some(queue), Some(buffers)) = (&mut self.requests, &mut self.request_buffers) else {
            return Err(Death::QueueBroken(Error::NotReady));
        };
        // Nothing is in flight. An entry in the used ring now would be mistaken for the next
        // answer.
        if queue.can_pop() {
            return Err(Death::UnaskedAnswer);
        }
        assert!(!request.is_empty() && request.len() <= ANSWER_OFFSET, "request fits its buffer");
        buffers.write(0, request);
        buffers.fill(ANSWER_OFFSET, answer.len(), POISON);
        let readable = buffers.part(0, request.len());
        let mut writable = buffers.part(ANSWER_OFFSET, answer.len());

        // SAFETY: Nothing is in flight, so the device does not write to this part while the
        // reference exists.
        let input = unsafe { readable.as_ref() };
        // SAFETY: Likewise; and the two parts do not overlap.
        let output = unsafe { writable.as_mut() };
        // SAFETY: `request_buffers` is only accessed again below, after `pop_used` succeeded, or
        // never: each other way out is an error, which makes the link dead, and then `exchange`
        // does not come here again. It is freed only after a confirmed reset.
        let chain = unsafe { queue.add(&[input], &mut [output]) }.map_err(Death::QueueBroken)?;
        // The device's notification suppression must be read after the request has become visible.
        fence(Ordering::SeqCst);
        if queue.should_notify() {
            self.transport.notify(REQUEST_QUEUE);
        }

        if !wait_until(&self.clock, REQUEST_DEADLINE_US, || queue.can_pop()) {
            return Err(Death::Silent { status: self.transport.get_status().bits() });
        }
        match queue.peek_used() {
            Some(found) if found != chain => return Err(Death::WrongChain { found, expected: chain }),
            _ => {}
        }
        // SAFETY: The device has returned the chain, so the part is ours again.
        let input = unsafe { readable.as_ref() };
        // SAFETY: Likewise; and the two parts do not overlap.
        let output = unsafe { writable.as_mut() };
        // SAFETY: These are the buffers that `add` was given when it returned `chain`.
        let used = unsafe { queue.pop_used(chain, &[input], &mut [output]) }.map_err(Death::QueueBroken)?;
        buffers.read(ANSWER_OFFSET, answer);
        Ok(used)
    }

    /// The next event, if there is one; its buffer goes back to the device.
    ///
    /// # Errors
    ///
    /// The queue cannot be followed any more and must not be polled again.
    pub(crate) fn next_event(&mut self) -> Result<Option<Event>, EventError> {
        let (Some(queue), Some(buffers)) = (&mut self.events, &mut self.event_buffers) else {
            return Ok(None);
        };
        let Some(chain) = queue.peek_used() else { return Ok(None) };
        let Some(slot) = self.event_in_flight.get_mut(usize::from(chain)).and_then(Option::take) else {
            return Err(EventError::WrongChain(chain));
        };
        let mut part = buffers.part(slot * FAULT_SIZE, FAULT_SIZE);
        // SAFETY: The chain was in flight and the device has returned it, so the part is ours again.
        let output = unsafe { part.as_mut() };
        // SAFETY: `event_in_flight` says that this is the buffer that `add` was given for `chain`.
        let popped = unsafe { queue.pop_used(chain, &[], &mut [output]) };
        let used = popped.map_err(|_| EventError::WrongChain(chain))?;
        let mut record = [0; FAULT_SIZE];
        buffers.read(slot * FAULT_SIZE, &mut record);
        self.post_event(slot).map_err(EventError::NotReposted)?;
        Ok(Some(if used as usize == FAULT_SIZE { Event::Record(record) } else { Event::WrongLength }))
    }

    /// Tells the device that event buffers were returned to it.
    pub(crate) fn notify_events(&mut self) {
        fence(Ordering::SeqCst);
        if self.events.as_ref().is_some_and(VirtQueue::should_notify) {
            self.transport.notify(EVENT_QUEUE);
        }
    }

    fn post_event(&mut self, slot: usize) -> Result<(), Error> {
        let (Some(queue), Some(buffers)) = (&mut self.events, &mut self.event_buffers) else {
            return Err(Error::NotReady);
        };
        // The remains of an earlier record must not be mistaken for a new one.
        buffers.fill(slot * FAULT_SIZE, FAULT_SIZE, POISON);
        let mut part = buffers.part(slot * FAULT_SIZE, FAULT_SIZE);
        // SAFETY: `slot` is not in flight: it comes from `open`, once, or from a popped chain.
        let output = unsafe { part.as_mut() };
        // SAFETY: The buffer is not accessed before `next_event` has popped this chain, and freed
        // only after a confirmed reset.
        let chain = unsafe { queue.add(&[], &mut [output]) }?;
        *self.event_in_flight.get_mut(usize::from(chain)).ok_or(Error::WrongToken)? = Some(slot);
        Ok(())
    }
}

impl<H: Hal, T: Transport, C: Clock> Drop for Link<H, T, C> {
    /// Resets the device. If the device does not confirm, memory that it may still write to is
    /// leaked on purpose.
    fn drop(&mut self) {
        let idle = reset(&mut *self.transport, &self.clock).is_ok();
        let queues = (self.requests.take(), self.events.take());
        let buffers = [self.request_buffers.take(), self.event_buffers.take()];
        if idle {
            drop(queues);
            for buffers in buffers.into_iter().flatten() {
                // SAFETY: The device has confirmed the reset, so it accesses no memory any more.
                unsafe { buffers.free() };
            }
        } else {
            core::mem::forget(queues);
        }
    }
}

fn open_queue<H: Hal, T: Transport, const SIZE: usize>(
    transport: &mut T,
    index: u16,
) -> Result<VirtQueue<H, SIZE>, StartError> {
    // Neither indirect descriptors nor event indices: they were not negotiated.
    VirtQueue::new(transport, index, false, false)
        .map_err(|error| queue_error(index, transport.max_queue_size(index), SIZE, error))
}

fn queue_error(queue: u16, available: u32, needed: usize, error: Error) -> StartError {
    StartError::Queue { queue, available, needed: needed as u32, error }
}
