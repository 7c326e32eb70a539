//! ATTACH and DETACH, with everything that has to be put back when one fails.

use alloc::format;
use alloc::vec::Vec;

use addr::{EndpointId, Iova, PhysAddr, Range};
use probe::{Refusal, RefusalCause};
use virtio_drivers::Hal;
use virtio_drivers::transport::Transport;

use crate::clock::Clock;
use crate::death::Death;
use crate::domain::{Mapping, Translation};
use crate::driver::Viommu;
use crate::identity;
use crate::request::{Failure, Request, Status};
use crate::wire::map_flag;

use super::map::refusal;
use super::map_rules::is_mappable;

/// An endpoint could not enter a domain.
struct NotEntered {
    why: Failure,
    /// The request that failed.
    request: Request,
    /// Whether the endpoint is in its previous domain; otherwise it is not in any domain.
    stayed: bool,
}

impl<H: Hal, T: Transport, C: Clock> Viommu<H, T, C> {
    /// Attaches an endpoint, whether or not it is in another domain.
    pub(crate) fn attach_endpoint(&mut self, id: u32, endpoint: EndpointId) -> Result<(), Refusal> {
        let request = self.attach_request(id, endpoint);
        self.check_request(&request)?;
        let Some(translation) = self.domains.get(id).map(|domain| domain.translation) else {
            return Err(refusal(&request, RefusalCause::NoEntry, "the domain does not exist"));
        };
        let old = self.domains.home(endpoint);
        if old == Some(id) {
            // A second ATTACH would destroy a domain whose only endpoint this is, and its mappings.
            return Ok(());
        }
        match translation {
            Translation::Paging => self.check_regions(&request, id, endpoint)?,
            Translation::MappedIdentity => {
                self.refit_identity(id, endpoint).map_err(|failure| request.refused(failure))?;
            }
            Translation::Bypass { .. } => {}
        }
        self.enter(id, endpoint).map_err(|failed| self.put_back(failed, endpoint, old))
    }

    /// Detaches an endpoint from the domain that it is in.
    pub(crate) fn detach_endpoint(&mut self, id: u32, endpoint: EndpointId) -> Result<(), Refusal> {
        let request = Request::Detach { domain: id, endpoint };
        self.check_request(&request)?;
        match self.domains.home(endpoint) {
            Some(home) if home == id => {}
            Some(home) => {
                let why = format!("the endpoint is attached to domain {home}");
                return Err(refusal(&request, RefusalCause::Invalid, &why));
            }
            None => {
                return Err(refusal(
                    &request,
                    RefusalCause::NoEntry,
                    "the endpoint is not attached to a domain",
                ));
            }
        }
        let outcome = self.leave(id, endpoint);
        // An endpoint that the device no longer knows is not in any domain either.
        if matches!(outcome, Ok(()) | Err(Failure::Refused(Status::NOENT))) {
            self.domains.settle(endpoint, None);
        }
        outcome.map_err(|failure| request.refused(failure))
    }

    /// Sends DETACH; if the answer leaves the result open, sends it once more.
    fn leave(&mut self, id: u32, endpoint: EndpointId) -> Result<(), Failure> {
        let request = Request::Detach { domain: id, endpoint };
        match self.send(request) {
            Err(failure) if failure.leaves_doubt() => match self.send(request) {
                // The endpoint has left the domain: the first request was executed.
                Ok(()) | Err(Failure::Refused(Status::INVAL)) => Ok(()),
                Err(Failure::Refused(Status::NOENT)) => Err(Failure::Refused(Status::NOENT)),
                Err(_) => Err(self.lose_step()),
            },
            outcome => outcome,
        }
    }

    /// Attaches and, if this creates the domain in the device, replays its mappings.
    fn enter(&mut self, id: u32, endpoint: EndpointId) -> Result<(), NotEntered> {
        let request = self.attach_request(id, endpoint);
        let first = !self.is_live(id);
        self.send_attach(request, id, endpoint)?;
        self.domains.settle(endpoint, Some(id));
        if !first {
            return Ok(());
        }
        let mappings: Vec<Mapping> =
            self.domains.get(id).map(|domain| domain.mappings().collect()).unwrap_or_default();
        if mappings.is_empty() {
            return Ok(());
        }
        let outcomes = self.send_all(mappings.iter().map(|mapping| mapping.request(id)));
        for (mapping, outcome) in mappings.iter().zip(outcomes) {
            let Err(why) = outcome else { continue };
            // Without its only endpoint, the domain and the mappings that were made cease to exist.
            if !matches!(why, Failure::Dead(_)) && self.leave(id, endpoint).is_err() {
                // The endpoint is in a domain that lacks mappings from the record.
                self.lose_step();
            }
            self.domains.settle(endpoint, None);
            return Err(NotEntered { why, request: mapping.request(id), stayed: false });
        }
        Ok(())
    }

