//! Chains of several parts, for a caller that chooses every descriptor.

use alloc::vec;
use alloc::vec::Vec;

use virtio_drivers::{Error, Hal};

use crate::death::Death;

use super::POISON;
use super::requests::Requests;

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
    pub(super) fn post_split(
        &mut self,
        readable: &[&[u8]],
        writable: &[usize],
    ) -> Result<Option<SplitChain>, Error> {
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

    /// Takes the answer of a chain that the device has returned: the used length and the bytes of every
    /// writable part.
    ///
    /// # Errors
    ///
    /// The used ring does not contain this chain.
    pub(super) fn take_split(&mut self, chain: SplitChain) -> Result<(u32, Vec<Vec<u8>>), Death> {
        match self.queue.peek_used() {
            Some(found) if found == chain.head => {}
            Some(found) => return Err(Death::WrongChain { found }),
            None => return Err(Death::QueueBroken(Error::NotReady)),
        }
        let part = |&(at, len): &(usize, usize)| self.buffers.part(at, len);
        let inputs: Vec<_> = chain.readable.iter().map(part).collect();
        let outputs: Vec<_> = chain.writable.iter().map(part).collect();
        // SAFETY: The device has returned the chain, as just checked, so the parts are ours again.
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
        Ok((used, answers.collect()))
    }
}
