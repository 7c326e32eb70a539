//! The request queue: chains of one readable and one writable part each, many of them in flight.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::Transport;
use virtio_drivers::{Error, Hal};

use crate::death::Death;
use crate::limits::QUEUE_SIZE;
use crate::start_error::StartError;
use crate::wire::REQUEST_QUEUE;

use super::buffers::{Buffers, POISON};
use super::open::open_queue;

/// Each part begins at a multiple of this many bytes.
const ALIGNMENT: usize = 8;

/// The request queue and the memory of its chains.
///
/// Memory is handed out in ascending order, and again from the start when nothing is in flight. So
/// no two chains in flight share memory, whatever the device does.
pub(super) struct Requests<H: Hal> {
    pub(super) queue: Box<VirtQueue<H, QUEUE_SIZE>>,
    pub(super) buffers: Buffers<H>,
    /// The chains of two parts in flight, by their heads.
    in_flight: Vec<Option<Chain>>,
    /// The number of all chains in flight.
    pub(super) count: usize,
    /// Bytes of `buffers` that are handed out; 0 if nothing is in flight.
    pub(super) used: usize,
}

/// One chain: which request it is, and the places of its two parts, offset and length.
#[derive(Clone, Copy)]
struct Chain {
    tag: usize,
    readable: (usize, usize),
    writable: (usize, usize),
}

/// A chain that the device has returned.
pub(super) struct Returned {
    /// What [`Requests::post`] was given.
    pub(super) tag: usize,
    /// The number of bytes that the device claims to have written; not checked.
    pub(super) used: u32,
}

impl<H: Hal> Requests<H> {
    /// Sets the queue up, with memory for at least `bytes`.
    pub(super) fn open<T: Transport>(transport: &mut T, bytes: usize) -> Result<Self, StartError> {
        let (queue, buffers) = open_queue(transport, REQUEST_QUEUE, bytes)?;
        Ok(Self { queue, buffers, in_flight: vec![None; QUEUE_SIZE], count: 0, used: 0 })
    }

    /// Adds a request, known to the caller by `tag`; returns whether there was room for it.
    ///
    /// # Errors
    ///
    /// The queue refuses a chain that it has room for.
    ///
    /// # Panics
    ///
    /// If one of the parts is empty.
    pub(super) fn post(&mut self, tag: usize, request: &[u8], answer_len: usize) -> Result<bool, Error> {
        let readable = (self.used, request.len());
        let writable = ((self.used + request.len()).next_multiple_of(ALIGNMENT), answer_len);
        let end = (writable.0 + answer_len).next_multiple_of(ALIGNMENT);
        if end > self.buffers.len() || self.queue.available_desc() < 2 {
            return Ok(false);
        }
        let [mut input, mut output] = [readable, writable].map(|(at, len)| self.buffers.part(at, len));
        self.buffers.write(readable.0, request);
        self.buffers.fill(writable.0, answer_len, POISON);
        // SAFETY: The part was not in flight, so the device does not write to it while the reference exists.
        let input = unsafe { input.as_mut() };
        // SAFETY: Likewise; and the two parts do not overlap.
        let output = unsafe { output.as_mut() };
        // SAFETY: `used` moves past both parts below and returns only when nothing is in flight, so they
        // are only accessed again after `take` has popped the chain. The memory is freed only after a
        // confirmed reset.
        let head = unsafe { self.queue.add(&[input], &mut [output]) }?;
        let place = self.in_flight.get_mut(usize::from(head)).ok_or(Error::WrongToken)?;
        *place = Some(Chain { tag, readable, writable });
        self.used = end;
        self.count += 1;
        Ok(true)
    }

    /// The next chain that the device has returned; its answer is copied to `answer`.
    ///
    /// Bytes that the device did not write read as 0xff.
    ///
    /// # Errors
    ///
    /// The used ring names a chain that is not in flight.
    pub(super) fn take(&mut self, answer: &mut [u8]) -> Result<Option<Returned>, Death> {
        let Some(head) = self.queue.peek_used() else { return Ok(None) };
        let Some(chain) = self.in_flight.get_mut(usize::from(head)).and_then(Option::take) else {
            return Err(Death::WrongChain { found: head });
        };
        let [input, mut output] =
            [chain.readable, chain.writable].map(|(at, len)| self.buffers.part(at, len));
        // SAFETY: The chain was in flight and the device has returned it, so the part is ours again.
        let input = unsafe { input.as_ref() };
        // SAFETY: Likewise; and the two parts do not overlap.
        let output = unsafe { output.as_mut() };
        // SAFETY: `in_flight` holds the parts that `add` was given when it returned this head.
        let popped = unsafe { self.queue.pop_used(head, &[input], &mut [output]) };
        let used = popped.map_err(Death::QueueBroken)?;
        self.count -= 1;
        if self.count == 0 {
            self.used = 0;
        }
        let wanted = answer.len().min(chain.writable.1);
        self.buffers.read(chain.writable.0, &mut answer[..wanted]);
        Ok(Some(Returned { tag: chain.tag, used }))
    }

    /// The number of chains in flight.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether the used ring has an entry.
    pub(super) fn is_answered(&self) -> bool {
        self.queue.can_pop()
    }

    /// Whether the device wants to be notified of new chains.
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