    /// Sends ATTACH, after a DETACH if the device does not move endpoints itself.
    fn send_attach(&mut self, request: Request, id: u32, endpoint: EndpointId) -> Result<(), NotEntered> {
        let old = self.domains.home(endpoint);
        let mut stayed = true;
        let mut outcome = self.send(request);
        if let (Err(Failure::Refused(Status::UNSUPP)), Some(old)) = (outcome, old) {
            // Section 5.13.6.3.2: a device that does not detach first answers UNSUPP.
            if self.leave(old, endpoint).is_ok() {
                self.domains.settle(endpoint, None);
                stayed = false;
                outcome = self.send(request);
            }
        }
        let Err(why) = outcome else { return Ok(()) };
        if why.leaves_doubt() {
            // The endpoint may be in the new domain, in the old one or in neither. Detach it from
            // both.
            self.leave_surely(id, endpoint);
            if let Some(old) = self.domains.home(endpoint) {
                self.leave_surely(old, endpoint);
            }
            self.domains.settle(endpoint, None);
            stayed = false;
        }
        Err(NotEntered { why, request, stayed })
    }

    /// Detaches an endpoint from a domain if it is not certain whether the endpoint is in it.
    fn leave_surely(&mut self, id: u32, endpoint: EndpointId) {
        match self.leave(id, endpoint) {
            Ok(()) | Err(Failure::Refused(Status::INVAL | Status::NOENT) | Failure::Dead(_)) => {}
            Err(_) => {
                self.lose_step();
            }
        }
    }

    /// Attaches the endpoint to its old domain again if it has left that domain, and creates the
    /// error.
    fn put_back(&mut self, failed: NotEntered, endpoint: EndpointId, old: Option<u32>) -> Refusal {
        let mut refusal = failed.request.refused(failed.why);
        refusal.endpoint = Some(endpoint);
        let Some(old) = old.filter(|_| !failed.stayed) else { return refusal };
        if let Err(again) = self.enter(old, endpoint) {
            let (request, why) = (again.request, again.why);
            refusal.detail.push_str(&format!(
                "; reattaching to domain {old}: {request}: {why}; it is not attached to any domain"
            ));
        }
        if self.is_dead() {
            refusal.cause = RefusalCause::Dead;
        }
        refusal
    }

    /// Refuses an endpoint whose reserved regions are mapped in the domain.
    fn check_regions(&self, request: &Request, id: u32, endpoint: EndpointId) -> Result<(), Refusal> {
        let Some(domain) = self.domains.get(id) else { return Ok(()) };
        for region in self.device_regions(endpoint) {
            if let Some(mapping) = domain.overlapping(region.range) {
                let why =
                    format!("{} is mapped, but reserved for the endpoint ({})", mapping.iova, region.range);
                return Err(refusal(request, RefusalCause::Invalid, &why));
            }
        }
        Ok(())
    }

    /// Adapts the mappings of a mapped identity domain to one more endpoint.
    fn refit_identity(&mut self, id: u32, endpoint: EndpointId) -> Result<(), Failure> {
        let Some(domain) = self.domains.get(id) else { return Ok(()) };
        let members = domain.members().chain([endpoint]);
        let reserved = members.flat_map(|member| self.device_regions(member)).map(|region| region.range);
        let extents = identity::extents(self.config.input_range, reserved, self.config.granule());
        let wanted: Vec<Range<Iova>> = extents.into_iter().filter(is_mappable).collect();
        let present: Vec<Mapping> = domain.mappings().collect();
        let (kept, old): (Vec<_>, Vec<_>) =
            present.into_iter().partition(|mapping| wanted.contains(&mapping.iova));
        let is_new = |iova: &Range<Iova>| kept.iter().all(|mapping| mapping.iova != *iova);
        let flags = map_flag::READ | map_flag::WRITE;
        let new: Vec<_> = wanted
            .into_iter()
            .filter(is_new)
            .map(|iova| Mapping { iova, phys: PhysAddr(iova.start().0), flags })
            .collect();
        self.replace_mappings(id, &old, &new)
    }

    fn attach_request(&self, id: u32, endpoint: EndpointId) -> Request {
        let translation = self.domains.get(id).map(|domain| domain.translation);
        Request::Attach {
            domain: id,
            endpoint,
            bypass: matches!(translation, Some(Translation::Bypass { .. })),
        }
    }

    pub(super) fn lose_step(&mut self) -> Failure {
        Failure::Dead(self.link.die(Death::OutOfStep))
    }
}
