//! The request queue: chains of one readable and one writable part each, many of them in flight.

use alloc::vec;
use alloc::vec::Vec;

use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

use crate::death::Death;
use crate::limits::QUEUE_SIZE;
use crate::start_error::StartError;
use crate::wire::{Map, REQUEST_QUEUE, TAIL_SIZE};

use super::buffers::Buffers;
use super::ring::{FROM_DEVICE, Place, Ring, TO_DEVICE, Used};

/// Each part begins at a multiple of this many bytes.
const ALIGNMENT: usize = 8;

/// Bytes that the largest request takes whose answer is a status alone, together with it.
const SHORT_REQUEST: usize =
    size_of::<Map>().next_multiple_of(ALIGNMENT) + TAIL_SIZE.next_multiple_of(ALIGNMENT);

/// The request queue and the memory of its chains.
///
/// Descriptors and memory are handed out in ascending order, and again from the start when nothing is
/// in flight. So no two chains in flight share any of them, whatever the device does.
pub(super) struct Requests<H: Hal> {
    pub(super) ring: Ring<H>,
    /// The chains of two parts in flight, by their heads.
    in_flight: Vec<Option<Chain>>,
    /// The number of all chains in flight.
    pub(super) count: usize,
    /// Descriptors that are handed out; 0 if nothing is in flight.
    pub(super) descriptors: usize,
    /// Bytes that are handed out; 0 if nothing is in flight.
    pub(super) used: usize,
}

/// One chain: which request it is, and the places of its two parts.
#[derive(Clone, Copy)]
struct Chain {
    tag: usize,
    readable: Place,
    writable: Place,
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
        let ring = Ring::open(transport, REQUEST_QUEUE, bytes)?;
        Ok(Self { ring, in_flight: vec![None; QUEUE_SIZE], count: 0, descriptors: 0, used: 0 })
    }

    /// Whether there is room for another request that is answered with a status alone.
    pub(super) fn has_room(&self) -> bool {
        self.descriptors + 2 <= QUEUE_SIZE && self.used + SHORT_REQUEST <= self.ring.capacity()
    }

    /// Adds a request, known to the caller by `tag`.
    ///
    /// # Panics
    ///
    /// If one of the parts is empty, or there is no room for them. An empty queue has room for the largest request.
    pub(super) fn post(&mut self, tag: usize, request: &[u8], answer_len: usize) {
        let readable = Place { at: self.used, len: request.len() };
        let writable = Place { at: (self.used + request.len()).next_multiple_of(ALIGNMENT), len: answer_len };
        let end = (writable.at + answer_len).next_multiple_of(ALIGNMENT);
        assert!(end <= self.ring.capacity(), "the buffers have room for a request");
        assert!(readable.len > 0 && writable.len > 0, "a part is not empty");
        self.ring.write(readable.at, request);
        self.ring.poison(writable);
        let head = self.descriptors;
        self.ring.describe(head, readable, TO_DEVICE, true);
        self.ring.describe(head + 1, writable, FROM_DEVICE, false);
        self.ring.offer(head);
        self.in_flight[head] = Some(Chain { tag, readable, writable });
        self.descriptors = head + 2;
        self.used = end;
        self.count += 1;
    }

    /// The next chain that the device has returned; its answer is copied to `answer`.
    ///
    /// Bytes that the device did not write read as 0xff.
    ///
    /// # Errors
    ///
    /// The used ring names a chain that is not in flight.
    pub(super) fn take(&mut self, answer: &mut [u8]) -> Result<Option<Returned>, Death> {
        let Some(Used { head, len }) = self.ring.take() else { return Ok(None) };
        let Some(chain) = self.in_flight.get_mut(head as usize).and_then(Option::take) else {
            return Err(Death::WrongChain { found: head });
        };
        self.ring.withdraw(chain.readable, TO_DEVICE);
        self.ring.withdraw(chain.writable, FROM_DEVICE);
        self.forget_one();
        let wanted = answer.len().min(chain.writable.len);
        self.ring.read(chain.writable.at, &mut answer[..wanted]);
        Ok(Some(Returned { tag: chain.tag, used: len }))
    }

    /// Counts a chain that is not in flight any more.
    pub(super) fn forget_one(&mut self) {
        self.count -= 1;
        if self.count == 0 {
            (self.descriptors, self.used) = (0, 0);
        }
    }

    /// The number of chains in flight.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether the used ring has an element that was not taken.
    pub(super) fn is_answered(&self) -> bool {
        self.ring.is_answered()
    }

    /// Publishes the requests; returns whether the device wants to be notified.
    pub(super) fn publish(&mut self) -> bool {
        self.ring.publish()
    }

    /// The memory, after the device has confirmed a reset.
    pub(super) fn into_memory(self) -> Buffers<H> {
        self.ring.into_memory()
    }
}
