//! UNMAP: taken out of the record here, sent while the domain exists in the device.
//!
//! One UNMAP removes all mappings in its range, and ranges of it without a mapping do not matter (virtio
//! 1.2, section 5.13.6.6). So one request suffices for many mappings if no other one lies between them.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use addr::{Iova, Range};
use probe::{Refusal, RefusalCause};
use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

use crate::clock::Clock;
use crate::domain::Mapping;
use crate::driver::Viommu;
use crate::request::{Failure, Request};

use super::map::refusal;

impl<H: Hal, T: Transport, C: Clock> Viommu<H, T, C> {
    /// Removes the mappings in ranges, with as few requests as possible; the result of each range.
    ///
    /// Ranges that continue each other may together contain a mapping that none contains as a whole.
    pub(crate) fn unmap_ranges(&mut self, id: u32, ranges: &[Range<Iova>]) -> Vec<Result<(), Refusal>> {
        let mut results = vec![];
        results.resize_with(ranges.len(), || Ok(()));
        let mut taken = Vec::with_capacity(ranges.len());
        let mut first = 0;
        for run in ranges.chunk_by(|range, next| range.end().0.checked_add(1) == Some(next.start().0)) {
            self.take_run(id, run, &mut results[first..], &mut taken);
            first += run.len();
        }
        for (mapping, outcome) in taken.iter().zip(self.send_unmaps(id, &taken)) {
            let Err(failure) = outcome else { continue };
            // The mapping stays for each range that contains a part of it.
            let refusal = Request::Unmap { domain: id, iova: mapping.iova }.refused(failure);
            for (result, range) in results.iter_mut().zip(ranges) {
                if result.is_ok() && range.overlaps(&mapping.iova) {
                    *result = Err(refusal.clone());
                }
            }
        }
        results
    }

    /// Takes the mappings in ranges that continue each other out of the record: for each range, or, if one
    /// would split a mapping, for all of the rest together. Puts refusals into `results`.
    fn take_run(
        &mut self,
        id: u32,
        run: &[Range<Iova>],
        results: &mut [Result<(), Refusal>],
        taken: &mut Vec<Mapping>,
    ) {
        let request = |iova| Request::Unmap { domain: id, iova };
        let mut may_join = true;
        for (index, range) in run.iter().enumerate() {
            let domain = match self.paging_domain(id, &request(*range)) {
                Ok(domain) => domain,
                Err(refusal) => {
                    results[index] = Err(refusal);
                    continue;
                }
            };
            let mut take = |range| domain.take_inside(range, |mapping| taken.push(mapping));
            let Err(split) = take(*range) else { continue };
            if core::mem::take(&mut may_join)
                && let Some(last) = run[index + 1..].last()
                && let Some(whole) = Range::new(range.start(), last.end())
                && take(whole).is_ok()
            {
                return;
            }
            let why = format!("would split the mapping of {}", split.iova);
            results[index] = Err(refusal(&request(*range), RefusalCause::Range, &why));
        }
    }

    /// Takes mappings that are not in the record any more out of the device, if the domain is live. What
    /// fails is in both afterwards; if an answer leaves that open, another UNMAP settles it.
    pub(super) fn send_unmaps(&mut self, id: u32, mappings: &[Mapping]) -> Vec<Result<(), Failure>> {
        if !self.is_live(id) {
            return vec![Ok(()); mappings.len()];
        }
        let request = |iova| Request::Unmap { domain: id, iova };
        let runs = self.runs(id, mappings);
        let joined = self.send_all(runs.iter().map(|(iova, _)| request(*iova)));
        let mut outcomes = Vec::with_capacity(mappings.len());
        for ((_, count), outcome) in runs.into_iter().zip(joined) {
            let run = &mappings[outcomes.len()..][..count];
            // Removing a mapping that does not exist succeeds, so a second request for it is harmless.
            let alone = match outcome {
                Err(_) if count > 1 => self.send_all(run.iter().map(|mapping| request(mapping.iova))),
                outcome => vec![outcome; count],
            };
            // What a request in doubt may have removed, no later refusal brings back.
            let is_in_doubt = outcome.is_err_and(Failure::leaves_doubt);
            for (mapping, mut outcome) in run.iter().zip(alone) {
                if outcome.is_err_and(|failure| is_in_doubt || failure.leaves_doubt()) {
                    outcome = self.send(request(mapping.iova)).map_err(|_| self.lose_step());
                }
                if outcome.is_err() {
                    self.record(id, *mapping);
                }
                outcomes.push(outcome);
            }
        }
        outcomes
    }

    /// The ranges of as few UNMAPs as remove these mappings, which are not in the record any more, and how
    /// many of them, in order, each removes.
    fn runs(&self, id: u32, mappings: &[Mapping]) -> Vec<(Range<Iova>, usize)> {
        let mut runs: Vec<(Range<Iova>, usize)> = Vec::new();
        let domain = self.domains.get(id);
        for Mapping { iova, .. } in mappings {
            let joined = runs.last().and_then(|(run, _)| {
                let gap = run.end().0.checked_add(1)?;
                // Before the first mapping after the run: nothing else is removed with the gap.
                let is_adjacent = gap == iova.start().0;
                let gap = if is_adjacent { None } else { Range::new(Iova(gap), iova.end()) };
                let is_free = |gap| domain.is_some_and(|domain| domain.overlapping(gap).is_none());
                (is_adjacent || gap.is_some_and(is_free)).then_some(())?;
                Range::new(run.start(), iova.end())
            });
            match (joined, runs.last_mut()) {
                (Some(joined), Some((run, count))) => (*run, *count) = (joined, *count + 1),
                _ => runs.push((*iova, 1)),
            }
        }
        runs
    }
}
