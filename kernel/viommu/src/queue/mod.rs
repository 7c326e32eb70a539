//! The two queues and the memory that the device may write to.
//!
//! This is the one module with unsafe code. Its claim: memory that was shared with the device is
//! neither freed nor used for anything else before the device has returned it or confirmed a reset,
//! whatever the device does and in whatever order the methods are called. To guarantee this, the
//! module owns the transport and keeps everything that the claim depends on private:
//! - buffers are [`Buffers`](buffers::Buffers), which are only freed after a confirmed reset;
//! - a part of them that is in flight is not accessed and not handed out again ([`Requests`], [`Events`]);
//! - a request that is not answered in time makes the link dead for good, and it stays in flight;
//! - an index from the used ring is compared with what is in flight before it is used for anything;
//! - data that the device writes is copied out once, through raw pointers, and the copy is checked.

mod buffers;
mod events;
mod requests;
mod ring;
mod split;

use alloc::vec;
use alloc::vec::Vec;
use core::mem::ManuallyDrop;

use virtio_drivers::Hal;
use virtio_drivers::transport::{DeviceStatus, Transport};

use crate::clock::{Clock, REQUEST_DEADLINE_US, wait_until};
use crate::death::Death;
use crate::event::{Event, EventError};
use crate::limits::EVENT_BUFFERS;
use crate::request::Request;
use crate::start::{FEATURES_AGREED, reset};
use crate::start_error::StartError;
use crate::wire::{EVENT_QUEUE, REQUEST_QUEUE, TAIL_SIZE};
use events::Events;
use requests::{Requests, Returned};

pub(crate) use split::Parts;
pub use split::SplitAnswer;

/// A started device: its transport, its queues and the memory it may write to.
pub(crate) struct Link<H: Hal, T: Transport, C: Clock> {
    /// Never dropped: see the crate's documentation.
    transport: ManuallyDrop<T>,
    clock: C,
    requests: Option<Requests<H>>,
    events: Option<Events<H>>,
    notifications: u64,
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
            notifications: 0,
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

