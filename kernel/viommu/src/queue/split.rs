//! Chains of several parts, for a caller that chooses every descriptor.

use alloc::vec;
use alloc::vec::Vec;

use virtio_drivers::{Error, Hal};

use crate::death::Death;

use super::buffers::POISON;
use super::requests::Requests;

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
    head: u16,
    readable: Vec<(usize, usize)>,
    writable: Vec<(usize, usize)>,
}

impl<H: Hal> Requests<H> {
    /// Adds a chain with a descriptor for each part; `None` if there is no room for it.
    ///
    /// # Errors
    ///
    /// There is no part at all.
    ///
    /// # Panics
    ///
    /// If a part is empty.
    pub(super) fn post_split(&mut self, parts: &Parts<'_>) -> Result<Option<SplitChain>, Error> {
        let Parts { readable, writable } = *parts;
        let mut end = self.used;
        let mut place = |len: usize| {
            let at = end;
            end += len;
            (at, len)
        };
        let readable_places: Vec<_> = readable.iter().map(|part| place(part.len())).collect();
        let writable_places: Vec<_> = writable.iter().map(|len| place(*len)).collect();
        if end > self.buffers.len() || self.queue.available_desc() < readable.len() + writable.len() {
            return Ok(None);
        }
        for (bytes, (at, _)) in readable.iter().zip(&readable_places) {
            self.buffers.write(*at, bytes);
        }
        for (at, len) in &writable_places {
            self.buffers.fill(*at, *len, POISON);
        }
        let inputs: Vec<_> = readable_places.iter().map(|(at, len)| self.buffers.part(*at, *len)).collect();
        let outputs: Vec<_> = writable_places.iter().map(|(at, len)| self.buffers.part(*at, *len)).collect();
        // SAFETY: The parts were not in flight, so the device does not write to them while the references
        // exist.
        let inputs: Vec<_> = inputs.iter().map(|part| unsafe { part.as_ref() }).collect();
        // SAFETY: Likewise; and the parts do not overlap.
        let mut outputs: Vec<_> = outputs.into_iter().map(|mut part| unsafe { part.as_mut() }).collect();
        // SAFETY: `used` moves past all parts below and returns only when nothing is in flight, so they
        // are only accessed again after `take_split` has popped the chain. The memory is freed only after
        // a confirmed reset.
        let head = unsafe { self.queue.add(&inputs, &mut outputs) }?;
        self.used = end;
        self.count += 1;
        Ok(Some(SplitChain { head, readable: readable_places, writable: writable_places }))
    }

    /// Takes the answer of one of these chains that the device has returned, and which of them it is.
    ///
    /// # Errors
    ///
    /// The used ring contains none of these chains.
    pub(super) fn take_split(
        &mut self,
        chains: &mut [Option<SplitChain>],
    ) -> Result<(usize, SplitAnswer), Death> {
        let Some(found) = self.queue.peek_used() else { return Err(Death::QueueBroken(Error::NotReady)) };
        let is_found = |chain: &Option<SplitChain>| chain.as_ref().is_some_and(|chain| chain.head == found);
        let index = chains.iter().position(is_found).ok_or(Death::WrongChain { found })?;
        let Some(chain) = chains[index].take() else { return Err(Death::WrongChain { found }) };
        let part = |&(at, len): &(usize, usize)| self.buffers.part(at, len);
        let inputs: Vec<_> = chain.readable.iter().map(part).collect();
        let outputs: Vec<_> = chain.writable.iter().map(part).collect();
        // SAFETY: The device has returned the chain, which was in flight until now, so the parts are ours again.
        let inputs: Vec<_> = inputs.iter().map(|part| unsafe { part.as_ref() }).collect();
        // SAFETY: Likewise; and the parts do not overlap.
        let mut outputs: Vec<_> = outputs.into_iter().map(|mut part| unsafe { part.as_mut() }).collect();
        // SAFETY: `SplitChain` holds the parts that `add` was given when it returned this head.
        let popped = unsafe { self.queue.pop_used(chain.head, &inputs, &mut outputs) };
        let used = popped.map_err(Death::QueueBroken)?;
        self.count -= 1;
        if self.count == 0 {
            self.used = 0;
        }
        let answers = chain.writable.iter().map(|(at, len)| {
            let mut bytes = vec![0; *len];
            self.buffers.read(*at, &mut bytes);
            bytes
        });
        Ok((index, (used, answers.collect())))
    }
}
