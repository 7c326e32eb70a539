//! Chains of several parts, for a caller that chooses every descriptor.

use alloc::vec;
use alloc::vec::Vec;

use virtio_drivers::Hal;

use crate::death::Death;
use crate::limits::QUEUE_SIZE;

use super::requests::Requests;
use super::ring::{FROM_DEVICE, Place, TO_DEVICE, Used};

/// The parts of one request: what the device reads, and the sizes of what it can write.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) readable: &'a [&'a [u8]],
    pub(crate) writable: &'a [usize],
}

/// The used length of a chain, and the bytes of every writable part.
pub type SplitAnswer = (u32, Vec<Vec<u8>>);

/// A chain of several parts in flight.
pub(super) struct SplitChain {
    head: usize,
    readable: Vec<Place>,
    writable: Vec<Place>,
}

impl<H: Hal> Requests<H> {
    /// Adds a chain with a descriptor for each part; `None` if there is no room for it.
    ///
    /// # Panics
    ///
    /// If there is no part at all, or a part is empty.
    pub(super) fn post_split(&mut self, parts: &Parts<'_>) -> Option<SplitChain> {
        let Parts { readable, writable } = *parts;
        let mut end = self.used;
        let mut place = |len: usize| {
            assert!(len > 0, "a part is not empty");
            let at = end;
            end += len;
            Place { at, len }
        };
        let readable_places: Vec<_> = readable.iter().map(|part| place(part.len())).collect();
        let writable_places: Vec<_> = writable.iter().map(|len| place(*len)).collect();
        let head = self.descriptors;
        let last = head + readable.len() + writable.len();
        assert!(last > head, "a chain has a part");
        if end > self.ring.capacity() || last > QUEUE_SIZE {
            return None;
        }
        for (bytes, place) in readable.iter().zip(&readable_places) {
            self.ring.write(place.at, bytes);
        }
        writable_places.iter().for_each(|place| self.ring.poison(*place));
        let to = readable_places.iter().map(|place| (*place, TO_DEVICE));
        let from = writable_places.iter().map(|place| (*place, FROM_DEVICE));
        for (descriptor, (place, direction)) in (head..).zip(to.chain(from)) {
            self.ring.describe(descriptor, place, direction, descriptor + 1 < last);
        }
        self.ring.offer(head);
        self.descriptors = last;
        self.used = end;
        self.count += 1;
        Some(SplitChain { head, readable: readable_places, writable: writable_places })
    }

    /// Takes the answer of one of these chains that the device has returned, and which of them it is;
    /// `None` if it has returned nothing.
    ///
    /// # Errors
    ///
    /// The used ring contains none of these chains.
    pub(super) fn take_split(
        &mut self,
        chains: &mut [Option<SplitChain>],
    ) -> Result<Option<(usize, SplitAnswer)>, Death> {
        let Some(Used { head: found, len }) = self.ring.take() else { return Ok(None) };
        let is_found =
            |chain: &Option<SplitChain>| chain.as_ref().is_some_and(|chain| chain.head == found as usize);
        let index = chains.iter().position(is_found).ok_or(Death::WrongChain { found })?;
        let Some(chain) = chains[index].take() else { return Err(Death::WrongChain { found }) };
        chain.readable.iter().for_each(|place| self.ring.withdraw(*place, TO_DEVICE));
        chain.writable.iter().for_each(|place| self.ring.withdraw(*place, FROM_DEVICE));
        self.forget_one();
        let answers = chain.writable.iter().map(|place| {
            let mut bytes = vec![0; place.len];
            self.ring.read(place.at, &mut bytes);
            bytes
        });
        Ok(Some((index, (len, answers.collect()))))
    }
}
