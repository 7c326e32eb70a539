//! MAP: checked and recorded here, sent while the domain exists in the device.

use alloc::vec;
use alloc::vec::Vec;

use addr::Range;
use probe::{Prot, Refusal, RefusalCause};
use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

use crate::clock::Clock;
use crate::domain::{Domain, Mapping, Translation};
use crate::driver::Viommu;
use crate::request::{Failure, Request};
use crate::wire::map_flag;

use super::map_rules::{MapRules, overlap};

impl<H: Hal, T: Transport, C: Clock> Viommu<H, T, C> {
    /// Makes mappings, with as few notifications as possible; the result of each.
    pub(crate) fn map_ranges(&mut self, id: u32, wanted: &[probe::Mapping]) -> Vec<Result<(), Refusal>> {
        let mut results = Vec::with_capacity(wanted.len());
        while results.len() < wanted.len() {
            let (admitted, objection) = self.admit(id, &wanted[results.len()..]);
            match objection {
                Some(refusal) if admitted.is_empty() => results.push(Err(refusal)),
                // An objection is raised again after these are sent, or it is gone: the mapping may only
                // overlap one that the device refuses.
                _ => {
                    let first = results.len();
                    results.resize_with(first + admitted.len(), || Ok(()));
                    for (index, outcome) in self.send_maps(id, &admitted).into_iter().enumerate() {
                        if let Err(failure) = outcome {
                            results[first + index] = Err(admitted[index].request(id).refused(failure));
                        }
                    }
                }
            }
        }
        results
    }

    /// Makes mappings as [`map_ranges`](Self::map_ranges) does, but one mapping of those that continue each
    /// other; if it is refused, they are made one by one.
    pub(crate) fn map_joined_ranges(
        &mut self,
        id: u32,
        wanted: &[probe::Mapping],
    ) -> Vec<Result<(), Refusal>> {
        let runs: Vec<_> = wanted.chunk_by(probe::Mapping::continues).collect();
        let joined: Vec<_> = runs.iter().map(|run| joined(run)).collect();
        let mut results = Vec::with_capacity(wanted.len());
        for (run, outcome) in runs.iter().zip(self.map_ranges(id, &joined)) {
            match outcome {
                Err(_) if run.len() > 1 => results.extend(self.map_ranges(id, run)),
                outcome => results.extend(run.iter().map(|_| outcome.clone())),
            }
        }
        results
    }

    /// Puts mappings into the record, up to the first that must not be requested, and says why not.
    fn admit(&mut self, id: u32, wanted: &[probe::Mapping]) -> (Vec<Mapping>, Option<Refusal>) {
        let mut admitted = Vec::with_capacity(wanted.len());
        let rules = MapRules::in_domain(self, id);
        let requested = |wanted: &probe::Mapping| {
            let probe::Mapping { iova, phys, prot } = *wanted;
            Mapping { iova, phys, flags: flags_of(prot) }
        };
        let Some(first) = wanted.first() else { return (admitted, None) };
        let domain = match self.paging_domain(id, &requested(first).request(id)) {
            Ok(domain) => domain,
            Err(refusal) => return (admitted, Some(refusal)),
        };
        let mut free = None;
        for wanted in wanted {
            let mapping = requested(wanted);
            let objection = rules.objection(&mapping, wanted.prot);
            let objection = objection.or_else(|| domain.insert_free(mapping, &mut free).err().map(overlap));
            if let Some((cause, why)) = objection {
                return (admitted, Some(refusal(&mapping.request(id), cause, &why)));
            }
            admitted.push(mapping);
        }
        (admitted, None)
    }

    /// Removes mappings and makes others in their place; stops at the first failure of each step.
    pub(crate) fn replace_mappings(
        &mut self,
        id: u32,
        old: &[Mapping],
        new: &[Mapping],
    ) -> Result<(), Failure> {
        for mapping in old {
            if let Some(domain) = self.domains.get_mut(id) {
                domain.remove(mapping);
            }
        }
        self.send_unmaps(id, old).into_iter().collect::<Result<(), _>>()?;
        for mapping in new {
            self.record(id, *mapping);
        }
        self.send_maps(id, new).into_iter().collect()
    }

    pub(super) fn record(&mut self, id: u32, mapping: Mapping) {
        if let Some(domain) = self.domains.get_mut(id) {
            domain.insert(mapping);
        }
    }

    /// Puts mappings from the record into the device, if the domain is live. What fails is in neither
    /// afterwards; if an answer leaves that open, one UNMAP settles it.
    fn send_maps(&mut self, id: u32, mappings: &[Mapping]) -> Vec<Result<(), Failure>> {
        if !self.is_live(id) {
            return vec![Ok(()); mappings.len()];
        }
        let mut outcomes = self.send_all(mappings.iter().map(|mapping| mapping.request(id)));
        for (mapping, outcome) in mappings.iter().zip(&mut outcomes) {
            let Err(failure) = outcome else { continue };
            let undo = Request::Unmap { domain: id, iova: mapping.iova };
            if failure.leaves_doubt() && self.send(undo).is_err() {
                *failure = self.lose_step();
            }
            if let Some(domain) = self.domains.get_mut(id) {
                domain.remove(mapping);
            }
        }
        outcomes
    }

    pub(crate) fn is_live(&self, id: u32) -> bool {
        self.domains.get(id).is_some_and(Domain::is_live)
    }

    /// Fails if the device is dead, so that the record does not change either.
    pub(crate) fn check_request(&self, request: &Request) -> Result<(), Refusal> {
        match self.link.death() {
            Some(death) => Err(request.refused(Failure::Dead(death))),
            None => Ok(()),
        }
    }

    /// The paging domain of a request of a device that is not dead.
    pub(super) fn paging_domain(&mut self, id: u32, request: &Request) -> Result<&mut Domain, Refusal> {
        self.check_request(request)?;
        match self.domains.get_mut(id) {
            Some(domain) if domain.translation == Translation::Paging => Ok(domain),
            Some(_) => Err(refusal(request, RefusalCause::Invalid, "the domain is an identity domain")),
            None => Err(refusal(request, RefusalCause::NoEntry, "the domain does not exist")),
        }
    }
}

/// One mapping of a run of mappings that continue each other.
fn joined(run: &[probe::Mapping]) -> probe::Mapping {
    let (first, last) = (run[0], run[run.len() - 1]);
    let whole = Range::new(first.iova.start(), last.iova.end());
    probe::Mapping { iova: whole.expect("a run ascends"), ..first }
}

/// The refusal of a request that was not sent.
pub(crate) fn refusal(request: &Request, cause: RefusalCause, why: &str) -> Refusal {
    Refusal { cause, endpoint: request.endpoint(), detail: alloc::format!("{request}: {why}") }
}

fn flags_of(prot: Prot) -> u32 {
    let flag = |set, flag| if set { flag } else { 0 };
    flag(prot.read, map_flag::READ) | flag(prot.write, map_flag::WRITE) | flag(prot.mmio, map_flag::MMIO)
}