    /// Sets the queues up, with `bytes` of memory for requests and their answers, and sets DRIVER_OK.
    ///
    /// # Errors
    ///
    /// A queue is missing or too short, memory is short, or the device gives up at once.
    pub(crate) fn open(&mut self, bytes: usize) -> Result<(), StartError> {
        self.requests = Some(Requests::open(&mut *self.transport, bytes)?);
        let events = self.events.insert(Events::open(&mut *self.transport)?);
        events.give(EVENT_BUFFERS);
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

    /// How often the device was notified of requests.
    pub(crate) fn notifications(&self) -> u64 {
        self.notifications
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
    /// If `request` or `answer` is empty, or larger than [`open`](Self::open) was told.
    pub(crate) fn exchange(&mut self, request: &[u8], answer: &mut [u8]) -> Result<u32, Death> {
        let mut used = 0;
        self.unless_dead(|link| {
            let requests = link.idle_queue()?;
            requests.post(0, request, answer.len());
            link.notify_requests();
            link.wait_for_answers(answer, |_, length, _| used = length)
        })?;
        Ok(used)
    }

    /// Sends many requests, each of which is answered with a status alone, as many as the queue holds with
    /// one notification. Calls `answered` for each, with its number, its used length and its answer, in
    /// the order in which the device answers.
    ///
    /// # Errors
    ///
    /// The device is dead, or is given up because of one of them; the requests whose answers came before
    /// have been answered, it is not known which others were executed.
    ///
    /// # Panics
    ///
    /// If a request is larger than [`open`](Self::open) was told.
    pub(crate) fn exchange_all(
        &mut self,
        requests: impl ExactSizeIterator<Item = Request>,
        mut answered: impl FnMut(usize, u32, &[u8]),
    ) -> Result<(), Death> {
        let mut requests = requests.enumerate();
        self.unless_dead(|link| {
            while requests.len() > 0 {
                let queue = link.idle_queue()?;
                while queue.has_room()
                    && let Some((tag, request)) = requests.next()
                {
                    request.with_bytes(|bytes| queue.post(tag, bytes, TAIL_SIZE));
                }
                link.notify_requests();
                link.wait_for_answers(&mut [0; TAIL_SIZE], &mut answered)?;
            }
            Ok(())
        })
    }

    /// Sends requests whose descriptors the caller chooses with one notification, and waits for their
    /// answers: for each request the used length, not checked, and the bytes of every writable part.
    ///
    /// Stops to wait when the device asks for a reset.
    ///
    /// # Errors
    ///
    /// The device is dead, or is given up because of one of the requests.
    ///
    /// # Panics
    ///
    /// If a part is empty, or they do not fit the queue or the memory that [`open`](Self::open) was told.
    pub(crate) fn exchange_split(&mut self, batch: &[Parts<'_>]) -> Result<Vec<SplitAnswer>, Death> {
        self.unless_dead(|link| {
            let requests = link.idle_queue()?;
            let mut chains = Vec::with_capacity(batch.len());
            for parts in batch {
                chains.push(Some(requests.post_split(parts).expect("the parts fit the queue")));
            }
            link.notify_requests();
            let (transport, clock) = (&link.transport, &link.clock);
            let requests = opened(&mut link.requests);
            let mut answers = vec![SplitAnswer::default(); batch.len()];
            for _ in 0..batch.len() {
                wait_until(clock, REQUEST_DEADLINE_US, || {
                    requests.is_answered()
                        || transport.get_status().contains(DeviceStatus::DEVICE_NEEDS_RESET)
                });
                let Some((index, answer)) = requests.take_split(&mut chains)? else {
                    return Err(Death::Silent { status: transport.get_status().bits() });
                };
                answers[index] = answer;
            }
            Ok(answers)
        })
    }

    fn unless_dead<A>(&mut self, action: impl FnOnce(&mut Self) -> Result<A, Death>) -> Result<A, Death> {
        if let Some(death) = self.death {
            return Err(death);
        }
        action(self).map_err(|death| self.die(death))
    }

    /// The request queue, with nothing in flight.
    fn idle_queue(&mut self) -> Result<&mut Requests<H>, Death> {
        let requests = opened(&mut self.requests);
        // An entry in the used ring now would be mistaken for the next answer.
        if requests.is_answered() { Err(Death::UnaskedAnswer) } else { Ok(requests) }
    }

    fn notify_requests(&mut self) {
        if opened(&mut self.requests).publish() {
            self.notifications += 1;
            self.transport.notify(REQUEST_QUEUE);
        }
    }

    /// Copies each answer to `answer` and calls `answered`, until nothing is in flight.
    ///
    /// # Errors
    ///
    /// The used ring is wrong, or the deadline for all of them has passed.
    fn wait_for_answers(
        &mut self,
        answer: &mut [u8],
        mut answered: impl FnMut(usize, u32, &[u8]),
    ) -> Result<(), Death> {
        let requests = opened(&mut self.requests);
        let mut wrong = None;
        let done = wait_until(&self.clock, REQUEST_DEADLINE_US, || {
            // Not more than are in flight: each turn takes one or ends the wait.
            while requests.count() > 0 && wrong.is_none() {
                match requests.take(answer) {
                    Ok(Some(Returned { tag, used })) => answered(tag, used, answer),
                    Ok(None) => return false,
                    Err(death) => wrong = Some(death),
                }
            }
            true
        });
        match wrong {
            Some(death) => Err(death),
            None if done => Ok(()),
            None => Err(Death::Silent { status: self.transport.get_status().bits() }),
        }
    }

    /// The next event, if there is one. Its buffer goes back to the device with the next
    /// [`give_event_buffers`](Self::give_event_buffers).
    ///
    /// # Errors
    ///
    /// The queue cannot be followed any more and must not be polled again.
    pub(crate) fn next_event(&mut self) -> Result<Option<Event>, EventError> {
        self.events.as_mut().map_or(Ok(None), Events::take)
    }

    /// Whether the device has a buffer for another event, or events wait to be taken.
    pub(crate) fn has_event_buffers(&self) -> bool {
        self.events.as_ref().is_some_and(|events| events.given() > 0)
    }

    /// Gives buffers to the device, those of the events that were taken among them, until it has `count`.
    pub(crate) fn give_event_buffers(&mut self, count: usize) {
        if self.events.as_mut().is_some_and(|events| events.give(count)) {
            self.transport.notify(EVENT_QUEUE);
        }
    }

    /// Resets the device and returns the transport.
    ///
    /// # Errors
    ///
    /// The device does not confirm; then memory that it may still write to and the transport are leaked.
    pub(crate) fn close(mut self) -> Result<T, StartError> {
        let stopped = self.stop();
        let mut link = ManuallyDrop::new(self);
        // SAFETY: The link is not dropped or used any more, so this transport is taken out once.
        stopped.map(|()| unsafe { ManuallyDrop::take(&mut link.transport) })
    }

    /// Resets the device and frees its memory; leaks the memory if the device does not confirm.
    fn stop(&mut self) -> Result<(), StartError> {
        let stopped = reset(&mut *self.transport, &self.clock);
        let (requests, events) = (self.requests.take(), self.events.take());
        if stopped.is_ok() {
            let memory = [requests.map(Requests::into_memory), events.map(Events::into_memory)];
            for memory in memory.into_iter().flatten() {
                // SAFETY: The device has confirmed the reset, so it accesses no memory any more.
                unsafe { memory.free() };
            }
        }
        stopped
    }
}

impl<H: Hal, T: Transport, C: Clock> Drop for Link<H, T, C> {
    /// Resets the device. If the device does not confirm, memory that it may still write to is
    /// leaked on purpose.
    fn drop(&mut self) {
        let _unconfirmed = self.stop();
    }
}

/// The request queue of a link that is in use.
fn opened<H: Hal>(requests: &mut Option<Requests<H>>) -> &mut Requests<H> {
    requests.as_mut().expect("requests are sent on an open link")
}
